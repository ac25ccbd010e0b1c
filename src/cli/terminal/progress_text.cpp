#include "cli/terminal/progress_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace bitnet::cli {
namespace {

constexpr std::size_t kShortestBar = 5;  // cells between the brackets
constexpr std::size_t kLongestBar = 40;
constexpr double kShortestMeasure = 0.3;  // seconds; before that nothing is known about the time left
constexpr double kLongestWait = 100.0 * 3600;
constexpr int kLongInSeconds = 100;  // minutes say more

std::string bar_of(double fraction, std::size_t cells) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(cells));
  return "[" + std::string(full, '#') + std::string(cells - full, '.') + "]";
}

}  // namespace

std::optional<int> seconds_left(double fraction, double seconds) {
  if (!(fraction > 0) || seconds < kShortestMeasure) return std::nullopt;
  const double left = std::ceil(seconds * std::max(1 - fraction, 0.0) / fraction);
  if (!(left < kLongestWait)) return std::nullopt;
  return static_cast<int>(left);
}

std::string format_time_left(double fraction, double seconds) {
  const std::optional<int> left = seconds_left(fraction, seconds);
  if (!left) return "";
  const int whole = *left;
  const int hours = whole / 3600;
  return (hours > 0 ? fmt::format("{}:{:02}", hours, whole / 60 % 60) : fmt::format("{}", whole / 60)) +
         fmt::format(":{:02} left", whole % 60);
}

std::string format_progress(const Progress& progress, std::size_t width) {
  Progress p = progress;
  p.fraction = std::clamp(p.fraction, 0.0, 1.0);
  std::string tail = fmt::format("{:3.0f} %", std::floor(100 * p.fraction));
  if (const std::string left = format_time_left(p.fraction, p.seconds); !left.empty()) tail += "  " + left;
  const std::string note = p.note.empty() ? "" : "  " + std::string(p.note);
  const std::size_t fixed = p.label.size() + tail.size() + 4;  // two spaces, two brackets
  std::string line(p.label);
  if (fixed + note.size() + kShortestBar <= width) {
    tail += note;
  } else if (fixed + kShortestBar > width) {
    return line + " " + tail;
  }
  const std::size_t cells = std::min(kLongestBar, width - p.label.size() - tail.size() - 4);
  return line + " " + bar_of(p.fraction, cells) + " " + tail;
}

std::string format_prompt_progress(double n_done, std::size_t n_tokens, double seconds) {
  const std::string text = fmt::format("prompt {:.0f} of {} tokens", n_done, n_tokens);
  const double fraction = n_done / static_cast<double>(n_tokens);
  const std::optional<int> left = seconds_left(fraction, seconds);
  if (!left) return text;
  return text + (*left < kLongInSeconds ? fmt::format(", {} s left", *left)
                                        : ", " + format_time_left(fraction, seconds));
}

}  // namespace bitnet::cli
