// What the int8 copy of the head (--head int8) does to the logits, measured on a small sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/types.h"
#include "diagnostics/logits_difference.h"
#include "model/inspect/inspection.h"

namespace bitnet {

struct HeadEffect {
  std::string stored_type;         // "F16"
  std::uint64_t stored_bytes = 0;  // of the head
  // Of the copy, and the time to make it; 0 for a ternary head, of which none is made. The rest is then
  // empty too.
  std::uint64_t copy_bytes = 0;
  double seconds = 0;
  bool is_text = false;           // the sample was a text; else ids spread over the vocabulary
  std::vector<TokenId> sample{};  // one for each position that was run
  std::size_t n_best = 0;         // 10, or the whole of a smaller vocabulary
  LogitsDifference difference{};

  bool is_ternary() const { return copy_bytes == 0; }
};

// The model must have been loaded with the exact head. The sample is the same every time: the first tokens of
// a fixed text or, if the vocabulary cannot express that, ids spread over the vocabulary; as many as fit the
// model's context, at most 32. Asks keep_going between pieces of work; nullopt when that said no. Throws
// RuntimeError when memory or threads cannot be had.
std::optional<HeadEffect> measure_int8_head(const Model& model, unsigned n_threads,
                                            const std::function<bool()>& keep_going = {});

// The same in words.
Finding finding_of(const HeadEffect& effect);

}  // namespace bitnet
