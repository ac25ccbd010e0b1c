// Models of a given shape with random weights: what speed is measured on when there is no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/thread_pool.h"

namespace bitnet {

struct SyntheticShape {
  std::string_view name;          // of the preset
  std::string_view architecture;  // with a tied embedding and sub-norms: bitnet-b1.58 or bitnet
  std::size_t n_layers;
  std::size_t hidden;  // a multiple of 128, as ffn is: rows of I2_S are whole groups
  std::size_t n_heads;
  std::size_t n_kv_heads;
  std::size_t ffn;
  std::size_t vocab;
  std::size_t context_length;
  float rope_theta;
  // Of the embedding's weights. What the layers add to a token's embedding is of order one for each of them,
  // so this says how much of it is left in the end, and with it how far its own logit stands out.
  float embedding_deviation = 0.05F;
};

// Shapes of published models, and a small one. The "peaked" one has a best logit that stands out as those of
// trained models do, by some eight standard deviations; with the others it is the largest of so many random
// numbers.
std::span<const SyntheticShape> synthetic_presets();
// nullptr for an unknown name.
const SyntheticShape* find_synthetic_preset(std::string_view name);
// "2b-4t, ...": for messages and help.
std::string synthetic_preset_names();

// A GGUF file for Model::from_bytes: ternary layers in I2_S with every code equally likely, an F16 embedding
// that serves as the LM head, F32 norms; scaled so that activations stay of order one through all layers. The
// tokens are spelled "t0", "t1", ...: there is no text for it. Equal shapes and seeds give equal bytes,
// whatever the number of threads. on_progress is called now and then, on the calling thread, with the share
// that is done; false ends the work. Throws RuntimeError then, and when the memory cannot be had.
AnonymousMemory make_synthetic_model(const SyntheticShape& shape, std::uint64_t seed, ThreadPool& pool,
                                     const std::function<bool(double fraction)>& on_progress = {});

}  // namespace bitnet
