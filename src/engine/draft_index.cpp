#include "engine/draft_index.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace bitnet {
namespace {

// Longest first. Two tokens are the least that tell anything; long runs find the right one among the many
// places of a frequent pair without walking through them.
constexpr std::array<std::size_t, 3> kLengths{8, 4, 2};
constexpr std::size_t kMostPlaces = 16;  // that are compared in one chain
constexpr unsigned kLeastBits = 8;
constexpr unsigned kMostBits = 20;

constexpr const char* kPurpose = "the index of drafts";

}  // namespace

DraftIndex::DraftIndex(std::size_t capacity)
    : bits_(std::clamp(static_cast<unsigned>(std::bit_width(capacity)) + 1U, kLeastBits, kMostBits)),
      tokens_(capacity, kPurpose) {
  for (std::size_t i = 0; i < chains_.size(); ++i) {
    chains_[i] = {.length = kLengths[i],
                  .last = Buffer<std::uint32_t>(std::size_t{1} << bits_, kPurpose),
                  .before = Buffer<std::uint32_t>(capacity, kPurpose)};
  }
}

// Of the `length` tokens before `end`: a polynomial, spread by a multiplication (D. Knuth, The Art of
// Computer Programming, vol. 3, section 6.4).
std::size_t DraftIndex::hash(std::size_t end, std::size_t length) const {
  std::uint64_t sum = 0;
  for (std::size_t i = end - length; i < end; ++i) {
    sum = (sum + static_cast<std::uint32_t>(to_int(tokens_[i])) + 1) * 0x9E3779B97F4A7C15U;
  }
  return static_cast<std::size_t>(sum >> (64 - bits_));
}

// Tokens before `end` that are those of the text's end.
std::size_t DraftIndex::common(std::size_t end) const {
  const std::size_t most = std::min(kMaxLength, end);
  std::size_t n = 0;
  while (n < most && tokens_[end - 1 - n] == tokens_[size_ - 1 - n]) ++n;
  return n;
}

void DraftIndex::push(TokenId id) {
  assert(size_ < tokens_.size());
  tokens_[size_++] = id;
  match_ = search();
  for (Chains& chains : chains_) {
    if (size_ < chains.length) continue;
    std::uint32_t& last = chains.last[hash(size_, chains.length)];
    chains.before[size_ - 1] = last;
    last = static_cast<std::uint32_t>(size_);
  }
}

DraftMatch DraftIndex::search() const {
  DraftMatch best;
  for (const Chains& chains : chains_) {
    if (size_ < chains.length) continue;
    std::uint32_t place = chains.last[hash(size_, chains.length)];
    for (std::size_t i = 0; i < kMostPlaces && place != 0; ++i) {
      const std::size_t length = common(place);
      if (length >= chains.length && length > best.length) best = {.next = place, .length = length};
      if (best.length == kMaxLength) return best;
      place = chains.before[place - 1];
    }
    if (best.length > 0) return best;
  }
  return best;
}

void DraftIndex::copy(const DraftMatch& match, std::span<TokenId> out) const {
  assert(match.length > 0);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = match.next + i;
    out[i] = at < size_ ? tokens_[at] : out[at - size_];
  }
}

}  // namespace bitnet
