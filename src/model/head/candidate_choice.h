// What a query asks for, among rows whose logits are known.
#pragma once

#include <cstdint>
#include <span>

#include "bitnet/candidates.h"

namespace bitnet {

inline bool outranks(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
}

// Candidates in ascending order of ids, at the beginning of `room`. rows: those whose logits are known, among
// them all that is asked for. logits, room: [vocab]
std::span<const Candidate> choose_candidates(const CandidateQuery& query, std::span<const std::uint32_t> rows,
                                             std::span<const float> logits, std::span<Candidate> room);

}  // namespace bitnet
