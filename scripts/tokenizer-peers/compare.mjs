// compare.mjs BITNET FOLDER WORK: what scripts/test-tokenizers does once the packages are in FOLDER.
import { spawnSync } from 'node:child_process';

import { loadUnicode, makeInvalid, makeSpecialStrings, makeStrings } from './strings.mjs';
import { load, peer, withoutSpecial, writeGguf } from './vocabularies.mjs';

const [bitnet, folder, work] = process.argv.slice(2);
const kShown = 3;  // disagreements of a kind
const kMaxOutput = 1 << 30;

function run(args, input) {
  const child = spawnSync(bitnet, args, { input, maxBuffer: kMaxOutput });
  if (child.status === 0) return child.stdout;
  console.error(`${bitnet} ${args.join(' ')}: ${child.error ?? child.stderr}`);
  process.exit(1);
}

// A line of ids for each of the texts, strings or bytes.
function ours(model, texts, more = []) {
  const input = Buffer.concat(texts.flatMap((text) => [Buffer.from(text), Buffer.from([0])]));
  return run(['tokenize', '-q', '-0', '--no-bos', '-m', model, '-f', '-', ...more], input).toString().split('\n').slice(0, -1);
}

async function theirs(tokenizer, texts) {
  const lines = [];
  for (const text of texts) {
    lines.push((await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds().join(' '));
  }
  return lines;
}

const shown = (text) => (text.length > 200 ? `${JSON.stringify(text.slice(0, 200))}...` : JSON.stringify(text));

let nAll = 0;
function report(kind, texts, our, their) {
  const wrong = texts.map((_, i) => i).filter((i) => our[i] !== their[i]);
  nAll += wrong.length;
  console.log(`  ${kind.padEnd(46)}${String(texts.length).padStart(7)} strings${String(wrong.length).padStart(6)} disagreements`);
  for (const i of wrong.slice(0, kShown)) {
    console.log(`    ${shown(texts[i])}\n      bitnet ${shown(our[i])}\n      peer   ${shown(their[i])}`);
  }
}

// The ids of all texts, a control token between two, back to bytes. The peer takes text alone, so that bytes that are
// no UTF-8 are only looked at for this.
function reportRoundTrip(model, texts, control) {
  const lines = ours(model, texts);
  const ids = lines.filter((line) => line !== '').join(` ${control} `);
  const back = run(['detokenize', '-q', '-m', model, '-f', '-'], Buffer.from(ids));
  const same = back.equals(Buffer.concat(texts));
  nAll += same ? 0 : 1;
  console.log(`  ${'bytes that are no UTF-8, there and back'.padEnd(46)}${String(texts.length).padStart(7)} strings` +
    `  ${same ? 'all the same' : 'NOT the same'}`);
}

const strings = makeStrings(await loadUnicode(folder));
const invalid = makeInvalid(strings);
for (const vocabulary of await load(folder)) {
  const { name, json, pre } = vocabulary;
  const model = `${work}/vocabulary.gguf`;
  const control = writeGguf(model, vocabulary);
  const whole = peer(folder, json);
  console.log(`${name} (${Object.keys(json.model.vocab).length + json.added_tokens.length} tokens, ${pre ?? 'SentencePiece'})`);
  report('text', strings, ours(model, strings), await theirs(whole, strings));
  const special = makeSpecialStrings(json.added_tokens.map((token) => token.content));
  report('control tokens in it, with --special', special, ours(model, special, ['--special']), await theirs(whole, special));
  report('control tokens in it, without', special, ours(model, special),
    await theirs(peer(folder, withoutSpecial(json)), special));
  const nul = ['\0', 'a\0b', ' \0\0 ', '\0\n'];
  report('NUL', nul, nul.map((text) => run(['tokenize', '-q', '--no-bos', '-m', model, '-f', '-'], text).toString().trim()),
    await theirs(whole, nul));
  // SentencePiece writes a space as U+2581, which therefore comes back as one.
  reportRoundTrip(model, pre ? invalid : invalid.filter((bytes) => !bytes.includes('\u2581')), control);
}
console.log(nAll === 0 ? 'no disagreement' : `${nAll} disagreements`);
process.exit(nAll === 0 ? 0 : 1);
