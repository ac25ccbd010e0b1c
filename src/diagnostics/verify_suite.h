// What the canary model answers, and the digests of the logits it does so with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bitnet {

struct SuitePrompt {
  std::string_view prompt;
  bool chat;                 // one user turn of a chat; otherwise the text is continued as it stands
  std::string_view answer;   // greedy, up to kSuiteTokens tokens or the end of the turn
  std::uint64_t f16_digest;  // LogitsDigest after every token of prompt and answer, f16 cache
  std::uint64_t f32_digest;  // the same with the f32 cache
  std::uint64_t q8_digest;   // and with the q8 one, with which the answer is the same
};

inline constexpr std::size_t kSuiteTokens = 12;

// The first ones are short: enough for a slow backend.
std::span<const SuitePrompt> verify_suite();

// The digests (verify_steps.h) of every step of all prompts, f16 cache.
std::span<const std::uint64_t> verify_steps();

}  // namespace bitnet
