// Where in an answer its thinking ends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/function_ref.h"

namespace bitnet::cli {

// Takes an answer in pieces, cut anywhere, and hands on its parts: the thinking, from a <think> at the start
// to </think>, both included, and the rest. Together they are the answer.
class ThoughtSplitter {
 public:
  using Sink = FunctionRef<void(std::string_view part, bool is_thinking)>;

  // `has_begun`: the answer is thinking from its start, with <think> said before.
  explicit ThoughtSplitter(bool has_begun = false) : part_(has_begun ? Part::thinking : Part::start) {}

  void push(std::string_view text, Sink sink);
  void finish(Sink sink);  // the answer ends here, thought through or not

 private:
  enum class Part { start, thinking, rest };

  Part part_;
  std::string start_;          // held back while it may become <think>
  std::size_t n_matched_ = 0;  // characters of </think> that the thinking ends with so far
};

}  // namespace bitnet::cli
