// How far something has come, in words.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace bitnet::cli {

inline constexpr std::chrono::milliseconds kBetweenDraws{100};

// What the bar shows; `fraction` is from 0 to 1. The note, and then the bar itself, are left out where
// `width` has no room for them.
struct Progress {
  std::string_view label;
  double fraction = 0;
  double seconds = 0;     // since the beginning
  std::string_view note;  // what else there is to say
};
std::string format_progress(const Progress& progress, std::size_t width);

// By how long the `fraction` that is done has taken; nullopt while that is anybody's guess.
std::optional<int> seconds_left(double fraction, double seconds);
// "0:07 left", "1:02:03 left"; empty for nullopt.
std::string format_time_left(double fraction, double seconds);

// "prompt 384 of 901 tokens, 3 s left"
std::string format_prompt_progress(double n_done, std::size_t n_tokens, double seconds);

}  // namespace bitnet::cli
