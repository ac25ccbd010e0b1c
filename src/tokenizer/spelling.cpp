#include "tokenizer/spelling.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "bitnet/error.h"

namespace bitnet {
namespace {

using Verdict = Spelling::Verdict;

constexpr char kFirstCharacter = ' ';
constexpr char kLastCharacter = '~';
constexpr std::size_t kNCharacters = kLastCharacter - kFirstCharacter + 1;
constexpr std::string_view kSentence = "Once upon a time, in 1984, there were (perhaps) two models: A and B.";

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

// Looked at of hundreds of thousands, evenly spread.
constexpr std::size_t kMergeSample = 2048;
constexpr std::size_t kWordSample = 64;

bool comes_back(const Tokenizer& tokenizer, std::string_view text) {
  try {
    return tokenizer.decode(tokenizer.encode(text)) == text;
  } catch (const UsageError&) {
    return false;
  }
}

std::string in_quotes(char c) { return std::string("'") + c + "'"; }

// How many of the printable ASCII characters are the whole of some token.
std::size_t count_characters(const Tokenizer& tokenizer) {
  std::array<bool, kNCharacters> has{};
  for (std::size_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const std::string_view bytes = tokenizer.bytes_of(TokenId{static_cast<std::int32_t>(i)});
    if (bytes.size() == 1 && bytes[0] >= kFirstCharacter && bytes[0] <= kLastCharacter) {
      has[static_cast<std::size_t>(bytes[0] - kFirstCharacter)] = true;
    }
  }
  return static_cast<std::size_t>(std::ranges::count(has, true));
}

// The kind of vocabulary whose sign for a space most tokens begin with, if it is not the one the file names.
std::optional<std::string_view> other_kind(const Vocabulary& v) {
  const auto count = [&](std::string_view sign) {
    return std::ranges::count_if(v.pieces, [&](std::string_view p) { return p.starts_with(sign); });
  };
  const auto n_gpt2 = count("\u0120");
  const auto n_llama = count("\u2581");
  if (v.model == "llama" && n_gpt2 > n_llama) return "gpt2";
  if (v.model == "gpt2" && n_llama > n_gpt2) return "llama";
  return std::nullopt;
}

std::optional<Spelling> check_characters(const Tokenizer& tokenizer) {
  std::string lost;
  for (char c = kFirstCharacter; c <= kLastCharacter; ++c) {
    if (!comes_back(tokenizer, {&c, 1})) lost += c;
  }
  const bool sentence = comes_back(tokenizer, kSentence);
  if (lost.empty() && sentence) return std::nullopt;
  std::string what = "plain text is not the same after it was turned into tokens";
  if (!lost.empty()) {
    what = in_quotes(lost.front()) +
           (lost.size() > 1
                ? " and " + std::to_string(lost.size() - 1) + " more of the printable ASCII characters"
                : "") +
           " cannot be turned into tokens and back";
  }
  return Spelling{Verdict::broken, kTokens, std::move(what), {}};
}

// A token of two letters or more, a space before them or not; any byte of a character beyond ASCII counts as
// a letter. Names in brackets and padding are none.
bool is_word(std::string_view bytes) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  };
  if (bytes.starts_with(' ')) bytes.remove_prefix(1);
  return bytes.size() >= 2 && std::ranges::all_of(bytes, is_letter);
}

std::vector<std::string_view> words_of(const Vocabulary& v, const Tokenizer& tokenizer) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < v.pieces.size(); ++i) {
    const bool is_normal = v.types.empty() || v.types[i] <= static_cast<std::int32_t>(TokenType::normal);
    const std::string_view bytes = tokenizer.bytes_of(TokenId{static_cast<std::int32_t>(i)});
    if (is_normal && is_word(bytes)) words.push_back(bytes);
  }
  return words;
}

