#include "cli/terminal/prompt_progress.h"

#include "cli/terminal/progress_text.h"

namespace bitnet::cli {

void PromptProgress::update(double n_done, std::size_t n_tokens) {
  if (n_done >= static_cast<double>(n_tokens)) return line_.reset();
  if (!line_ || !line_->enabled()) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kBetweenDraws;
  const std::chrono::duration<double> seconds = now - start_;
  line_->show(format_prompt_progress(n_done, n_tokens, seconds.count()));
}

}  // namespace bitnet::cli
