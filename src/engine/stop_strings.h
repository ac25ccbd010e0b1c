// Ends a stream of text at the first of a set of stop strings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace bitnet {

// The tokens that stop strings stand for: a control token has no text that could match, so a string that is
// the spelling of one means the token, too. Throws UsageError for a string that holds a control token beside
// other text, which nothing could ever match unless such tokens are shown with their spelling.
std::vector<TokenId> control_tokens_of(const std::vector<std::string>& stops, const Tokenizer& tokenizer,
                                       bool show_special);

// Of all occurrences of all stop strings, the one that begins earliest in the text counts; what comes before
// it is passed on, it and what follows never. How the text is cut into chunks makes no difference.
class StopStrings {
 public:
  // Throws UsageError for an empty stop string: it would end every text before its first character.
  explicit StopStrings(std::vector<std::string> stops);

  // Takes more text and appends to `out` what certainly precedes any stop string, which is all but the
  // longest suffix that could begin one. True once a stop string was found; text after that is ignored.
  bool push(std::string_view text, std::string& out);

  // The text is over: appends what was held back. True if that ended in a stop string after all, one that was
  // kept waiting for another that began before it. The stream starts anew.
  bool flush(std::string& out);

 private:
  bool scan(bool text_is_over, std::string& out);

  std::vector<std::string> stops_;
  std::string held_;  // shorter than the longest stop string between calls
  bool found_ = false;
};

}  // namespace bitnet
