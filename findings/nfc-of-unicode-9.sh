#!/usr/bin/env bash
# npm tokenizers 0.23.2 (Hugging Face's own build of the Rust library that models are trained with): its NFC is that of
# Unicode 9. Two characters that later versions compose stay two (U+11935 U+11930, since Unicode 13 U+11938), and a
# combining mark that came later is taken for a character that marks cannot cross: "a" U+0316 U+1DFA U+0300 stays as it
# is, where Unicode 14 composes U+00E0. What Unicode 9 knew is composed as everywhere (i U+0302).
#
# Vocabularies of Qwen are normalized with it, so an engine that asks a current library for NFC gives other token ids for
# such texts. A composed character that has been assigned since then is itself left alone, so whether a text "is NFC"
# depends on whom one asks. Here: only what Unicode 9 knew is normalized (tests/tokenizer).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund tokenizers@0.23.2 >/dev/null 2>&1 || {
  echo "tokenizers 0.23.2 cannot be had here"
  exit 2
}
cat >show.cjs <<'SCRIPT'
const { nfcNormalizer } = require('tokenizers');
const hex = (text) => [...text].map((c) => c.codePointAt(0).toString(16).padStart(4, '0')).join(' ');
for (const text of ['i\u0302', '\u{11935}\u{11930}', 'a\u0316\u1dfa\u0300']) {
  console.log(`${hex(text)}: tokenizers ${hex(nfcNormalizer().normalizeString(text))}, node ${hex(text.normalize('NFC'))}`);
}
SCRIPT
says=$(node show.cjs)
echo "$says"
[[ $says == '0069 0302: tokenizers 00ee, node 00ee
11935 11930: tokenizers 11935 11930, node 11938
0061 0316 1dfa 0300: tokenizers 0061 0316 1dfa 0300, node 00e0 1dfa 0316' ]] || {
  echo "changed: the second and third were left as they are by tokenizers, and composed by node"
  exit 1
}
