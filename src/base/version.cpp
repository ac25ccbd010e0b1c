#include "bitnet/version.h"

namespace bitnet {

#define BITNET_TEXT_OF(x) #x
#define BITNET_DOTTED(major, minor, patch) \
  BITNET_TEXT_OF(major) "." BITNET_TEXT_OF(minor) "." BITNET_TEXT_OF(patch)

std::string_view version() {
  constexpr std::string_view kVersion =
      BITNET_DOTTED(BITNET_VERSION_MAJOR, BITNET_VERSION_MINOR, BITNET_VERSION_PATCH);
  static_assert(kVersion == BITNET_PROJECT_VERSION, "bitnet/version.h and CMakeLists.txt name two versions");
  return kVersion;
}

}  // namespace bitnet
