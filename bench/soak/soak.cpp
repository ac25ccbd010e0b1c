#include "soak/soak.h"

#include <atomic>
#include <exception>
#include <span>
#include <thread>
#include <utility>

#include "soak/unit.h"

namespace bitnet::soak {

namespace {

const std::vector<Way>& ways() {
  static const std::vector<Way> all = [] {
    std::vector<Way> list;
    for (const auto& some : {session_ways(), scheduler_ways(), model_ways(), refusals()}) {
      list.insert(list.end(), some.begin(), some.end());
    }
    return list;
  }();
  return all;
}

}  // namespace

Soak::Soak(const std::vector<std::string>& models, std::string directory, std::uint64_t seed)
    : directory_(std::move(directory)), seed_(seed) {
  for (const std::string& path : models) subjects_.push_back(std::make_unique<Subject>(path, seed));
}

void Soak::round(std::size_t n_units, unsigned n_workers) {
  const std::uint64_t end = n_units_ + n_units;
  std::atomic<std::uint64_t> next = n_units_;
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < n_workers; ++i) {
      workers.emplace_back([&] {
        for (std::uint64_t number = next++; number < end; number = next++) do_unit(number);
      });
    }
  }
  n_units_ = end;
}

std::map<std::string_view, std::uint64_t> Soak::by_way() const {
  const std::lock_guard lock(mutex_);
  return by_way_;
}

void Soak::do_unit(std::uint64_t number) {
  // Every way comes with every model, whatever chance makes of it.
  const Way& way = ways()[number % ways().size()];
  Subject& subject = *subjects_[number / ways().size() % subjects_.size()];
  Unit unit(subject, directory_, ledger_, seed_, number);
  unit.way = way.name;
  try {
    way.take(unit);
  } catch (const std::exception& e) {
    unit.fail(std::string("ended with: ") + e.what());
  }
  const std::lock_guard lock(mutex_);
  ++by_way_[way.name];
}

}  // namespace bitnet::soak
