#include "cli/terminal/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/terminal/log.h"
#include "cli/terminal/progress_text.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::seconds kShortestSilence{5};
constexpr std::chrono::seconds kLongestSilence{60};

}  // namespace

ProgressBar::ProgressBar(bool quiet, std::string label, Clock::duration delay, InPipe in_pipe)
    : line_(quiet),
      label_(std::move(label)),
      in_pipe_(in_pipe),
      start_(Clock::now()),
      next_draw_(start_ + delay),
      next_report_(start_ + kShortestSilence) {}

void ProgressBar::update(double fraction, std::string_view note) {
  const Clock::time_point now = Clock::now();
  if (!line_.enabled()) return report(fraction, note, now);
  if (now < next_draw_) return;
  next_draw_ = now + kBetweenDraws;
  const std::chrono::duration<double> seconds = now - start_;
  line_.show(format_progress({label_, fraction, seconds.count(), note}, ProgressLine::width()));
}

// Where lines can't be redrawn: one now and then, and the longer it takes the more seldom.
void ProgressBar::report(double fraction, std::string_view note, Clock::time_point now) {
  const int quarter = static_cast<int>(4 * std::clamp(fraction, 0.0, 1.0));
  const bool is_next_quarter = in_pipe_ == InPipe::quarters && quarter > quarter_ && quarter < 4;
  if (!is_next_quarter && now < next_report_) return;
  quarter_ = quarter;
  next_report_ = now + std::clamp<Clock::duration>((now - start_) / 10, kShortestSilence, kLongestSilence);
  const std::chrono::duration<double> seconds = now - start_;
  const std::string left = format_time_left(fraction, seconds.count());
  log_info("{} {:.0f} %{}{}{}{}", label_, std::floor(100 * fraction), left.empty() ? "" : ", ", left,
           note.empty() ? "" : ", ", note);
}

}  // namespace bitnet::cli
