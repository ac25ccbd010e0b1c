// What the kinds of vocabulary have in common.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/types.h"

namespace bitnet {

class TextEncoder {
 public:
  TextEncoder() = default;
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;
  virtual ~TextEncoder() = default;

  // Appends the tokens of text in which no special token is to be recognised. `starts`: it is the first text,
  // or the first after a special token. Throws UsageError if the vocabulary cannot express it.
  virtual void encode(std::string_view text, bool starts, std::vector<TokenId>& out) const = 0;

  // Appends the bytes that a token of ordinary text stands for.
  virtual void append_bytes(std::int32_t id, std::string& out) const = 0;

  // Text is to be brought to Unicode's normal form C before it is encoded.
  virtual bool normalizes_to_nfc() const { return false; }
  // BOS comes first unless the file says otherwise.
  virtual bool adds_bos() const = 0;
  // A space is put before text that `starts`.
  virtual bool adds_space_prefix() const = 0;
};

}  // namespace bitnet
