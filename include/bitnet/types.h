// Strong types for the numbers that must not be mixed up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitnet/export.h"

namespace BITNET_API bitnet {

// An index into the vocabulary. Made with TokenId{7}; never negative in a valid program.
enum class TokenId : std::int32_t {};

// A place in a sequence, counted in tokens from 0.
enum class Position : std::int32_t {};

// How activations meet ternary weights.
enum class ActivationType : std::uint8_t {
  int8,  // rounded to int8, one scale a token: as the models were trained
  f32,   // as they are: for reference, at several times the cost
};

constexpr std::int32_t to_int(TokenId id) { return static_cast<std::int32_t>(id); }
constexpr std::int32_t to_int(Position p) { return static_cast<std::int32_t>(p); }
constexpr std::size_t to_index(TokenId id) { return static_cast<std::size_t>(id); }
constexpr std::size_t to_index(Position p) { return static_cast<std::size_t>(p); }

}  // namespace bitnet
