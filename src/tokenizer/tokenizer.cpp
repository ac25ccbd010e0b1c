#include "bitnet/tokenizer.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/byte_token.h"
#include "tokenizer/nfc.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/token_spans.h"
#include "tokenizer/token_table.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {
namespace {

// Keeps offsets into a text, escaped to three times its size, within 32 bits.
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

enum class Model { gpt2, llama };

Model model_of(const std::string& name) {
  if (name == "gpt2") return Model::gpt2;
  if (name == "llama") return Model::llama;
  throw ModelError("tokenizer.ggml.model", "unknown tokenizer '" + printable(name, kMaxPrintedName) + "'",
                   "supported: gpt2, llama");
}

// `spelling`: what to look for if the file names no id; empty: nothing. `used`: the token has a part in what
// the tokenizer does; one that has none may be out of range, and is then left out.
std::optional<TokenId> special_id(const TokenTable& table, std::string_view key,
                                  std::optional<std::uint64_t> id, std::string_view spelling, bool used) {
  if (id && *id >= table.size()) {
    if (!used) return std::nullopt;
    const auto as_signed = static_cast<std::int64_t>(*id);
    throw ModelError(
        key,
        (as_signed < 0 ? std::to_string(as_signed) : std::to_string(*id)) + " is no token of the vocabulary",
        "it has " + std::to_string(table.size()));
  }
  if (id) return TokenId{static_cast<std::int32_t>(*id)};
  const std::int32_t found = table.find(spelling);
  if (found == TokenTable::kNone || !table.is_hidden(found)) return std::nullopt;
  return TokenId{found};
}

// Whatever has no token of its own becomes byte tokens, and the unknown token stands for nothing.
bool has_every_byte(const TokenTable& table, bool byte_spellings) {
  std::array<bool, 256> has{};
  for (std::int32_t id = 0; static_cast<std::size_t>(id) < table.size(); ++id) {
    if (table.type(id) != TokenType::byte && !byte_spellings) continue;
    if (const auto byte = parse_byte_token(table.piece(id))) has[*byte] = true;
  }
  return std::ranges::find(has, false) == has.end();
}

std::unique_ptr<TextEncoder> make_encoder(const Vocabulary& vocabulary, const TokenTable& table, Model model,
                                          std::optional<TokenId> unknown) {
  if (model == Model::gpt2) return std::make_unique<ByteLevelBpe>(table, vocabulary.merges, vocabulary.pre);
  SentencePiece::Options options;
  options.add_space_prefix = vocabulary.add_space_prefix.value_or(true);
  options.byte_spellings = vocabulary.types.empty();
  if (unknown) options.unknown = to_int(*unknown);
  return std::make_unique<SentencePiece>(table, vocabulary.scores, options);
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(Vocabulary vocabulary);

  bool contains(TokenId id) const { return to_int(id) >= 0 && to_index(id) < table.size(); }
  // Taken out of a text before the rest is encoded.
  bool is_special(TokenId id) const {
    return contains(id) && (table.is_hidden(to_int(id)) || table.type(to_int(id)) == TokenType::user_defined);
  }
  void encode_part(std::string_view part, bool starts, std::vector<TokenId>& out) const;
  template <typename OnBos, typename OnText, typename OnSpecial>
  void for_each_part(std::string_view text, EncodeOptions options, OnBos on_bos, OnText on_text,
                     OnSpecial on_special) const;

  TokenTable table;
  SpecialTokens user_defined;
  SpecialTokens all_special;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::unique_ptr<TextEncoder> encoder;
  bool adds_bos = false;
  std::vector<TokenId> end_tokens;

  // The bytes of all tokens, one after another; those of token i are [byte_ends[i - 1], byte_ends[i]).
  std::string bytes;
  std::vector<std::size_t> byte_ends;
};

Tokenizer::Impl::Impl(Vocabulary vocabulary)
    : table(std::move(vocabulary.pieces), vocabulary.types),
      user_defined(table, /*with_control=*/false),
      all_special(table, /*with_control=*/true) {
  if (!vocabulary.scores.empty() && vocabulary.scores.size() != table.size()) {
    throw ModelError("tokenizer.ggml.scores", std::to_string(vocabulary.scores.size()) + " scores for " +
                                                  std::to_string(table.size()) + " tokens");
  }
  const Model model = model_of(vocabulary.model);
  const bool llama = model == Model::llama;
  const bool uses_unknown = llama && !has_every_byte(table, vocabulary.types.empty());
  const auto unknown = special_id(table, "tokenizer.ggml.unknown_token_id", vocabulary.unk,
                                  llama ? "<unk>" : "", uses_unknown);
  encoder = make_encoder(vocabulary, table, model, unknown);

  const bool wants_bos = vocabulary.add_bos.value_or(encoder->adds_bos());
  bos = special_id(table, "tokenizer.ggml.bos_token_id", vocabulary.bos, llama ? "<s>" : "", wants_bos);
  adds_bos = bos && wants_bos;
  eos = special_id(table, "tokenizer.ggml.eos_token_id", vocabulary.eos, llama ? "</s>" : "", true);
  const auto eot = special_id(table, "tokenizer.ggml.eot_token_id", vocabulary.eot, "", true);
  const auto eom = special_id(table, "tokenizer.ggml.eom_token_id", vocabulary.eom, "", true);
  for (const auto end : {eos, eot, eom}) {
    if (end) end_tokens.push_back(*end);
  }
  byte_ends.reserve(table.size());
  for (std::int32_t id = 0; static_cast<std::size_t>(id) < table.size(); ++id) {
    const TokenType type = table.type(id);
    if (type == TokenType::user_defined) {
      bytes.append(table.piece(id));
    } else if (!table.is_hidden(id)) {
      encoder->append_bytes(id, bytes);
    }
    byte_ends.push_back(bytes.size());
    if (type == TokenType::control && is_end_spelling(table.piece(id))) end_tokens.push_back(TokenId{id});
  }
  std::ranges::sort(end_tokens);
  end_tokens.erase(std::unique(end_tokens.begin(), end_tokens.end()), end_tokens.end());
}

Tokenizer::Tokenizer(Vocabulary vocabulary) : impl_(std::make_unique<Impl>(std::move(vocabulary))) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

// A text between special tokens. `starts`: it follows no other text.
void Tokenizer::Impl::encode_part(std::string_view part, bool starts, std::vector<TokenId>& out) const {
  if (encoder->normalizes_to_nfc()) {
    const NfcText nfc(part);
    encoder->encode(nfc.text(), starts, out);
  } else {
    encoder->encode(part, starts, out);
  }
}

// Calls on_text(begin, part) and on_special(match) for the parts of a text in order, and on_bos()
// before them where BOS is to be added.
template <typename OnBos, typename OnText, typename OnSpecial>
void Tokenizer::Impl::for_each_part(std::string_view text, EncodeOptions options, OnBos on_bos,
                                    OnText on_text, OnSpecial on_special) const {
  if (text.size() > kMaxTextBytes) {
    throw UsageError("a text of " + std::to_string(text.size()) +
                     " bytes is too long to encode at once; at most " + std::to_string(kMaxTextBytes) +
                     " bytes are accepted");
  }
  const SpecialTokens& special = options.parse_special ? all_special : user_defined;
  auto match = special.next(text, 0);
  const bool starts_with_bos = match && match->begin == 0 && bos == TokenId{match->id};
  if (options.add_bos && adds_bos && !starts_with_bos) on_bos();

  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t text_end = match ? match->begin : text.size();
    if (text_end > at) on_text(at, text.substr(at, text_end - at));
    if (!match) break;
    on_special(*match);
    at = match->begin + match->length;
    match = special.next(text, at);
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> out;
  impl_->for_each_part(
      text, options, [&] { out.push_back(*impl_->bos); },
      [&](std::size_t begin, std::string_view part) {
        impl_->encode_part(part, begin > 0 || !options.continues_text, out);
      },
      [&](const SpecialTokens::Match& match) { out.push_back(TokenId{match.id}); });
  return out;
}

std::vector<TokenSpan> Tokenizer::encode_spans(std::string_view text, EncodeOptions options) const {
  std::vector<TokenSpan> out;
  std::vector<TokenId> ids;
  impl_->for_each_part(
      text, options,
      [&] {
        out.push_back({*impl_->bos, 0, 0});
      },
      [&](std::size_t begin, std::string_view part) {
        ids.clear();
        const bool starts = begin > 0 || !options.continues_text;
        if (!impl_->encoder->normalizes_to_nfc()) {
          impl_->encode_part(part, starts, ids);
          append_spans(*this, ids, part, starts, begin, out);
          return;
        }
        const NfcText nfc(part);
        impl_->encoder->encode(nfc.text(), starts, ids);
        const std::size_t first = out.size();
        append_spans(*this, ids, nfc.text(), starts, 0, out);
        for (TokenSpan& span : std::span(out).subspan(first)) {
          span.begin = begin + nfc.original_offset(span.begin);
          span.end = begin + nfc.original_offset(span.end);
        }
      },
      [&](const SpecialTokens::Match& match) {
        out.push_back({TokenId{match.id}, match.begin, match.begin + match.length});
      });
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool with_special) const {
  const bool adds_space = adds_space_prefix();
  std::string text;
  bool starts = true;  // a text, or what follows a special token: the space put there is taken off again
  for (const TokenId id : ids) {
    std::string_view bytes = bytes_of(id, with_special);
    if (starts && adds_space && !impl_->is_special(id) && bytes.starts_with(' ')) bytes.remove_prefix(1);
    text.append(bytes);
    starts = impl_->is_special(id);
  }
  return text;
}

std::string_view Tokenizer::bytes_of(TokenId id, bool with_special) const {
  if (!impl_->contains(id)) return {};
  if (impl_->table.is_hidden(to_int(id)))
    return with_special ? impl_->table.piece(to_int(id)) : std::string_view();
  const std::size_t index = to_index(id);
  const std::size_t begin = index == 0 ? 0 : impl_->byte_ends[index - 1];
  return std::string_view(impl_->bytes).substr(begin, impl_->byte_ends[index] - begin);
}

std::optional<TokenId> Tokenizer::find(std::string_view spelling) const {
  const std::int32_t id = impl_->table.find(spelling);
  if (id == TokenTable::kNone) return std::nullopt;
  return TokenId{id};
}

bool Tokenizer::is_control(TokenId id) const {
  return impl_->contains(id) && impl_->table.type(to_int(id)) == TokenType::control;
}

bool Tokenizer::is_hidden(TokenId id) const {
  return impl_->contains(id) && impl_->table.is_hidden(to_int(id));
}

std::size_t Tokenizer::vocab_size() const { return impl_->table.size(); }
std::optional<TokenId> Tokenizer::bos() const { return impl_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->eos; }
bool Tokenizer::adds_bos() const { return impl_->adds_bos; }
bool Tokenizer::adds_space_prefix() const { return impl_->encoder->adds_space_prefix(); }
std::span<const TokenId> Tokenizer::end_tokens() const { return impl_->end_tokens; }

}  // namespace bitnet
