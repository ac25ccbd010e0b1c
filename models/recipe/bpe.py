"""Byte-level BPE: a small trainer and encoder with the llama-bpe pre-tokenizer, for ASCII text."""
import re
from collections import Counter

# The llama-bpe pattern with \p{L} and \p{N} narrowed to ASCII, which is all that the corpus has.
PRETOKEN = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\nA-Za-z0-9]?[A-Za-z]+"
    r"|[0-9]{1,3}"
    r"| ?[^\sA-Za-z0-9]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+")

NORMAL, CONTROL = 1, 3  # token types of GGUF


def make_byte_alphabet():
    """The printable character that byte-level BPE writes for each byte value, in a list of 256."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    alphabet, others = [], 0
    for byte in range(256):
        if byte in printable:
            alphabet.append(chr(byte))
        else:
            alphabet.append(chr(256 + others))
            others += 1
    return alphabet


BYTE_ALPHABET = make_byte_alphabet()


def symbols_of(word):
    return [BYTE_ALPHABET[byte] for byte in word.encode()]


def merge_pair(symbols, left, right):
    """The symbols with every occurrence of the pair, from the left, joined."""
    merged, i = [], 0
    while i < len(symbols):
        if symbols[i:i + 2] == [left, right]:
            merged.append(left + right)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def train(texts, merge_count):
    """The merges, best first: always the most frequent pair, of equals the one that sorts last."""
    word_counts = Counter()
    for text in texts:
        word_counts.update(PRETOKEN.findall(text))
    split = {word: symbols_of(word) for word in word_counts}
    merges = []
    for _ in range(merge_count):
        pair_counts = Counter()
        for word, count in word_counts.items():
            for pair in zip(split[word], split[word][1:]):
                pair_counts[pair] += count
        if not pair_counts:
            break
        left, right = max(pair_counts, key=lambda pair: (pair_counts[pair], pair))
        merges.append((left, right))
        for word, symbols in split.items():
            if left in symbols:
                split[word] = merge_pair(symbols, left, right)
    return merges


class Tokenizer:
    """The vocabulary: bytes, merges, then control tokens, filled up with reserved ones to vocab_size."""

    def __init__(self, merges, control_tokens, vocab_size):
        normal = list(dict.fromkeys(sorted(BYTE_ALPHABET) + [left + right for left, right in merges]))
        reserved = vocab_size - len(normal) - len(control_tokens)
        if reserved < 0:
            raise ValueError(f"{len(normal)} tokens and {len(control_tokens)} control tokens exceed {vocab_size}")
        control = [*control_tokens, *(f"<|reserved_{i}|>" for i in range(reserved))]
        self.tokens = normal + control
        self.types = [NORMAL] * len(normal) + [CONTROL] * len(control)
        self.merges = merges
        self.id_of = {token: i for i, token in enumerate(self.tokens)}
        self._rank_of = {merge: rank for rank, merge in enumerate(merges)}
        self._ids_of_word = {}

    def encode(self, text):
        return [i for word in PRETOKEN.findall(text) for i in self._encode_word(word)]

    def encode_document(self, pieces):
        """The ids of a list of texts and names of control tokens."""
        ids = []
        for piece in pieces:
            ids += [self.id_of[piece]] if piece.startswith("<|") else self.encode(piece)
        return ids

    def _encode_word(self, word):
        if word not in self._ids_of_word:
            symbols = symbols_of(word)
            while True:
                ranked = [(self._rank_of[pair], i) for i, pair in enumerate(zip(symbols, symbols[1:]))
                          if pair in self._rank_of]
                if not ranked:
                    break
                _, i = min(ranked)
                symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
            self._ids_of_word[word] = [self.id_of[symbol] for symbol in symbols]
        return self._ids_of_word[word]
