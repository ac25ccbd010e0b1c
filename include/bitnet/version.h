// Which bitnet this is: for the preprocessor, and as it was built.
#pragma once

#include <string_view>

#include "bitnet/export.h"

#define BITNET_VERSION_MAJOR 0
#define BITNET_VERSION_MINOR 1
#define BITNET_VERSION_PATCH 0

namespace BITNET_API bitnet {

// Of the library that is linked, which need not be the header's: "0.1.0".
BITNET_API std::string_view version();

// The commit it was built from, 40 hexadecimal digits, with "-dirty" behind them if tracked files had been
// changed; "unknown" where neither git nor an archive made by git could tell.
BITNET_API std::string_view commit();

}  // namespace bitnet
