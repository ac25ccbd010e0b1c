#include "model/repack.h"

#include <algorithm>
#include <cstring>

#include "model/weight_copies.h"

namespace bitnet {
namespace {

void copy(std::byte* to, std::span<const std::byte> from, const gguf::File& file, ThreadPool& pool) {
  for (std::size_t at = 0; at < from.size(); at += kCopyStretch) {
    const auto stretch = from.subspan(at, std::min(kCopyStretch, from.size() - at));
    pool.parallel_for(stretch.size(), kCopyBlock, [&](std::size_t begin, std::size_t end) {
      std::memcpy(to + at + begin, stretch.data() + begin, end - begin);
    });
    file.give_back(stretch);
  }
}

}  // namespace

void repack(Weights& weights, const gguf::File& file, std::span<const std::span<const std::byte>> rare,
            ThreadPool& pool) {
  const auto is_rare = [&](const quant::Matrix& w) {
    return std::ranges::find(rare, w.data, &std::span<const std::byte>::data) != rare.end();
  };
  weights.repacked = copy_matrices(
      weights,
      {.purpose = {"a copy of the weights", "leave them in the file with --weights mmap"},
       // Those in lanes are copies already.
       .is_copied = [&](const quant::Matrix& w) { return w.type != quant::TensorType::lanes && !is_rare(w); },
       .copy_of = [](const quant::Matrix& from) { return from; },
       .fill =
           [&](const quant::Matrix& from, const quant::Matrix& /*to*/, std::byte* data) {
             copy(data, {from.data, quant::n_bytes_of(from)}, file, pool);
           }});
}

}  // namespace bitnet
