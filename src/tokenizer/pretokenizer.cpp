#include "tokenizer/pretokenizer.h"

#include <array>
#include <cassert>
#include <string>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "tokenizer/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace bitnet {
namespace {

struct Family {
  std::string_view pattern;
  bool prefers_whole_tokens;
  bool adds_bos;
};

// The expressions of the models' own tokenizer.json files; Qwen's differs from Llama's in the digits alone.
constexpr Family kLlama3{
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    true, true};
constexpr Family kQwen2{
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    false, false};
constexpr Family kGpt2{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", false,
                       false};

struct Named {
  std::string_view name;
  const Family* family;
};

// Which names share a pattern is llama.cpp's choice, whose converter writes them; falcon_e is bitnet.cpp's.
constexpr std::array<Named, 10> kNames = {{
    {"", &kLlama3},
    {"llama-bpe", &kLlama3},
    {"llama3", &kLlama3},
    {"llama-v3", &kLlama3},
    {"falcon3", &kLlama3},
    {"falcon_e", &kLlama3},
    {"falcon-e", &kLlama3},
    {"gpt-2", &kGpt2},
    {"gpt2", &kGpt2},
    {"qwen2", &kQwen2},
}};

const Family& family_of(std::string_view name) {
  std::string known;
  for (const Named& candidate : kNames) {
    if (candidate.name == name) return *candidate.family;
    if (!known.empty()) known += ", ";
    known += candidate.name;
  }
  throw ModelError("tokenizer.ggml.pre", "unknown pre-tokenizer '" + printable(name, kMaxPrintedName) + "'",
                   "supported: " + known);
}

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
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

  void split_well_formed(std::string_view text, pcre2_match_data* data,
                         FunctionRef<void(std::string_view)> emit) const;
};

Pretokenizer::Pretokenizer(std::string_view name) : pattern_(std::make_unique<Pattern>()) {
  const Family& family = family_of(name);
  prefers_whole_tokens_ = family.prefers_whole_tokens;
  adds_bos_ = family.adds_bos;

  int error = 0;
  PCRE2_SIZE error_at = 0;
  pattern_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(family.pattern.data()),
                                     family.pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &error_at,
                                     nullptr));
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
  while (!text.empty()) {
    const std::size_t well_formed = well_formed_prefix(text);
    pattern_->split_well_formed(text.substr(0, well_formed), match_data.get(), emit);
    text.remove_prefix(well_formed);
    if (text.empty()) break;
    const std::size_t bad_bytes = decode_utf8(text).length;
    for (std::size_t i = 0; i < bad_bytes; ++i) emit(text.substr(i, 1));
    text.remove_prefix(bad_bytes);
  }
}

void Pretokenizer::Pattern::split_well_formed(std::string_view text, pcre2_match_data* data,
                                              FunctionRef<void(std::string_view)> emit) const {
  const auto match = [&](std::size_t from, std::uint32_t options) {
    // The text is known to be well-formed. Checking again would read all the rest of it for every match.
    return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       options | PCRE2_NO_UTF_CHECK, data, context.get());
  };
  for (std::size_t at = 0; at < text.size();) {
    int result = match(at, 0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(at, PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) {
      emit(text.substr(at));
      return;
    }
    if (result < 0) throw RuntimeError("pre-tokenizer pattern: " + pcre2_message(result));
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data);
    const std::size_t begin = bounds[0];
    const std::size_t end = bounds[1];
    if (begin < at || end <= begin || end > text.size())
      throw RuntimeError("pre-tokenizer pattern: empty match");
    if (begin > at) emit(text.substr(at, begin - at));
    emit(text.substr(begin, end - begin));
    at = end;
  }
}

}  // namespace bitnet
