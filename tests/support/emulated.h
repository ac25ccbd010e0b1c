// Whether the tests run under an emulator of another processor, which takes some twenty times as long.
#pragma once

namespace bitnet::test {

#ifdef BITNET_EMULATED
inline constexpr bool kIsEmulated = true;
#else
inline constexpr bool kIsEmulated = false;
#endif

}  // namespace bitnet::test
