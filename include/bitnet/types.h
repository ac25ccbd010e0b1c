// Strong types for the numbers that must not be mixed up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitnet/export.h"

namespace BITNET_API bitnet {

// An index into the vocabulary. Made with TokenId{7}; never negative in a valid program.
enum class TokenId : std::int32_t {};

// A place in a sequence, counted in tokens from 0.
enum class Position : std::int32_t {};

// How activations meet weights of two bits or less.
enum class ActivationType : std::uint8_t {
  automatic,  // int8 for the BitNet families and I2_S, which were trained so; else int8_32
  int8,       // rounded to int8, one scale a token
  int8_128,   // ... one scale for each 128 columns
  int8_32,    // ... one scale for each 32 columns
  f32,        // as they are: for reference, at several times the cost
};

// "auto", "int8", "int8-128", "int8-32", "f32"
constexpr std::string_view name_of(ActivationType type) {
  constexpr std::array<std::string_view, 5> kNames{"auto", "int8", "int8-128", "int8-32", "f32"};
  return kNames[static_cast<std::size_t>(type)];
}

constexpr std::int32_t to_int(TokenId id) { return static_cast<std::int32_t>(id); }
constexpr std::int32_t to_int(Position p) { return static_cast<std::int32_t>(p); }
constexpr std::size_t to_index(TokenId id) { return static_cast<std::size_t>(id); }
constexpr std::size_t to_index(Position p) { return static_cast<std::size_t>(p); }

}  // namespace bitnet
