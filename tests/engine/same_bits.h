// Logits of whole sequences, compared bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "bitnet/session.h"

namespace bitnet {

// Ids that wander over the vocabulary.
inline std::vector<TokenId> some_ids(std::size_t n, std::size_t vocab) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < n; ++i)
    ids.push_back(TokenId{static_cast<std::int32_t>((i * 37 + i * i * 11 + 5) % vocab)});
  return ids;
}

using Logits = std::vector<float>;  // [n_tokens, vocab]

inline Logits all_logits(Session& session, std::span<const TokenId> ids) {
  Logits out;
  session.run_all(
      ids, [&](Position, std::span<const float> row) { out.insert(out.end(), row.begin(), row.end()); });
  return out;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

}  // namespace bitnet
