#include "cli/terminal/progress_bar.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenDraws{100};
constexpr std::size_t kShortestBar = 5;  // cells between the brackets
constexpr std::size_t kLongestBar = 40;
constexpr double kShortestMeasure = 0.3;  // seconds; before that nothing is known about the time left
constexpr double kLongestWait = 100.0 * 3600;

// "0:07", "1:02:03"; empty while it is anybody's guess.
std::string time_left(const Progress& p) {
  if (p.fraction <= 0 || p.seconds < kShortestMeasure) return "";
  const double seconds = std::ceil(p.seconds * (1 - p.fraction) / p.fraction);
  if (!(seconds < kLongestWait)) return "";
  const auto whole = static_cast<int>(seconds);
  const int hours = whole / 3600;
  return (hours > 0 ? fmt::format("{}:{:02}", hours, whole / 60 % 60) : fmt::format("{}", whole / 60)) +
         fmt::format(":{:02} left", whole % 60);
}

std::string bar_of(double fraction, std::size_t cells) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(cells));
  return "[" + std::string(full, '#') + std::string(cells - full, '.') + "]";
}

}  // namespace

std::string format_progress(const Progress& progress, std::size_t width) {
  Progress p = progress;
  p.fraction = std::clamp(p.fraction, 0.0, 1.0);
  std::string tail = fmt::format("{:3.0f} %", std::floor(100 * p.fraction));
  if (const std::string left = time_left(p); !left.empty()) tail += "  " + left;
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

ProgressBar::ProgressBar(bool quiet, std::string label, Clock::duration delay)
    : line_(quiet), label_(std::move(label)), start_(Clock::now()), next_draw_(start_ + delay) {}

void ProgressBar::update(double fraction, std::string_view note) {
  if (!line_.enabled()) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kBetweenDraws;
  const std::chrono::duration<double> seconds = now - start_;
  line_.show(format_progress({label_, fraction, seconds.count(), note}, ProgressLine::width()));
}

}  // namespace bitnet::cli
