// Random models whose gates are mostly shut, as those of trained models with relu^2 are: random weights alone
// leave half of them open.
//
// The first 128 channels of the residual stream, the steady ones, hold the same value for every token: the
// embedding puts it there, and the products that add to the stream have rows of zeros for them. Every gate
// has the weight -1 for each of these channels, so that the norm before the gates, which says how large they
// come out, shifts all of them by the same amount. One in 32 neurons has a larger weight in the norm after
// the activation: it makes the row's maximum, and rounds more of the others to zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitnet {

struct SyntheticShape;

// What of all this a tensor has.
enum class GateShutting : std::uint8_t { none, embedding, gate, to_residual, norm_before, norm_after };

struct GateShuttingPart {
  GateShutting what = GateShutting::none;
  std::size_t cols = 0;
  float value = 0;  // that replaces elements (embedding), or that multiplies them (norms)
};

// The part of a tensor that a shape with shut_gates has: "token_embd.weight", or a name within a layer, such
// as "ffn_gate.weight".
GateShuttingPart gate_shutting_part(const SyntheticShape& shape, std::string_view name, std::size_t layer,
                                    std::size_t cols);

// Changes n random elements, from `first` on of the tensor: I2_S, F16 for the embedding, F32 for norms. Both
// are multiples of what the type draws at once.
void shut_gates(const GateShuttingPart& part, std::uint64_t first, std::size_t n, std::byte* data);

// Throws OptionError for a shape that cannot have its gates shut so.
void check_gate_shutting(const SyntheticShape& shape);

}  // namespace bitnet
