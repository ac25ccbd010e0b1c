// Inputs made of others, the same ones for the same seed everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>

namespace bitnet::fuzz {

class Mutator {
 public:
  Mutator(std::uint32_t seed, std::span<const std::string> seeds, std::span<const std::string> words)
      : random_(seed), seeds_(seeds), words_(words) {}

  // One of the seeds with one to eight changes.
  std::string next();

 private:
  // Below n, which is not 0. Of the distributions in the standard library each has its own.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_()) % n; }
  void change(std::string& text);

  std::mt19937 random_;
  std::span<const std::string> seeds_;
  std::span<const std::string> words_;
};

}  // namespace bitnet::fuzz
