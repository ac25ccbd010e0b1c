// Mixed work in one process, each result held against that of a fresh run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "soak/ledger.h"
#include "soak/subject.h"

namespace bitnet::soak {

class Soak {
 public:
  // Loads the models and makes the fresh runs. `directory` is for files: empty at first, and left as it is.
  Soak(const std::vector<std::string>& models, std::string directory, std::uint64_t seed);

  // So many units, in so many threads that are made for it; all of them are done, and the threads gone,
  // when it returns.
  void round(std::size_t n_units, unsigned n_workers);

  Subject& subject(std::size_t i) { return *subjects_.at(i); }
  const Ledger& ledger() const { return ledger_; }
  std::uint64_t n_units() const { return n_units_; }
  // Units of each way.
  std::map<std::string_view, std::uint64_t> by_way() const;

 private:
  void do_unit(std::uint64_t number);

  std::vector<std::unique_ptr<Subject>> subjects_;
  std::string directory_;
  std::uint64_t seed_;
  Ledger ledger_;
  std::uint64_t n_units_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string_view, std::uint64_t> by_way_;
};

}  // namespace bitnet::soak
