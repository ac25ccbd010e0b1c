#include "cli/options/token_ids.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/trimmed.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kSeparators = " \t\r\n,";

}  // namespace

std::vector<TokenId> parse_token_ids(std::string_view text, const std::string& source) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  std::vector<TokenId> ids;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) return ids;
    const std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc{} || end != word.data() + word.size() || id < 0) {
      throw ModelError(source,
                       "'" + printable(word, kMaxPrintedName) + "', number " +
                           std::to_string(ids.size() + 1) + ", is no token id",
                       "give whole numbers with spaces or commas between, or a JSON array of them");
    }
    ids.push_back(TokenId{id});
    text.remove_prefix(word.size());
  }
}

std::vector<TokenId> token_ids_of(std::string_view text, const std::string& source) {
  try {
    return parse_token_ids(text, source);
  } catch (const ModelError& e) {
    throw UsageError(e.what());  // the command line is what was wrong
  }
}

void check_token_ids(std::span<const TokenId> ids, std::size_t vocab_size) {
  for (const TokenId id : ids) {
    if (to_index(id) < vocab_size) continue;
    throw UsageError("token id " + std::to_string(to_int(id)) + " is outside the vocabulary of " +
                     std::to_string(vocab_size) + "; pass the model that the ids are of with -m");
  }
}

}  // namespace bitnet::cli
