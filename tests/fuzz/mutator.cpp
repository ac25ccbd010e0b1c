#include "fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace bitnet::fuzz {
namespace {

constexpr std::size_t kMostChanges = 8;
constexpr std::size_t kLongestPiece = 64;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

// Where counts and sizes overflow, or nearly.
constexpr std::array<std::uint64_t, 12> kNumbers{
    0, 1, 2, 0x7F, 0xFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ULL << 63U, ~0ULL};
static_assert(std::endian::native == std::endian::little);

}  // namespace

std::string Mutator::next() {
  std::string text = seeds_[below(seeds_.size())];
  for (std::size_t n = 1 + below(kMostChanges); n > 0; --n) change(text);
  return text;
}

void Mutator::change(std::string& text) {
  const std::size_t at = below(text.size() + 1);
  const std::size_t left = text.size() - at;
  const std::size_t piece = std::min(left, 1 + below(kLongestPiece));
  switch (below(10)) {
    case 0:
    case 1:
      if (left > 0) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
      return;
    case 2:
      if (left > 0) text[at] = static_cast<char>(below(256));
      return;
    case 3:
      text.erase(at, piece);
      return;
    case 4:
      if (text.size() < kMostBytes) text.insert(at, text.substr(at, piece));
      return;
    case 5:
      text.insert(at, 1, static_cast<char>(below(256)));
      return;
    case 6: {
      const std::size_t size = std::min<std::size_t>(left, std::size_t{1} << below(4));
      std::memcpy(text.data() + at, &kNumbers[below(kNumbers.size())], size);
      return;
    }
    case 7:
      if (!words_.empty()) text.insert(at, words_[below(words_.size())]);
      return;
    case 8: {
      const std::string& other = seeds_[below(seeds_.size())];
      const std::size_t from = below(other.size() + 1);
      if (text.size() < kMostBytes) text.replace(at, piece, other.substr(from, 1 + below(kLongestPiece)));
      return;
    }
    default:
      if (below(4) == 0) text.resize(at);
      return;
  }
}

}  // namespace bitnet::fuzz
