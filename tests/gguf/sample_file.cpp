#include "gguf/sample_file.h"

#include <cstdint>
#include <limits>

#include "bitnet/error.h"
#include "support/guarded_bytes.h"

namespace bitnet::test {

GgufBuilder sample_builder() {
  GgufBuilder b;
  b.alignment(32);
  b.add("k.u8", std::uint8_t{200}).add("k.i8", std::int8_t{-100});
  b.add("k.u16", std::uint16_t{60000}).add("k.i16", std::int16_t{-30000});
  b.add("k.u32", std::uint32_t{4000000000}).add("k.i32", std::int32_t{-2000000000});
  b.add("k.u64", std::numeric_limits<std::uint64_t>::max())
      .add("k.i64", std::numeric_limits<std::int64_t>::min());
  b.add("k.f32", 1.5f).add("k.f64", -2.25);
  b.add("k.true", true).add("k.false", false);
  b.add("k.string", "text").add("k.empty", "");
  b.add_array<std::uint8_t>("a.u8", {1, 255}).add_array<std::int8_t>("a.i8", {-1, 127});
  b.add_array<std::uint16_t>("a.u16", {1, 65535}).add_array<std::int16_t>("a.i16", {-1, 2});
  b.add_array<std::uint32_t>("a.u32", {1, 4294967295}).add_array<std::int32_t>("a.i32", {-1, 2});
  b.add_array<std::uint64_t>("a.u64", {1, std::uint64_t{1} << 63}).add_array<std::int64_t>("a.i64", {-1, 2});
  b.add_array<float>("a.f32", {0.5f, -3.0f}).add_array<double>("a.f64", {0.1});
  b.add_array<bool>("a.bool", {true, false, true});
  b.add_array("a.string", std::vector<std::string>{"one", "", "three"});
  b.add_array<std::int32_t>("a.none", {});
  const std::vector<float> five{1, 2, 3, 4, 5};
  b.add_f32("a", {5}, five);
  std::vector<std::int8_t> trits(256);
  for (std::size_t i = 0; i < trits.size(); ++i)
    trits[i] = static_cast<std::int8_t>(static_cast<int>(i % 3) - 1);
  b.add_i2s("b", {128, 2}, trits, 0.5f);
  b.add_f16("c", {3, 2, 2, 1}, std::vector<float>(12, 1.0f));
  return b;
}

std::size_t walk(const gguf::File& file) {
  std::size_t sum = file.name().size() + file.bytes().size();
  const auto add_text = [&](std::string_view text) {
    for (const char c : text) sum += static_cast<unsigned char>(c);
  };
  for (std::size_t i = 0; i < file.n_keys(); ++i) {
    add_text(file.key(i));
    const gguf::Value value = file.value(i);
    add_text(value.to_display(40));
    if (const auto text = value.as_string()) add_text(*text);
    if (const auto strings = value.as_strings()) {
      for (const std::string_view text : *strings) add_text(text);
    }
    if (const auto numbers = value.as_numbers()) {
      for (std::size_t j = 0; j < numbers->size(); ++j) sum += numbers->at(j) > 0 ? 1U : 0U;
    }
    sum += value.as_uint().value_or(0) != 0 ? 1U : 0U;
    sum += value.as_bool().value_or(false) ? 1U : 0U;
    sum += file.find(file.key(i)) ? 1U : 0U;
  }
  for (const gguf::Tensor& tensor : file.tensors()) {
    add_text(tensor.name);
    sum += tensor.n_elements() != 0 ? 1U : 0U;
    sum += std::to_integer<std::size_t>(tensor.extent.front()) +
           std::to_integer<std::size_t>(tensor.extent.back());
    sum += file.find_tensor(tensor.name) == &tensor ? 1U : 0U;
  }
  return sum;
}

std::string refusal_of_file(std::span<const std::byte> bytes) {
  const GuardedBytes guarded(bytes);
  try {
    walk(gguf::File::from_bytes(guarded.span(), "m.gguf"));
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

}  // namespace bitnet::test
