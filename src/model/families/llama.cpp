// Llama and what took its form: Llama3-8B-1.58, Falcon3-1.58bit, Falcon-E, TriLM. The shared transformer as
// it stands; the converter interleaved the rows of Wq and Wk, so rotated pairs are neighbours.
#include "model/families/family.h"

namespace bitnet {

const Family kLlama{.architecture = "llama",
                    .rope_layout = RopeLayout::norm,
                    .gate_activation = GateActivation::silu,
                    .rope_factors = true,
                    .read_layer = read_feed_forward};

}  // namespace bitnet
