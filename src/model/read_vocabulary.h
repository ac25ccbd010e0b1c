// The tokenizer's part of a model file's metadata.
#pragma once

#include "bitnet/tokenizer.h"
#include "gguf/gguf.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {

// The result's views point into the file. Throws ModelError for missing keys or keys of the wrong type; what
// the values mean is the tokenizer's to check.
Vocabulary read_vocabulary(const gguf::File& file);

// The tokenizer made of it; it points into the file too. Throws ModelError, naming the file.
Tokenizer read_tokenizer(const gguf::File& file);

}  // namespace bitnet
