// Whether a vocabulary can do what it is there for: turn plain text into tokens and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bitnet/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {

// What is asked for:
// - every printable ASCII character and a sentence come back as they were;
// - byte-level BPE: the merges make tokens of the vocabulary, and enough of them for its words;
// - the vocabulary's own words become fewer tokens than they have bytes.
// A vocabulary that fails gives a model noise to read, and nothing else would tell.
//
// One in which fewer than half of those characters have a token was not made for text at all: it belongs to
// weights made up for tests and measurements ("t0", "t1", ...), which are used by token ids. It is no fault,
// but no text may be asked of it.
struct Spelling {
  enum class Verdict { text, ids_only, broken };
  Verdict verdict = Verdict::text;
  std::string_view key;               // ids_only, broken: the file's key that is to blame
  std::string what;                   // and what is wrong with it
  std::vector<std::string> warnings;  // "KEY: WHAT", text: what may make it suffer
};

// The tokenizer must be made of the vocabulary.
Spelling check_spelling(const Vocabulary& vocabulary, const Tokenizer& tokenizer);

}  // namespace bitnet
