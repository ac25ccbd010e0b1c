// Finds tokens that are recognised in the text as they are spelled, before anything else is done with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/token_table.h"

namespace bitnet {

class SpecialTokens {
 public:
  // A search costs at most this many steps for each byte of the text, whatever the file and the text hold.
  static constexpr std::size_t kMaxLength = 256;

  // The user-defined tokens of the table; with_control: the control and unknown ones too. The table must
  // outlive this. Throws ModelError if such a token is spelled with more than kMaxLength bytes.
  SpecialTokens(const TokenTable& table, bool with_control);

  struct Match {
    std::size_t begin;
    std::size_t length;
    std::int32_t id;
  };

  // The first place at or after `from` where one of them stands; the longest one there.
  std::optional<Match> next(std::string_view text, std::size_t from) const;

 private:
  std::optional<Match> longest_at(std::string_view text, std::size_t begin) const;

  const TokenTable* table_;
  std::vector<std::int32_t> ids_;              // sorted by spelling
  std::array<std::size_t, 257> first_byte_{};  // ids_[first_byte_[b], first_byte_[b + 1]) start with byte b
};

}  // namespace bitnet
