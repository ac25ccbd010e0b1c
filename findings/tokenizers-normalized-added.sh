#!/usr/bin/env bash
# npm tokenizers 0.23.2 (Hugging Face's own build of the Rust library that models are trained with): with the normalizer
# of Llama's tokenizers, which puts U+2581 before a text and in place of each space, an added token whose `normalized` is
# true is normalized too, prefix included. So it is found only behind a space or at the beginning of a text, takes that
# space in, and is cut into ordinary pieces everywhere else. With `normalized` false it is found wherever it stands.
# add_tokens() of a plain text makes tokens of the first kind, special ones are of the second.
#
# A GGUF file cannot tell the two apart, and what reads it finds both wherever they stand. Here: `convert` notes it
# (tests/convert/unlike_gguf_test.cpp).
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
const vocab = {};
for (const piece of ['\u2581', 'a', 'b', '<', 'x', '>']) vocab[piece] = Object.keys(vocab).length;
const model = { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
                fuse_unk: false, byte_fallback: false, vocab, merges: [] };
const normalizer = { type: 'Sequence', normalizers: [
  { type: 'Prepend', prepend: '\u2581' }, { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }] };
async function show(normalized) {
  const added = { id: 6, content: '<x>', single_word: false, lstrip: false, rstrip: false, normalized, special: false };
  const tokenizer = Tokenizer.fromString(JSON.stringify({
    version: '1.0', truncation: null, padding: null, normalizer, pre_tokenizer: null, post_processor: null,
    decoder: null, model, added_tokens: [added] }));
  for (const text of ['a<x>', 'a <x>', '<x>b']) {
    console.log(`${normalized} ${text}: ${(await tokenizer.encode(text, null)).getTokens().join(' ')}`);
  }
}
show(true).then(() => show(false));
SCRIPT
says=$(node show.cjs)
echo "$says"
[[ $says == 'true a<x>: ▁ a < x >
true a <x>: ▁ a ▁<x>
true <x>b: ▁<x> b
false a<x>: ▁ a <x>
false a <x>: ▁ a ▁ <x>
false <x>b: <x> ▁ b' ]] || {
  echo "changed: a normalized added token was found only behind a space"
  exit 1
}
