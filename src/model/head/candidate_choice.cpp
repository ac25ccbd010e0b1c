#include "model/head/candidate_choice.h"

#include <algorithm>

namespace bitnet {

std::span<const Candidate> choose_candidates(const CandidateQuery& query, std::span<const std::uint32_t> rows,
                                             std::span<const float> logits, std::span<Candidate> room) {
  const auto candidate = [&](std::uint32_t row) {
    return Candidate{TokenId{static_cast<std::int32_t>(row)}, logits[row]};
  };
  std::span kept = room.first(rows.size());
  std::ranges::transform(rows, kept.begin(), candidate);
  if (query.n_best < kept.size()) {
    const auto end_of_best = kept.begin() + static_cast<std::ptrdiff_t>(query.n_best);
    std::ranges::nth_element(kept, end_of_best, outranks);
    auto end = end_of_best;
    if (query.within) {
      const float best = std::min_element(kept.begin(), end_of_best, outranks)->logit;
      const float least = best - *query.within;
      end = std::partition(end_of_best, kept.end(), [least](const Candidate& c) { return c.logit >= least; });
    }
    kept = {kept.begin(), end};
  }
  const auto by_id = [](const Candidate& c) { return to_int(c.id); };
  std::ranges::sort(kept, {}, by_id);
  std::size_t n = kept.size();
  for (const TokenId id : query.also) {
    if (to_index(id) >= logits.size()) continue;
    const std::span added = room.subspan(kept.size(), n - kept.size());
    if (std::ranges::binary_search(kept, to_int(id), {}, by_id)) continue;
    if (std::ranges::find(added, id, &Candidate::id) != added.end()) continue;
    room[n++] = candidate(static_cast<std::uint32_t>(to_index(id)));
  }
  const std::span all = room.first(n);
  std::ranges::sort(all, {}, by_id);
  return all;
}

}  // namespace bitnet
