// The tokenizer's part of a model file's metadata.
#pragma once

#include <string>
#include <vector>

#include "bitnet/tokenizer.h"
#include "gguf/gguf.h"
#include "tokenizer/spelling.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {

// The result's views point into the file. Throws ModelError for missing keys or keys of the wrong type; what
// the values mean is the tokenizer's to check.
Vocabulary read_vocabulary(const gguf::File& file);

struct FileTokenizer {
  Tokenizer tokenizer;  // points into the file
  Spelling spelling;    // text or ids_only
  std::vector<std::string>
      warnings;  // "KEY: WHAT": the file is not quite right, and may be used all the same
};

// The tokenizer made of it. Throws ModelError, naming the file, for a vocabulary that is inconsistent or
// gives a model noise for text.
FileTokenizer read_tokenizer(const gguf::File& file);

// Throws ModelError, naming the file, if its vocabulary is good for token ids only.
void require_text(const std::string& file_name, const Spelling& spelling);

}  // namespace bitnet
