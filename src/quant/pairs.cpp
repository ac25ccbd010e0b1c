#include "quant/pairs.h"

#include "quant/avx2/pairs.h"

namespace bitnet::quant {
namespace {

#ifdef __x86_64__
template <PairOrder order>
constexpr int kFirstShift = static_cast<int>(shift_of_pair<order>(0));
template <PairOrder order>
constexpr int kShiftStep = static_cast<int>(shift_of_pair<order>(1)) - kFirstShift<order>;
#endif

}  // namespace

template <PairOrder order>
void read_pairs(const std::byte* in, std::uint32_t* words) {
#ifdef __x86_64__
  if (avx2::is_there()) return avx2::read_pairs<kFirstShift<order>, kShiftStep<order>>(in, words);
#endif
  everywhere::read_pairs<order>(in, words);
}

template <PairOrder order>
void write_pairs(const std::uint32_t* words, std::byte* out) {
#ifdef __x86_64__
  if (avx2::is_there()) return avx2::write_pairs<kFirstShift<order>, kShiftStep<order>>(words, out);
#endif
  everywhere::write_pairs<order>(words, out);
}

std::size_t read_row_of_pairs(unsigned bit, const std::byte* bytes, std::size_t n, std::uint32_t* words) {
  std::size_t i = 0;
#ifdef __x86_64__
  if (avx2::is_there()) i = avx2::read_row_of_pairs(bit, bytes, n, words);
#endif
  for (; i + 64 <= n; i += 64) everywhere::read_pairs_at(bit, bytes + i, words + i / 16);
  return i;
}

template void read_pairs<PairOrder::lowest_first>(const std::byte*, std::uint32_t*);
template void read_pairs<PairOrder::highest_first>(const std::byte*, std::uint32_t*);
template void write_pairs<PairOrder::lowest_first>(const std::uint32_t*, std::byte*);
template void write_pairs<PairOrder::highest_first>(const std::uint32_t*, std::byte*);

}  // namespace bitnet::quant
