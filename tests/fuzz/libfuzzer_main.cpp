// libFuzzer's side of a target: fuzz --target=NAME [libFuzzer's own arguments].
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/target.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

const bitnet::fuzz::Target* g_target = nullptr;

}  // namespace

// libFuzzer itself passes over arguments that begin with two hyphens.
int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(kOption)) continue;
    for (const auto* target : bitnet::fuzz::targets()) {
      if (target->name == argument.substr(kOption.size())) g_target = target;
    }
  }
  if (g_target != nullptr) return 0;
  std::fputs("fuzz: give --target=NAME; fuzz_seeds prints the names\n", stderr);
  std::exit(2);
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  g_target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
