// Rotary position embedding: what the metadata says of it, and the angles that come of that.
//
// The value pair i of a head is rotated by position * frequency(i), and cosine and sine are multiplied by a
// magnitude. The plain frequency is theta^(-2i / n_rotated). What scales it (the kinds of
// `rope.scaling.type`) follows llama.cpp, whose files these are: src/llama-context.cpp and, in ggml,
// ggml_compute_forward_rope; YaRN is arXiv 2309.00071.
//
//   factors  frequency /= rope_freqs.weight[i] (Llama 3.1 stretches its long wavelengths so), before the rest
//   linear   frequency /= factor
//   yarn     frequency *= (1 - mix) / factor + mix; mix = extrapolation, fading to 0 as the pair turns less
//            than beta_fast down to beta_slow times over the original context.
//            magnitude = 1 + 0.1 ln(factor), and yarn_attn_factor has no part in it
//   any      magnitude *= attn_factor
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

class KeyReader;

// Which values of a head are rotated together.
enum class RopeLayout : std::uint8_t {
  neox,  // (i, i + n_rotated/2)
  norm,  // (2i, 2i+1): files of the llama family, whose converter permuted Wq and Wk
};

struct Rope {
  RopeLayout layout = RopeLayout::neox;
  std::size_t n_rotated = 0;  // the first values of a head; the others are as they are
  double theta = 0;
  double factor = 1;              // by which the context is longer than the original one
  double original_context = 0;    // tokens
  double extrapolation = 0;       // of the pairs that turn often: 1 with YaRN, 0 otherwise
  double beta_fast = 32;          // turns over the original context
  double beta_slow = 1;           // turns over the original context
  double magnitude_unscaled = 1;  // of yarn_attn_factor: where nothing is extrapolated
  double attn_factor = 1;
};

struct RopeTable {
  std::vector<double> frequency;  // [n_rotated / 2] radians per position
  double magnitude = 1;           // of cosine and sine
};

// Keys under the architecture's prefix that read_rope reads; others that begin with "rope." are not known.
std::span<const std::string_view> rope_keys();

// All but layout. Values of a key that change nothing as the others stand are named in `notes`. Throws
// ModelError for a kind of scaling that is not implemented and for values out of range.
Rope read_rope(const KeyReader& read, std::size_t head_dim, std::size_t context_length, bool takes_longrope,
               std::vector<std::string>& notes);

// factors: [n_rotated / 2] or empty. In double, from IEEE operations alone: the same on every machine.
RopeTable make_rope_table(const Rope& rope, std::span<const float> factors);

}  // namespace bitnet
