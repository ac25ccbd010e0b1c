// Answers of models that think first, told from their thinking on a terminal.
#pragma once

#include <optional>
#include <string_view>

#include "cli/terminal/text_writer.h"
#include "cli/terminal/thought_splitter.h"

namespace bitnet::cli {

// Thinking is dim where stdout is a terminal and NO_COLOR is unset. Nothing of the text is changed: elsewhere
// it is as it comes, byte for byte.
class ThinkingText {
 public:
  // `thinks`: the answer may begin with thinking. `has_begun`: it does, with <think> said before. The writer
  // must outlive this.
  explicit ThinkingText(TextWriter& out, bool thinks, bool has_begun = false);

  // Throws as TextWriter::write().
  void write(std::string_view text);
  // The text ends here.
  void finish();

 private:
  void write_part(std::string_view part, bool is_thinking);

  TextWriter& out_;
  std::optional<ThoughtSplitter> splitter_;  // where it makes a difference
  bool is_dim_ = false;
};

}  // namespace bitnet::cli
