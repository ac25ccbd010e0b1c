// From tokens to the text that a caller gets.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/tokenizer.h"
#include "engine/stop_strings.h"

namespace bitnet {

// Carries tokens to the sink: bytes to valid UTF-8, then past the stop strings.
class TextStream {
 public:
  // The tokenizer and the sink must outlive it. Throws UsageError for an empty stop string.
  TextStream(const Tokenizer& tokenizer, bool show_special, std::vector<std::string> stop_strings,
             const TextSink& sink)
      // What is generated continues the prompt, so a first space belongs to it.
      : detokenizer_(tokenizer, show_special, false), stops_(std::move(stop_strings)), sink_(sink) {
    text_.reserve(kReserve);
    certain_.reserve(kReserve);
  }

  enum class State { open, stopped, refused };

  State push(TokenId id) {
    text_.clear();
    detokenizer_.push(id, text_);
    return pass_on(false);
  }

  State finish() {
    text_.clear();
    detokenizer_.flush(text_);
    return pass_on(true);
  }

 private:
  static constexpr std::size_t kReserve =
      4096;  // longer than any token's text, so that a step allocates nothing

  State pass_on(bool last) {
    certain_.clear();
    bool stopped = stops_.push(text_, certain_);
    if (last && !stopped) stopped = stops_.flush(certain_);
    if (!certain_.empty() && sink_ && !sink_(certain_)) return State::refused;
    return stopped ? State::stopped : State::open;
  }

  Detokenizer detokenizer_;
  StopStrings stops_;
  const TextSink& sink_;
  std::string text_;
  std::string certain_;
};

}  // namespace bitnet
