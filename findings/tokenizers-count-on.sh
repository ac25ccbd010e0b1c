#!/usr/bin/env bash
# npm tokenizers 0.23.2 (Hugging Face's own build of the Rust library that models are trained with): the ids that
# tokenizer.json gives its added_tokens are not read. A token that the model's vocabulary lacks gets the number of the
# vocabulary's pieces, the next one the number after it, in the order of the file, though the file gives each another
# number and though a piece of the vocabulary may have it already. Nothing is said.
#
# Files that the library wrote have no gaps, so there it makes no difference. Where someone took tokens that are never
# used out of the list, all that follow move to other rows of the embedding in whatever reads the file with the library,
# and stay where they are for what reads the numbers. Here: the numbers are read, and a note says so
# (tests/convert/hf_tokenizer_test.cpp).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund tokenizers@0.23.2 >/dev/null 2>&1 || {
  echo "tokenizers 0.23.2 cannot be had here"
  exit 2
}
cat >show.cjs <<'SCRIPT'
const { Tokenizer } = require('tokenizers');
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
function show(vocab, added) {
  const model = { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null,
                  end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab, merges: [] };
  const tokenizer = Tokenizer.fromString(JSON.stringify({
    version: '1.0', truncation: null, padding: null, normalizer: null, pre_tokenizer: null, post_processor: null,
    decoder: null, model, added_tokens: added.map(([content, id]) => ({ id, content, ...flags })) }));
  const pieces = Object.entries(vocab).map(([piece, id]) => `${piece} ${id}`).join(', ');
  const ids = added.map(([content, id]) => `${content} ${id} is ${tokenizer.tokenToId(content)}`).join(', ');
  console.log(`${pieces}: ${ids}`);
}
show({ a: 0, b: 1, c: 2 }, [['<x>', 3], ['<y>', 4]]);
show({ a: 0, b: 1, c: 2 }, [['<x>', 3], ['<y>', 9]]);
show({ a: 0, b: 1, c: 2 }, [['<y>', 4], ['<x>', 3]]);
show({ a: 0, b: 1, c: 3 }, [['<x>', 4]]);
SCRIPT
says=$(node show.cjs)
echo "$says"
[[ $says == 'a 0, b 1, c 2: <x> 3 is 3, <y> 4 is 4
a 0, b 1, c 2: <x> 3 is 3, <y> 9 is 4
a 0, b 1, c 2: <y> 4 is 3, <x> 3 is 4
a 0, b 1, c 3: <x> 4 is 3' ]] || {
  echo "changed: added tokens were numbered from the vocabulary's size on, in the order of the file"
  exit 1
}
