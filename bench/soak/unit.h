// A unit of work: one of the ways to come to results that are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "soak/ledger.h"
#include "soak/subject.h"

namespace bitnet::soak {

class Unit {
 public:
  // `seed` and `number` decide all that is left to chance. `directory` is where files may be put.
  Unit(Subject& s, const std::string& directory_for_files, Ledger& ledger, std::uint64_t seed,
       std::uint64_t number);

  // Counts a comparison. Of those that don't hold the first is told, which the others may come of.
  void expect(bool holds, std::string_view what);
  void fail(std::string_view what);

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(rng_() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::size_t any_case() { return below(subject.cases.size()); }
  template <typename T, std::size_t N>
  const T& one_of(const T (&values)[N]) {
    return values[below(N)];
  }
  // Those that change no bit, at random; with room for every case.
  SessionOptions session_options(const Precision& precision);

  Subject& subject;
  const std::string& directory;
  std::string_view way;

 private:
  Ledger& ledger_;
  std::mt19937_64 rng_;
  std::uint64_t number_;
  bool has_failed_ = false;
};

struct Way {
  std::string_view name;
  void (*take)(Unit&);
};

// Each in a file of its kind.
std::span<const Way> session_ways();
std::span<const Way> scheduler_ways();
std::span<const Way> model_ways();
std::span<const Way> refusals();

}  // namespace bitnet::soak
