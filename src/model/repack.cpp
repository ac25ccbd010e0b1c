#include "model/repack.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace bitnet {
namespace {

constexpr std::size_t kAlignment = 64;
// Copied before the file's pages are given back: what the process holds twice.
constexpr std::size_t kStretch = std::size_t{32} << 20;
constexpr std::size_t kBlock = std::size_t{1} << 20;  // that a thread copies at a time

void copy(std::byte* to, std::span<const std::byte> from, const gguf::File& file, ThreadPool& pool) {
  for (std::size_t at = 0; at < from.size(); at += kStretch) {
    const auto stretch = from.subspan(at, std::min(kStretch, from.size() - at));
    pool.parallel_for(stretch.size(), kBlock, [&](std::size_t begin, std::size_t end) {
      std::memcpy(to + at + begin, stretch.data() + begin, end - begin);
    });
    file.give_back(stretch);
  }
}

// Those in lanes are copies already.
bool is_copied(const quant::Matrix& w) { return w.type != quant::TensorType::lanes; }

}  // namespace

void repack(Weights& weights, const gguf::File& file, ThreadPool& pool) {
  std::map<const std::byte*, std::size_t> places;  // where each matrix's data goes; a tied head is there once
  std::size_t total = 0;
  for_each_matrix(weights, [&](const quant::Matrix& w) {
    if (!is_copied(w) || !places.try_emplace(w.data, total).second) return;
    total += (quant::n_bytes_of(w) + kAlignment - 1) / kAlignment * kAlignment;
  });
  AnonymousMemory memory(total, "a copy of the weights (--weights repack)");
  memory.prefer_huge_pages();
  auto* const begin = static_cast<std::byte*>(memory.data());
  std::map<const std::byte*, std::size_t> to_copy = places;
  for_each_matrix(weights, [&](quant::Matrix& w) {
    if (is_copied(w) && to_copy.erase(w.data) > 0)
      copy(begin + places[w.data], {w.data, quant::n_bytes_of(w)}, file, pool);
  });
  for_each_matrix(weights, [&](quant::Matrix& w) {
    if (is_copied(w)) w.data = begin + places[w.data];
  });
  weights.repacked = std::move(memory);
}

}  // namespace bitnet
