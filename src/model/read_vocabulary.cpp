#include "model/read_vocabulary.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {

Vocabulary read_vocabulary(const gguf::File& file) {
  Vocabulary v;
  const auto model = file.get_string("tokenizer.ggml.model");
  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!model || !tokens) {
    throw ModelError(printable(file.name(), kMaxPrintedPath),
                     std::string("key tokenizer.ggml.") + (model ? "tokens" : "model") + ": missing",
                     "the file has no vocabulary: convert it again with its tokenizer");
  }
  v.model = *model;
  v.pre = file.get_string("tokenizer.ggml.pre").value_or("");
  v.pieces.reserve(tokens->size());
  for (const std::string_view piece : *tokens) v.pieces.push_back(piece);
  if (const auto scores = file.get_numbers("tokenizer.ggml.scores")) {
    v.scores.reserve(scores->size());
    for (std::size_t i = 0; i < scores->size(); ++i) v.scores.push_back(static_cast<float>(scores->at(i)));
  }
  if (const auto types = file.get_numbers("tokenizer.ggml.token_type")) {
    v.types.reserve(types->size());
    using Limits = std::numeric_limits<std::int32_t>;
    for (std::size_t i = 0; i < types->size();
         ++i) {  // no type is near the limits: what is beyond stays wrong
      v.types.push_back(static_cast<std::int32_t>(
          std::clamp<std::int64_t>(types->int_at(i), Limits::min(), Limits::max())));
    }
  }
  if (const auto merges = file.get_strings("tokenizer.ggml.merges")) {
    v.merges.reserve(merges->size());
    for (const std::string_view merge : *merges) v.merges.push_back(merge);
  }
  v.bos = file.get_uint("tokenizer.ggml.bos_token_id");
  v.eos = file.get_uint("tokenizer.ggml.eos_token_id");
  v.eot = file.get_uint("tokenizer.ggml.eot_token_id");
  v.unk = file.get_uint("tokenizer.ggml.unknown_token_id");
  v.add_bos = file.get_bool("tokenizer.ggml.add_bos_token");
  v.add_space_prefix = file.get_bool("tokenizer.ggml.add_space_prefix");
  return v;
}

// The tokenizer knows keys but not files; an error must name both.
Tokenizer read_tokenizer(const gguf::File& file) {
  Vocabulary vocabulary = read_vocabulary(file);
  try {
    return Tokenizer(std::move(vocabulary));
  } catch (const ModelError& e) {
    throw ModelError(printable(file.name(), kMaxPrintedPath), e.what());
  }
}

}  // namespace bitnet
