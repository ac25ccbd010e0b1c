#include <utility>

#include "cli/run/run_output.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

class TextOutput : public RunOutput {
 public:
  explicit TextOutput(std::string echo) : echo_(std::move(echo)) {}

  bool add_text(std::string_view text) override {
    if (interrupted()) return false;  // before a write that may have to wait for its reader
    if (!echo_.empty()) write(std::exchange(echo_, {}));
    write(text);
    return !interrupted();
  }

  void add_token(const TokenStep& /*token*/) override {}

  void finish(const GenerateResult& /*result*/) override {
    if (!echo_.empty()) write(echo_);  // no text came
    // Pipes and files get the text and nothing else; a terminal also gets its next prompt on a line of its
    // own.
    if (stdout_is_terminal() && last_ != '\n') write_stdout("\n");
  }

 private:
  void write(std::string_view text) {
    write_stdout(text);
    if (!text.empty()) last_ = text.back();
  }

  std::string echo_;
  char last_ = '\n';
};

}  // namespace

std::unique_ptr<RunOutput> make_text_output(std::string echo) {
  return std::make_unique<TextOutput>(std::move(echo));
}

}  // namespace bitnet::cli
