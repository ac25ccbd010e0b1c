#include "model/read_vocabulary.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "model/inspect/known_defects.h"

namespace bitnet {
namespace {

constexpr std::string_view kConvertAgain = "convert the model again with its tokenizer";
constexpr std::size_t kMaxIdWarnings = 8;  // a file can have any number of keys

// Some converters write -1 for a token that there is none of. Whether that matters is the tokenizer's to say.
std::optional<std::uint64_t> read_id(const gguf::File& file, std::string_view key) {
  const auto value = file.find(key);
  const auto id = value ? value->as_int() : std::nullopt;
  return id && *id < 0 ? static_cast<std::uint64_t>(*id) : file.get_uint(key);
}

// Ids that are none, of tokens that nobody asks for: the tokenizer was made without them.
void add_idle_ids(const gguf::File& file, std::size_t vocab, std::vector<std::string>& warnings) {
  std::size_t n_found = 0;
  for (std::size_t i = 0; i < file.n_keys() && n_found < kMaxIdWarnings; ++i) {
    const std::string_view key = file.key(i);
    if (!key.starts_with("tokenizer.ggml.") || !key.ends_with("_token_id")) continue;
    const gguf::Value value = file.value(i);
    const auto id = value.as_uint();
    if (id && *id < vocab) continue;
    warnings.push_back(printable(key, kMaxPrintedName) + ": " + value.to_display(kMaxPrintedName) +
                       " is no token of the vocabulary, which has " + std::to_string(vocab) +
                       "; nothing here uses it");
    ++n_found;
  }
}

}  // namespace

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
  v.pre_was_read = !v.pre.empty() && file.get_string(kReadPreKey) == v.pre;
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
  v.bos = read_id(file, "tokenizer.ggml.bos_token_id");
  v.eos = read_id(file, "tokenizer.ggml.eos_token_id");
  v.eot = read_id(file, "tokenizer.ggml.eot_token_id");
  v.eom = read_id(file, "tokenizer.ggml.eom_token_id");
  v.unk = read_id(file, "tokenizer.ggml.unknown_token_id");
  v.add_bos = file.get_bool("tokenizer.ggml.add_bos_token");
  v.add_space_prefix = file.get_bool("tokenizer.ggml.add_space_prefix");
  return v;
}

// The tokenizer knows keys but not files; an error must name both.
FileTokenizer read_tokenizer(const gguf::File& file) {
  const std::string name = printable(file.name(), kMaxPrintedPath);
  Vocabulary vocabulary = read_vocabulary(file);
  const auto instead = pretokenizer_instead(vocabulary);
  const std::string mistaken = vocabulary.pre;
  if (instead) vocabulary.pre = *instead;
  try {
    FileTokenizer result{Tokenizer(vocabulary), {}, {}};
    result.spelling = check_spelling(vocabulary, result.tokenizer);
    if (result.spelling.verdict == Spelling::Verdict::broken) {
      throw ModelError(result.spelling.key, result.spelling.what, kConvertAgain);
    }
    result.warnings = result.spelling.warnings;
    if (instead) {
      result.warnings.push_back("tokenizer.ggml.pre: '" + mistaken +
                                "' is not that of this vocabulary, which is " +
                                "Llama 3's: " + std::string(*instead) + " is used");
    }
    add_idle_ids(file, result.tokenizer.vocab_size(), result.warnings);
    return result;
  } catch (const ModelError& e) {
    throw ModelError(name, e.what());
  }
}

void require_text(const std::string& file_name, const Spelling& spelling) {
  if (spelling.verdict == Spelling::Verdict::text) return;
  throw ModelError(printable(file_name, kMaxPrintedPath), std::string(spelling.key) + ": " + spelling.what,
                   "use another model for text; run and trace take token ids with --ids");
}

}  // namespace bitnet
