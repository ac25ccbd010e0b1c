#include "convert/huggingface/merge_reach.h"

#include <limits>
#include <string_view>
#include <unordered_map>

namespace bitnet::convert {
namespace {

// Merging takes the square of the length; longer ones, which no model has, count as not reached.
constexpr std::size_t kMaxBytes = 512;

using Ranks = std::unordered_map<std::string_view, std::size_t>;

// A character at a time.
std::vector<std::string> characters_of(std::string_view spelling) {
  std::vector<std::string> characters;
  for (const char c : spelling) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (!continues || characters.empty()) characters.emplace_back();
    characters.back() += c;
  }
  return characters;
}

bool is_reached(std::string_view spelling, const Ranks& ranks) {
  if (spelling.size() > kMaxBytes) return false;
  std::vector<std::string> parts = characters_of(spelling);
  std::string pair;
  while (parts.size() > 1) {
    constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
    std::size_t best = kNone;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      pair.assign(parts[i]).append(" ").append(parts[i + 1]);
      const auto found = ranks.find(pair);
      if (found == ranks.end() || found->second >= best) continue;
      best = found->second;
      at = i;
    }
    if (best == kNone) return false;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  return true;
}

}  // namespace

std::size_t count_unreached(const std::vector<std::string>& tokens, const std::vector<TokenType>& types,
                            const std::vector<std::string>& merges) {
  Ranks ranks;
  ranks.reserve(merges.size());
  for (const std::string& merge : merges) ranks.emplace(merge, ranks.size());
  std::size_t n = 0;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] == TokenType::normal && !is_reached(tokens[id], ranks)) ++n;
  }
  return n;
}

}  // namespace bitnet::convert
