#include "cli/terminal/thinking_text.h"

#include "cli/terminal/log.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kUndim = "\x1b[22m";

}  // namespace

ThinkingText::ThinkingText(TextWriter& out, bool thinks, bool has_begun) : out_(out) {
  if (thinks && stdout_is_terminal() && !no_color()) splitter_.emplace(has_begun);
}

void ThinkingText::write_part(std::string_view part, bool is_thinking) {
  if (is_thinking != is_dim_) out_.write_mark(is_thinking ? kDim : kUndim);
  is_dim_ = is_thinking;
  out_.write(part);
}

void ThinkingText::write(std::string_view text) {
  if (!splitter_) return out_.write(text);
  splitter_->push(text, [this](std::string_view part, bool is_thinking) { write_part(part, is_thinking); });
}

void ThinkingText::finish() {
  if (splitter_) {
    splitter_->finish([this](std::string_view part, bool is_thinking) { write_part(part, is_thinking); });
  }
  if (is_dim_) out_.write_mark(kUndim);
  is_dim_ = false;
  out_.flush();
}

}  // namespace bitnet::cli
