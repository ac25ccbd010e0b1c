#include "base/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace bitnet {
namespace {

// Letters inserted, left out, changed, or swapped with their neighbour, that part two words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the matrix: of the letters of `a` before the last, before this one, and with it.
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view word, std::span<const std::string> candidates) {
  constexpr std::size_t kLongest = 40;  // no name of ours is longer, and the work grows with both
  if (word.size() > kLongest) return {};
  std::string_view best;
  std::size_t least = 0;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    // One mistake in a short word, two in a longer one, three in a long one; never as good as all of it.
    const std::size_t letters =
        candidate.size() - std::min(candidate.find_first_not_of('-'), candidate.size());
    const std::size_t allowed = letters <= 2 ? 0 : letters <= 5 ? 1 : letters <= 9 ? 2 : 3;
    if (distance > allowed || (!best.empty() && distance >= least)) continue;
    best = candidate;
    least = distance;
  }
  if (!best.empty() || word.size() < 3) return best;
  // The beginning of one name alone, or a name with more behind it: --verb, --promptfile.
  for (const std::string& candidate : candidates) {
    const bool is_front = candidate.starts_with(word) && word.find_first_not_of('-') + 2 <= word.size();
    const bool has_more =
        word.starts_with(candidate) && candidate.find_first_not_of('-') + 4 <= candidate.size();
    if (!is_front && !has_more) continue;
    if (!best.empty()) return {};
    best = candidate;
  }
  return best;
}

}  // namespace bitnet
