#include "cli/chat/nearest_word.h"

#include <algorithm>
#include <vector>

namespace bitnet::cli {
namespace {

// Letters to change, add, drop, or swap with their neighbour (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view typed, std::span<const std::string> words) {
  constexpr std::size_t kLongest = 32;  // no command comes near it
  if (typed.empty() || typed.size() > kLongest) return std::nullopt;
  std::optional<std::string> nearest;
  std::size_t least = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const std::string& word : words) {
    const bool is_front = word.starts_with(typed) || typed.starts_with(word);
    const std::size_t n = is_front ? 1 : distance(typed, word);
    if (n >= least) continue;
    least = n;
    nearest = word;
  }
  return nearest;
}

}  // namespace bitnet::cli
