// A file's identity: SHA-256 as sha256sum prints it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace bitnet {

// 64 hexadecimal digits. Between blocks of a few megabytes it asks `keep_going`, if given; nullopt when that
// said no. Throws RuntimeError when the library refuses.
std::optional<std::string> sha256_of(std::span<const std::byte> bytes,
                                     const std::function<bool()>& keep_going = {});
// Of all pieces one after another, as cat puts files together.
std::optional<std::string> sha256_of(std::span<const std::span<const std::byte>> pieces,
                                     const std::function<bool()>& keep_going = {});

}  // namespace bitnet
