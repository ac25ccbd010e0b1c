#include "kernels/kernels.h"

#include <array>

#include "bitnet/error.h"
#include "kernels/cpu_features.h"
#include "kernels/exp.h"
#include "kernels/scalar/scalar.h"
#if defined(__x86_64__)
#include "kernels/avx2/avx2.h"
#include "kernels/avx512/avx512.h"
#include "kernels/avxvnni/avxvnni.h"
#elif defined(__aarch64__)
#include "kernels/dotprod/dotprod.h"
#include "kernels/i8mm/i8mm.h"
#include "kernels/neon/neon.h"
#endif

namespace bitnet::kernels {

namespace {

// Without allocation: the sampler asks in the token path.
struct Tables {
  Tables() {
    add(scalar::table());
#if defined(__x86_64__)
    if (cpu_features().avx2) add(avx2::table());
    if (cpu_features().avxvnni) add(avxvnni::table());
    if (cpu_features().avx512) add(avx512::table());
#elif defined(__aarch64__)
    add(neon::table());
    if (cpu_features().dotprod) add(dotprod::table());
    if (cpu_features().i8mm) add(i8mm::table());
#endif
  }
  void add(const Kernels& k) { list[n++] = &k; }

  std::array<const Kernels*, 4> list{};
  std::size_t n = 0;
};

}  // namespace

std::span<const Kernels* const> available() {
  static const Tables tables;
  return std::span(tables.list).first(tables.n);
}

const Kernels& find(std::string_view name) {
  if (name == "auto") return *available().back();
  for (const Kernels* k : available()) {
    if (k->name == name) return *k;
  }
  throw OptionError(
      "", "backend",
      " " + std::string(name) + " is unknown or not supported by this CPU; choose from " + names());
}

std::string names() {
  std::string all = "auto";
  for (const Kernels* k : available()) all.append(", ").append(k->name);
  return all;
}

void exp_array(std::span<const float> x, std::span<float> y) {
  find("auto").exp(x.data(), y.data(), x.size());
}

}  // namespace bitnet::kernels
