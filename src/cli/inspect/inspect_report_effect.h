// What inspect --head int8 and --kv-type q8 print of the effect on the logits.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "diagnostics/head_effect.h"
#include "diagnostics/kv_effect.h"

namespace bitnet::cli {

// A section for people, at most 80 columns wide; empty for a ternary head, of which the finding says it all.
std::string format_effect(const HeadEffect& effect);
std::string format_effect(const KvEffect& effect);
nlohmann::ordered_json effect_json(const HeadEffect& effect);
nlohmann::ordered_json effect_json(const KvEffect& effect);

}  // namespace bitnet::cli
