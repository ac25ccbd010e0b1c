#include "tokenizer/sentencepiece.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <string>

#include "base/printable.h"
#include "bitnet/error.h"
#include "tokenizer/byte_token.h"

namespace bitnet {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581
constexpr std::uint32_t kSpaceCode = 0x2581;

std::vector<std::uint32_t> ranks_of(std::span<const float> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::ranges::greater{}, [&](std::size_t id) { return scores[id]; });
  std::vector<std::uint32_t> ranks(scores.size());
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

}  // namespace

SentencePiece::SentencePiece(const TokenTable& table, std::span<const float> scores, Options options)
    : table_(&table), options_(options) {
  if (scores.empty()) {
    throw ModelError("tokenizer.ggml.scores", "missing", "a SentencePiece vocabulary cannot be used without");
  }
  assert(scores.size() == table.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      throw ModelError("tokenizer.ggml.scores[" + std::to_string(i) + "]", "not a number",
                       "the file is damaged");
    }
  }
  ranks_ = ranks_of(scores);

  byte_tokens_.fill(TokenTable::kNone);
  for (std::int32_t id = 0; static_cast<std::size_t>(id) < table.size(); ++id) {
    const auto byte = parse_byte_token(table.piece(id));
    if (!byte && table.type(id) == TokenType::byte) {
      throw ModelError("tokenizer.ggml.tokens[" + std::to_string(id) + "]",
                       "a byte token spelled '" + printable(table.piece(id), kMaxPrintedName) + "'",
                       "it should be <0xNN>");
    }
    if (is_byte(id) && byte_tokens_[*byte] == TokenTable::kNone) byte_tokens_[*byte] = id;
    if (!is_byte(id) && !table.is_hidden(id)) joints_.add(table.piece(id));
  }
}

bool SentencePiece::is_byte(std::int32_t id) const {
  if (table_->type(id) == TokenType::byte) return true;
  return options_.byte_spellings && table_->type(id) == TokenType::normal &&
         parse_byte_token(table_->piece(id)).has_value();
}

// A user who writes "<0x41>" does not mean the letter A.
std::int32_t SentencePiece::find_for_text(std::string_view spelling) const {
  const std::int32_t id = table_->find_for_text(spelling);
  return id == TokenTable::kNone || is_byte(id) ? TokenTable::kNone : id;
}

void SentencePiece::encode(std::string_view text, bool starts, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  std::string part;  // between two characters that no piece joins
  Merger merger;
  std::uint32_t previous = 0;
  const auto append = [&](std::string_view spelling, std::uint32_t code) {
    if (!part.empty() && !joints_.may_join(previous, code)) {
      merge_part(part, merger, out);
      part.clear();
      merger.clear();
    }
    merger.append(static_cast<std::uint32_t>(part.size()), static_cast<std::uint32_t>(spelling.size()),
                  find_for_text(spelling));
    part += spelling;
    previous = code;
  };
  if (starts && options_.add_space_prefix) append(kSpace, kSpaceCode);
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      append(kSpace, kSpaceCode);
      ++at;
      continue;
    }
    // Bytes that are not UTF-8 stand alone, so that each falls back on its own byte token.
    const CharacterOrByte unit = CharacterOrByte::front(text.substr(at));
    append(text.substr(at, unit.length), unit.code);
    at += unit.length;
  }
  merge_part(part, merger, out);
}

void SentencePiece::merge_part(std::string_view part, Merger& merger, std::vector<TokenId>& out) const {
  merger.merge([&](const Symbol& left, const Symbol& right) -> std::optional<PairMerge> {
    const std::int32_t id = find_for_text(part.substr(left.begin, left.length + right.length));
    if (id == TokenTable::kNone) return std::nullopt;
    return PairMerge{ranks_[static_cast<std::size_t>(id)], id};
  });
  merger.for_each([&](const Symbol& symbol) {
    if (symbol.token != Symbol::kNoToken) {
      out.push_back(TokenId{symbol.token});
    } else {
      append_fallback(part.substr(symbol.begin, symbol.length), out);
    }
  });
}

void SentencePiece::append_fallback(std::string_view character, std::vector<TokenId>& out) const {
  const auto token_of = [&](char c) { return byte_tokens_[static_cast<unsigned char>(c)]; };
  const auto missing = std::ranges::find(character, TokenTable::kNone, token_of);
  if (missing == character.end()) {
    for (const char c : character) out.push_back(TokenId{token_of(c)});
  } else if (options_.unknown) {
    out.push_back(TokenId{*options_.unknown});
  } else {
    throw no_token_for_byte(*missing);
  }
}

void SentencePiece::append_bytes(std::int32_t id, std::string& out) const {
  std::string_view piece = table_->piece(id);
  if (is_byte(id)) {
    out.push_back(static_cast<char>(*parse_byte_token(piece)));
    return;
  }
  for (std::size_t at = piece.find(kSpace); at != std::string_view::npos; at = piece.find(kSpace)) {
    out.append(piece.substr(0, at)).push_back(' ');
    piece.remove_prefix(at + kSpace.size());
  }
  out.append(piece);
}

}  // namespace bitnet
