#include "tokenizer/pretokenizer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <utility>

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "tokenizer/class_pattern.h"
#include "tokenizer/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace bitnet {
namespace {

struct Family {
  std::string_view pattern;
  bool prefers_whole_tokens = false;
  bool adds_bos = false;
  bool normalizes = false;
};

// The expressions of the models' own tokenizer.json files, with U+017F written out, which (?i:s) matches.
// Qwen's differs from Llama's in the digits alone, and Qwen 3.5's from that in counting marks among the
// letters.
constexpr Family kLlama3{
    .pattern =
        R"((?i:'s|'ſ|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    .prefers_whole_tokens = true,
    .adds_bos = true};
constexpr Family kQwen2{
    .pattern =
        R"((?i:'s|'ſ|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    .normalizes = true};
constexpr Family kQwen35{
    .pattern =
        R"((?i:'s|'ſ|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    .normalizes = true};
constexpr Family kGpt2{.pattern =
                           R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"};

// GPT-NeoX's, which OLMo, MPT and TriLM have: llama.cpp splits so and leaves the normalization out.
constexpr Family kNeox{.pattern = kGpt2.pattern, .normalizes = true};

struct NamedPattern {
  std::string_view name;
  const Family* family;
};

// Which names share a pattern is llama.cpp's choice, whose converter writes them; falcon_e is bitnet.cpp's.
constexpr std::array<NamedPattern, 15> kNames = {{
    {"", &kLlama3},
    {"llama-bpe", &kLlama3},
    {"llama3", &kLlama3},
    {"llama-v3", &kLlama3},
    {"falcon3", &kLlama3},
    {"falcon-h1", &kLlama3},
    {"falcon_e", &kLlama3},
    {"falcon-e", &kLlama3},
    {"gpt-2", &kGpt2},
    {"gpt2", &kGpt2},
    {"olmo", &kNeox},
    {"mpt", &kNeox},
    {"qwen2", &kQwen2},
    {"deepseek-r1-qwen", &kQwen2},
    {"qwen35", &kQwen35},
}};

const Family& family_of(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, &NamedPattern::name);
  if (found != kNames.end()) return *found->family;
  throw ModelError("tokenizer.ggml.pre", "unknown pre-tokenizer '" + printable(name, kMaxPrintedName) + "'",
                   "supported: " + joined(kNames, &NamedPattern::name));
}

// Without what the published expressions leave to (?i:s).
std::string published(std::string_view pattern) {
  constexpr std::string_view kWrittenOut = "|'ſ";
  std::string result(pattern);
  if (const std::size_t at = result.find(kWrittenOut); at != std::string::npos) {
    result.erase(at, kWrittenOut.size());
  }
  return result;
}

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

// How long the first characters of a well-formed text are.
std::size_t bytes_of_characters(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0; --characters) {
    const auto lead = static_cast<unsigned char>(text[at]);
    at += lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  }
  return at;
}

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

struct Pretokenizer::Pattern {
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> context;

  // Hands on the length of every match, and of what lies between two.
  void split(std::string_view classes, pcre2_match_data* data, FunctionRef<void(std::size_t)> emit) const;
};

Pretokenizer::Pretokenizer(std::string_view name) : pattern_(std::make_unique<Pattern>()) {
  const Family& family = family_of(name);
  prefers_whole_tokens_ = family.prefers_whole_tokens;
  adds_bos_ = family.adds_bos;
  normalizes_to_nfc_ = family.normalizes;

  const std::string pattern = class_pattern(family.pattern);
  int error = 0;
  PCRE2_SIZE error_at = 0;
  pattern_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &error,
                                     &error_at, nullptr));
  if (pattern_->code == nullptr) {
    throw RuntimeError("pre-tokenizer pattern: " + pcre2_message(error) + " at " + std::to_string(error_at));
  }
  // Only faster: where there is no JIT the interpreter does the same.
  pcre2_jit_compile(pattern_->code.get(), PCRE2_JIT_COMPLETE);

  pattern_->context.reset(pcre2_match_context_create(nullptr));
  if (pattern_->context == nullptr) throw RuntimeError("pre-tokenizer pattern: out of memory");
  // The default limit is a guard against patterns that explode. These backtrack over a run of white space at
  // most once for each alternative, and a run of ten million spaces is a text like any other.
  pcre2_set_match_limit(pattern_->context.get(), UINT32_MAX);
}

Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

void Pretokenizer::split(std::string_view text, FunctionRef<void(std::string_view)> emit) const {
  const std::unique_ptr<pcre2_match_data, Free> match_data(
      pcre2_match_data_create_from_pattern(pattern_->code.get(), nullptr));
  if (match_data == nullptr) throw RuntimeError("pre-tokenizer pattern: out of memory");
  std::string classes;
  while (!text.empty()) {
    classes.clear();
    std::size_t left = append_class_bytes(text, classes);  // of the text that the classes are of
    const bool is_ascii = left == classes.size();
    pattern_->split(classes, match_data.get(), [&](std::size_t characters) {
      const std::size_t bytes = is_ascii ? characters : bytes_of_characters(text, characters);
      emit(text.substr(0, bytes));
      text.remove_prefix(bytes);
      left -= bytes;
    });
    assert(left == 0);
    if (text.empty()) break;
    const std::size_t bad_bytes = decode_utf8(text).length;
    for (std::size_t i = 0; i < bad_bytes; ++i) emit(text.substr(i, 1));
    text.remove_prefix(bad_bytes);
  }
}

void Pretokenizer::Pattern::split(std::string_view classes, pcre2_match_data* data,
                                  FunctionRef<void(std::size_t)> emit) const {
  const auto match = [&](std::size_t from, std::uint32_t options) {
    return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(classes.data()), classes.size(), from,
                       options, data, context.get());
  };
  for (std::size_t at = 0; at < classes.size();) {
    int result = match(at, 0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(at, PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) {
      emit(classes.size() - at);
      return;
    }
    if (result < 0) throw RuntimeError("pre-tokenizer pattern: " + pcre2_message(result));
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data);
    const std::size_t begin = bounds[0];
    const std::size_t end = bounds[1];
    if (begin < at || end <= begin || end > classes.size())
      throw RuntimeError("pre-tokenizer pattern: empty match");
    if (begin > at) emit(begin - at);
    emit(end - begin);
    at = end;
  }
}

std::optional<std::string_view> pretokenizer_of(std::string_view expression, bool normalizes_to_nfc) {
  std::optional<std::string_view> found;
  for (const NamedPattern& named : kNames) {
    if (named.name.empty() || published(named.family->pattern) != expression) continue;
    if (named.family->normalizes == normalizes_to_nfc) return named.name;
    if (!found) found = named.name;
  }
  return found;
}

}  // namespace bitnet
