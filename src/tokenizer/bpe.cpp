#include "tokenizer/bpe.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/printable.h"
#include "bitnet/error.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/byte_token.h"

namespace bitnet {

namespace {

// A merge on its way from the file into the table.
struct PendingMerge {
  PieceIndex::Query left;
  PieceIndex::Query right;
  PieceIndex::Query result;
  std::string result_spelling;
  std::int32_t left_id = TokenTable::kNone;
  std::int32_t right_id = TokenTable::kNone;
  std::int32_t result_id = TokenTable::kNone;
  bool applies = false;

  void prepare(const TokenTable& table, std::string_view line, std::size_t rank) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos) {
      throw ModelError("tokenizer.ggml.merges[" + std::to_string(rank) + "]",
                       "'" + printable(line, kMaxPrintedName) + "' is not two pieces with one space between",
                       "the file is damaged");
    }
    left = table.prepare(line.substr(0, space));
    right = table.prepare(line.substr(space + 1));
    result_spelling.assign(left.spelling).append(right.spelling);
    result = table.prepare(result_spelling);
  }

  void resolve(const TokenTable& table, const MergeTable& merges) {
    left_id = table.find_for_text(left);
    right_id = table.find_for_text(right);
    result_id = table.find_for_text(result);
    merges.prefetch(left_id, right_id);
    applies = left_id != TokenTable::kNone && right_id != TokenTable::kNone && result_id != TokenTable::kNone;
  }
};

}  // namespace

ByteLevelBpe::ByteLevelBpe(const TokenTable& table, std::span<const std::string_view> merges,
                           std::string_view pretokenizer)
    : table_(&table), pretokenizer_(pretokenizer), merges_(merges.size()) {
  if (merges.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw ModelError("tokenizer.ggml.merges", std::to_string(merges.size()) + " merges are too many");
  }
  // There are hundreds of thousands, each with four searches that miss the caches. Preparing a few ahead of
  // their use lets the misses overlap.
  std::array<PendingMerge, 16> pending;
  for (std::size_t first = 0; first < merges.size(); first += pending.size()) {
    const std::size_t count = std::min(pending.size(), merges.size() - first);
    for (std::size_t i = 0; i < count; ++i) pending[i].prepare(table, merges[first + i], first + i);
    for (std::size_t i = 0; i < count; ++i) pending[i].resolve(table, merges_);
    for (std::size_t i = 0; i < count; ++i) {
      const PendingMerge& merge = pending[i];
      if (!merge.applies) continue;
      merges_.add(merge.left_id, merge.right_id, {static_cast<std::uint32_t>(first + i), merge.result_id});
    }
  }

  for (unsigned byte = 0; byte < byte_tokens_.size(); ++byte) {
    const char c = static_cast<char>(byte);
    std::string alias;
    append_aliases({&c, 1}, alias);
    byte_tokens_[byte] = table.find_for_text(alias);
  }
}

void ByteLevelBpe::encode(std::string_view text, bool /*starts*/, std::vector<TokenId>& out) const {
  Merger merger;
  std::string spelling;
  pretokenizer_.split(text, [&](std::string_view word) {
    if (pretokenizer_.prefers_whole_tokens()) {
      spelling.clear();
      append_aliases(word, spelling);
      if (const std::int32_t id = table_->find_for_text(spelling); id != TokenTable::kNone) {
        out.push_back(TokenId{id});
        return;
      }
    }
    merger.clear();
    for (std::size_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = byte_tokens_[static_cast<unsigned char>(word[i])];
      if (id == TokenTable::kNone) throw no_token_for_byte(word[i]);
      merger.append(static_cast<std::uint32_t>(i), 1, id);
    }
    merger.merge(
        [&](const Symbol& left, const Symbol& right) { return merges_.find(left.token, right.token); });
    merger.for_each([&](const Symbol& symbol) { out.push_back(TokenId{symbol.token}); });
  });
}

void ByteLevelBpe::append_bytes(std::int32_t id, std::string& out) const {
  append_aliased_bytes(table_->piece(id), out);
}

}  // namespace bitnet
