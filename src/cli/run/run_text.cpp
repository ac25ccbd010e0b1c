#include <utility>

#include "cli/run/run_output.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/text_writer.h"
#include "cli/terminal/thinking_text.h"

namespace bitnet::cli {
namespace {

class TextOutput : public RunOutput {
 public:
  TextOutput(std::string echo, bool wraps, bool newline, Thinking thinking)
      : echo_(std::move(echo)),
        out_(wraps),
        text_(out_, thinking != Thinking::none, thinking == Thinking::begun),
        newline_(newline) {}

  bool add_text(std::string_view text) override {
    if (interrupted()) return false;  // before a write that may have to wait for its reader
    if (!echo_.empty()) out_.write(std::exchange(echo_, {}));
    text_.write(text);
    return !interrupted();
  }

  void add_token(const TokenStep& /*token*/) override {}

  void finish(const GenerateResult& /*result*/) override {
    if (!echo_.empty()) out_.write(echo_);  // no text came
    text_.finish();
    // Pipes and files get the text and nothing else; a terminal also gets its next prompt on a line of its
    // own.
    const char last = out_.last();
    if (newline_ ? last != '\n' : stdout_is_terminal() && last != '\0' && last != '\n') write_stdout("\n");
  }

 private:
  std::string echo_;
  TextWriter out_;
  ThinkingText text_;
  bool newline_;
};

}  // namespace

std::unique_ptr<RunOutput> make_text_output(std::string echo, bool wraps, bool newline, Thinking thinking) {
  return std::make_unique<TextOutput>(std::move(echo), wraps, newline, thinking);
}

}  // namespace bitnet::cli
