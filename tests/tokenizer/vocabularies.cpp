#include "tokenizer/vocabularies.h"

#include <cstdio>
#include <utility>

#include "gguf/gguf.h"

namespace bitnet::test {

VocabularyBuilder::VocabularyBuilder(std::string model, std::string pre) {
  vocabulary_.model = std::move(model);
  vocabulary_.pre = std::move(pre);
}

std::int32_t VocabularyBuilder::add(std::string_view piece, TokenType type, float score) {
  vocabulary_.pieces.push_back(keep(piece));
  vocabulary_.types.push_back(static_cast<std::int32_t>(type));
  vocabulary_.scores.push_back(score);
  return static_cast<std::int32_t>(vocabulary_.pieces.size()) - 1;
}

void VocabularyBuilder::add_bytes() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (vocabulary_.model == "gpt2") {
      add(alias_of(static_cast<unsigned char>(byte)));
    } else {
      char spelling[8];
      std::snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
      add(spelling, TokenType::byte);
    }
  }
}

void VocabularyBuilder::add_merge(std::string_view line) { vocabulary_.merges.push_back(keep(line)); }

std::int32_t VocabularyBuilder::add_merged(const std::string& left, const std::string& right) {
  std::string line = left;
  add_merge(line.append(" ").append(right));
  return add(left + right);
}

Vocabulary canary_vocabulary() {
  static const gguf::File file = gguf::File::open(BITNET_MODELS "/canary.gguf");
  Vocabulary v;
  v.model = file.get_string("tokenizer.ggml.model").value();
  v.pre = file.get_string("tokenizer.ggml.pre").value();
  const gguf::StringArray pieces = file.get_strings("tokenizer.ggml.tokens").value();
  const gguf::StringArray merges = file.get_strings("tokenizer.ggml.merges").value();
  const gguf::NumberArray types = file.get_numbers("tokenizer.ggml.token_type").value();
  v.pieces.assign(pieces.begin(), pieces.end());
  v.merges.assign(merges.begin(), merges.end());
  for (std::size_t i = 0; i < types.size(); ++i)
    v.types.push_back(static_cast<std::int32_t>(types.int_at(i)));
  v.bos = file.get_uint("tokenizer.ggml.bos_token_id");
  v.eos = file.get_uint("tokenizer.ggml.eos_token_id");
  v.add_bos = file.get_bool("tokenizer.ggml.add_bos_token");
  return v;
}

const Tokenizer& canary_tokenizer() {
  static const Tokenizer tokenizer(canary_vocabulary());
  return tokenizer;
}

std::string alias_of(unsigned char byte) {
  unsigned code_point = byte;
  if (byte <= 32) {
    code_point = 256U + byte;
  } else if (byte >= 127 && byte <= 160) {
    code_point = 256U + 33U + (byte - 127U);
  } else if (byte == 173) {
    code_point = 323;
  }
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0U + code_point / 64U), static_cast<char>(0x80U + code_point % 64U)};
}

std::vector<std::int32_t> ints(const std::vector<TokenId>& ids) {
  std::vector<std::int32_t> out;
  out.reserve(ids.size());
  for (const TokenId id : ids) out.push_back(to_int(id));
  return out;
}

std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  return ints(tokenizer.encode(text, options));
}

std::string decode(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  std::string bytes;
  for (const std::int32_t id : ids) bytes += tokenizer.bytes_of(TokenId{id});
  return bytes;
}

std::string random_text(std::mt19937& random, std::string_view alphabet, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

}  // namespace bitnet::test
