// Guesses at how a text goes on, from what is already in it: where its end stood before, and what came then.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "bitnet/types.h"

namespace bitnet {

// An earlier place of a text that reads like its end.
struct DraftMatch {
  std::size_t next = 0;    // index of the token that followed there
  std::size_t length = 0;  // tokens that are the same; 0: there is no such place
};

// The tokens of a text and, for some lengths, where each run of so many tokens stood last (the match finder
// of LZ77 compressors). Time for a token is bounded and does not grow with the text; no allocation after
// construction.
class DraftIndex {
 public:
  // As long as a match is known to be: whoever looks further finds no better guess.
  static constexpr std::size_t kMaxLength = 32;

  // capacity: tokens that may be pushed. Throws RuntimeError when the memory cannot be had.
  explicit DraftIndex(std::size_t capacity);

  void push(TokenId id);
  // The place whose match with the text's end is the longest, the latest of equals; one of two tokens at
  // least.
  DraftMatch find() const { return match_; }
  // Writes what followed there, as many tokens as `out` holds: where that comes to the text's end, it goes on
  // with what was written. The match is find()'s.
  void copy(const DraftMatch& match, std::span<TokenId> out) const;
  TokenId token(std::size_t i) const { return tokens_[i]; }
  std::size_t size() const { return size_; }

 private:
  // Where runs of `length` tokens end, chained by their hash; places count from 1, 0 being none.
  struct Chains {
    std::size_t length = 0;
    Buffer<std::uint32_t> last;    // [2^bits] by hash
    Buffer<std::uint32_t> before;  // [capacity] the place before this one with the same hash
  };

  std::size_t hash(std::size_t end, std::size_t length) const;
  std::size_t common(std::size_t end) const;
  DraftMatch search() const;

  std::size_t size_ = 0;
  unsigned bits_ = 0;
  DraftMatch match_;
  Buffer<TokenId> tokens_;  // [capacity]
  std::array<Chains, 3> chains_;
};

}  // namespace bitnet
