#include "cli/terminal/thought_splitter.h"

#include <algorithm>
#include <utility>

#include "tokenizer/chat_script.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kBegin = kThink;
constexpr std::string_view kEnd = kEndThink;

}  // namespace

void ThoughtSplitter::push(std::string_view text, Sink sink) {
  if (part_ == Part::start) {
    start_ += text;
    const std::size_t white = std::min(start_.find_first_not_of(" \t\r\n"), start_.size());
    const std::string_view visible = std::string_view(start_).substr(white);
    if (visible.size() < kBegin.size() && kBegin.starts_with(visible)) return;
    part_ = visible.starts_with(kBegin) ? Part::thinking : Part::rest;
    const std::string start = std::exchange(start_, {});
    push(start, sink);
    return;
  }
  if (part_ == Part::thinking) {
    std::size_t length = 0;
    while (length < text.size() && n_matched_ < kEnd.size()) {
      const char c = text[length++];
      n_matched_ = c == kEnd[n_matched_] ? n_matched_ + 1 : c == kEnd.front() ? 1 : 0;
    }
    if (length > 0) sink(text.substr(0, length), true);
    if (n_matched_ == kEnd.size()) part_ = Part::rest;
    text.remove_prefix(length);
  }
  if (!text.empty()) sink(text, false);
}

void ThoughtSplitter::finish(Sink sink) {
  if (!start_.empty()) sink(std::exchange(start_, {}), false);
}

}  // namespace bitnet::cli
