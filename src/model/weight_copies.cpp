#include "model/weight_copies.h"

#include <map>

namespace bitnet {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

AnonymousMemory copy_matrices(Weights& weights, const MatrixCopies& copies) {
  struct Place {
    quant::Matrix to;
    float from_scale;
    std::size_t offset;
  };
  std::map<const std::byte*, Place> places;
  std::size_t total = 0;
  for_each_matrix(weights, [&](const quant::Matrix& w) {
    if (!copies.is_copied(w) || places.contains(w.data)) return;
    quant::Matrix to = copies.copy_of(w);
    to.data = nullptr;  // until it is filled
    places.try_emplace(w.data, Place{to, w.scale, total});
    total += (quant::n_bytes_of(to) + kAlignment - 1) / kAlignment * kAlignment;
  });
  if (places.empty()) return {};
  AnonymousMemory memory(total, copies.purpose);
  memory.prefer_huge_pages();
  auto* const begin = static_cast<std::byte*>(memory.data());
  for_each_matrix(weights, [&](quant::Matrix& w) {
    if (!copies.is_copied(w)) return;
    Place& place = places.at(w.data);
    if (place.to.data == nullptr) {
      copies.fill(w, place.to, begin + place.offset);
      place.to.data = begin + place.offset;
    }
    // The embedding and a head that is the same have scales of their own.
    const float own_scale = w.scale;
    w = place.to;
    if (place.to.scale == place.from_scale) w.scale = own_scale;
  });
  return memory;
}

}  // namespace bitnet
