// What int8 keys and values (--kv-type q8) do to the logits, measured on a small sample.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "bitnet/model.h"
#include "diagnostics/logits_difference.h"
#include "model/inspect/inspection.h"

namespace bitnet {

struct KvEffect {
  std::size_t f16_bytes = 0;  // of the cache, for each position
  std::size_t q8_bytes = 0;
  LogitsSample sample{};          // one id for each position that was run
  std::size_t n_best = 0;         // 10, or the whole of a smaller vocabulary
  LogitsDifference difference{};  // of q8 from f16
};

// Runs the sample of take_sample(), kLongestSample ids at most, through a session of either type. Asks
// keep_going between pieces of work; nullopt when that said no. Throws RuntimeError when memory or threads
// cannot be had.
std::optional<KvEffect> measure_q8_cache(const Model& model, unsigned n_threads,
                                         const std::function<bool()>& keep_going = {});

// The same in words.
Finding finding_of(const KvEffect& effect);

}  // namespace bitnet
