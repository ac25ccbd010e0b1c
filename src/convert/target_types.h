// The types that files are converted to, by the names that users type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "quant/tensor_type.h"

namespace bitnet::convert {

// "tq2_0", "qk256"; nullopt for an unknown name.
std::optional<quant::TensorType> find_target_type(std::string_view name);
std::string target_type_names();  // "i2_s, tq1_0, ...": for messages and help

// A type of codes of two bits or less, with scales: what only ternary values go into as they are.
bool is_ternary_target(quant::TensorType type);

// general.file_type of a file whose layers are of this type; nullopt where no program has a number for it.
// https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h (enum llama_ftype), and Microsoft's fork
// for I2_S, whose 40 is Q1_0 there.
std::optional<std::uint32_t> file_type_of(quant::TensorType type);

// The names of the ternary types whose blocks make up rows of this width.
std::string ternary_types_for(std::uint64_t cols);

}  // namespace bitnet::convert
