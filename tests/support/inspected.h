// What `inspect` finds in a model that a test has in memory.
#pragma once

#include <cstddef>
#include <span>

#include "model/inspect/inspection.h"
#include "support/small_model.h"

namespace bitnet::test {

inline Inspection inspect_bytes(std::span<const std::byte> bytes) {
  const AlignedBytes aligned(bytes);
  return inspect({.path = "test.gguf", .bytes = aligned.span()}, 2);
}

inline Inspection inspect_small(const SmallModel& model) { return inspect_bytes(model.to_gguf().build()); }

}  // namespace bitnet::test