// About how many of the merges make a token of two others.
std::size_t count_merges_that_apply(const Vocabulary& v, const Tokenizer& tokenizer) {
  const auto is_token = [&](std::string_view spelling) {
    const auto id = tokenizer.find(spelling);
    return id && !tokenizer.bytes_of(*id).empty();  // of hidden ones nothing is made
  };
  const std::size_t n = v.merges.size();
  const std::size_t n_sample = std::min(n, kMergeSample);
  std::size_t n_apply = 0;
  std::string result;
  for (std::size_t i = 0; i < n_sample; ++i) {
    const std::string_view merge = v.merges[i * n / n_sample];
    const std::size_t space = merge.find(' ');
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    result.assign(left).append(right);
    n_apply += is_token(left) && is_token(right) && is_token(result) ? 1U : 0U;
  }
  return n_sample == 0 ? 0 : n_apply * n / n_sample;
}

// Every token that is a word comes from some merge, or from several.
std::optional<Spelling> check_merges(const Vocabulary& v, const Tokenizer& tokenizer, std::size_t n_words) {
  const std::size_t n_apply = count_merges_that_apply(v, tokenizer);
  if (n_apply >= n_words) return std::nullopt;
  const bool broken = n_apply < n_words - n_words / 2;
  if (!broken && n_apply >= n_words - n_words / 20) return std::nullopt;
  const std::string given = v.merges.empty() ? "there are none"
                                             : "of " + std::to_string(v.merges.size()) + " about " +
                                                   std::to_string(n_apply) + " make a token";
  std::string what = given + ", and the vocabulary has " + std::to_string(n_words) + " words to make";
  if (!broken) return Spelling{Verdict::text, {}, {}, {std::string(kMerges) + ": " + what}};
  return Spelling{Verdict::broken, kMerges, what + ": text would fall to single bytes", {}};
}

// Said twice in one breath a word is no token itself, so that nothing but merging can shorten it.
std::optional<Spelling> check_words(const Vocabulary& v, const Tokenizer& tokenizer,
                                    const std::vector<std::string_view>& words) {
  std::size_t n_bytes = 0;
  std::size_t n_tokens = 0;
  const std::size_t n_sample = std::min(words.size(), kWordSample);
  for (std::size_t i = 0; i < n_sample; ++i) {
    const std::string_view word = words[i * words.size() / n_sample];
    std::string text(word);
    text.append(word.substr(word.starts_with(' ') ? 1 : 0));
    std::vector<TokenId> ids;
    try {
      ids = tokenizer.encode(text);
    } catch (const UsageError&) {  // part of a character, and no token for such bytes
      continue;
    }
    n_bytes += text.size();
    n_tokens += ids.size();
  }
  if (n_bytes == 0 || n_tokens < n_bytes) return std::nullopt;
  return Spelling{Verdict::broken,
                  v.model == "gpt2" ? kMerges : kTokens,
                  "the vocabulary's own words fall to single bytes: " + std::to_string(n_tokens) +
                      " tokens for " + std::to_string(n_bytes) + " bytes",
                  {}};
}

Spelling check_text(const Vocabulary& v, const Tokenizer& tokenizer) {
  if (auto fault = check_characters(tokenizer)) return *std::move(fault);
  const std::vector<std::string_view> words = words_of(v, tokenizer);
  Spelling result;
  if (v.model == "gpt2") {
    if (auto found = check_merges(v, tokenizer, words.size())) result = *std::move(found);
    if (result.verdict == Verdict::broken) return result;
  }
  if (auto fault = check_words(v, tokenizer, words)) return *std::move(fault);
  return result;
}

}  // namespace

Spelling check_spelling(const Vocabulary& vocabulary, const Tokenizer& tokenizer) {
  const std::size_t n_characters = count_characters(tokenizer);
  if (n_characters < kNCharacters / 2) {
    return {Verdict::ids_only,
            kTokens,
            "they spell no text: of " + std::to_string(kNCharacters) + " printable ASCII characters " +
                std::to_string(n_characters) + " have a token",
            {}};
  }
  Spelling result = check_text(vocabulary, tokenizer);
  const auto kind = other_kind(vocabulary);
  if (result.verdict == Verdict::broken && kind) {  // then that is what the fault comes of
    result.key = "tokenizer.ggml.model";
    result.what = "'" + vocabulary.model + "' does not fit the tokens, whose sign for a space is that of '";
    result.what.append(*kind).append("' vocabularies");
  }
  return result;
}

}  // namespace bitnet
