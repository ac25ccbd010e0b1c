#include "soak/unit.h"

#include <vector>

namespace bitnet::soak {

namespace {

// "auto", "scalar", ...
const std::vector<std::string>& backends() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    const std::string list = backend_names();
    for (std::size_t begin = 0; begin < list.size();) {
      const std::size_t end = std::min(list.find(", ", begin), list.size());
      names.push_back(list.substr(begin, end - begin));
      begin = end + 2;
    }
    return names;
  }();
  return all;
}

}  // namespace

Unit::Unit(Subject& s, const std::string& directory_for_files, Ledger& ledger, std::uint64_t seed,
           std::uint64_t number)
    : subject(s), directory(directory_for_files), ledger_(ledger), number_(number) {
  std::seed_seq both{seed, number};
  rng_.seed(both);
}

void Unit::expect(bool holds, std::string_view what) {
  ledger_.count();
  if (!holds) fail(what);
}

void Unit::fail(std::string_view what) {
  ledger_.count_failure();
  if (has_failed_) return;
  has_failed_ = true;
  ledger_.tell(subject.path + ": unit " + std::to_string(number_) + ", " + std::string(way) + ": " +
               std::string(what));
}

SessionOptions Unit::session_options(const Precision& precision) {
  constexpr std::size_t kChunks[] = {4, 7, 64, 256};
  return {.ctx_size = subject.ctx_size,
          .n_threads = 1 + static_cast<unsigned>(below(2)),
          .prefill_chunk = one_of(kChunks),
          .kv_type = precision.kv_type,
          .activations = precision.activations,
          .profile = one_in(8),
          .backend = one_in(3) ? backends()[below(backends().size())] : "auto"};
}

}  // namespace bitnet::soak
