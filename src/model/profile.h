// Where the time of a forward pass goes, by kind of work.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace bitnet {

enum class Work : std::size_t {
  embed,
  norm,
  qkv,
  rope_and_cache,
  attention,
  attn_output,
  router,
  gate_up,
  activation,
  ffn_down,
  residual,
  head
};

inline constexpr std::array<std::string_view, 12> kWorkNames{
    "embed",          "norm and quantize", "q, k, v product",
    "rope and cache", "attention",         "attention output product",
    "router",         "gate, up product",  "gate activation",
    "down product",   "residual",          "head"};

struct Profile {
  std::array<double, kWorkNames.size()> seconds{};
};

// Adds the time of its own life to one kind of work; does nothing without a profile.
class WorkTimer {
 public:
  WorkTimer(Profile* profile, Work work) : profile_(profile), work_(work) {
    if (profile_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~WorkTimer() {
    if (profile_ == nullptr) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    profile_->seconds[static_cast<std::size_t>(work_)] += elapsed.count();
  }
  WorkTimer(const WorkTimer&) = delete;
  WorkTimer& operator=(const WorkTimer&) = delete;

 private:
  Profile* profile_;
  Work work_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bitnet
