// What inspect --head int8 prints of the effect on the logits.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "diagnostics/head_effect.h"

namespace bitnet::cli {

// A section for people, at most 80 columns wide; empty for a ternary head, of which the finding says it all.
std::string format_head_effect(const HeadEffect& effect);
nlohmann::ordered_json head_effect_json(const HeadEffect& effect);

}  // namespace bitnet::cli
