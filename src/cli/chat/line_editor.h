// Lines that are typed on a terminal: editing, history, and text that is pasted as a whole.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "cli/chat/completion.h"
#include "cli/chat/input_history.h"
#include "cli/chat/line_source.h"

namespace bitnet::cli {

// libedit does the editing, with the user's ~/.editrc. A line is a message, unless it was pasted (a terminal
// with bracketed paste marks that) or broken with Alt-Enter: then the message has several.
class LineEditor : public LineSource {
 public:
  // Reads from stdin; prompt and line are drawn on `screen`, a descriptor of the same terminal.
  LineEditor(int screen, InputHistory& history, Completer completer);
  ~LineEditor() override;

  // Event::interrupted only for SIGTERM; Ctrl-C gives up the line that was begun or, where none was, is
  // Event::interrupted too.
  Event next(std::string& line) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet::cli
