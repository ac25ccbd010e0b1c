// What /set changes in the middle of a conversation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/sampler.h"

namespace bitnet::cli {

// Named like the options of the command line, without their dashes.
struct ChatSettings {
  SamplerOptions sampler;
  std::int64_t max_tokens = -1;  // of an answer; -1: until it ends
};

std::vector<std::string> setting_names();
// A line for each.
std::vector<std::string> describe(const ChatSettings& settings);
// Throws UsageError for a name or value that there is not; whether a sampler takes it is the sampler's
// affair.
void change(ChatSettings& settings, std::string_view name, std::string_view value);

}  // namespace bitnet::cli
