// Reading a header, hostile or not, never holds more memory than the file has bytes, and a little.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "gguf/gguf.h"
#include "gguf/sample_file.h"
#include "support/live_bytes.h"

namespace bitnet::test {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

struct Outcome {
  bool refused = false;
  std::size_t peak_bytes = 0;
};

Outcome parse(const std::vector<std::byte>& bytes) {
  Outcome outcome;
  const std::size_t before = live_bytes();
  reset_peak();
  try {
    const gguf::File file = gguf::File::from_bytes(bytes, "m.gguf");
  } catch (const ModelError&) {
    outcome.refused = true;
  }
  outcome.peak_bytes = peak_bytes() - before;
  return outcome;
}

bool expect_bounded(const std::vector<std::byte>& bytes, const std::string& what) {
  const Outcome outcome = parse(bytes);
  EXPECT_LE(outcome.peak_bytes, bytes.size() + 64 * 1024) << what;
  return !outcome.refused;
}

// Keys of one or a few bytes: the least a key can take.
std::vector<std::byte> many_tiny_keys(std::size_t n) {
  GgufBuilder b;
  for (std::size_t i = 0; i < n; ++i) {
    std::string name;
    for (std::size_t rest = i; name.empty() || rest != 0; rest /= 256) name += static_cast<char>(rest % 256);
    b.add(name, std::uint8_t{1});
  }
  return b.build();
}

// The closest tensors can stand: one byte of name or two, one dimension, alignment 8.
std::vector<std::byte> many_tiny_tensors(std::size_t n) {
  GgufBuilder b;
  b.alignment(8);
  const std::vector<std::byte> data(8);
  for (std::size_t i = 0; i < n; ++i) {
    std::string name;
    for (std::size_t rest = i; name.empty() || rest != 0; rest /= 256) name += static_cast<char>(rest % 256);
    b.add_tensor(name, {1}, 0, data);
  }
  return b.build();
}

TEST(GgufMemory, TheMeterSeesAnAllocation) {
  const std::size_t before = live_bytes();
  reset_peak();
  { const std::vector<std::byte> block(100000); }
  EXPECT_GE(peak_bytes() - before, 100000u);
  EXPECT_LT(live_bytes() - before, 100u);
}

TEST(GgufMemory, AnAbsurdNumberInAnyFieldTakesNoMemory) {
  GgufBuilder b = sample_builder();
  const std::vector<std::byte> valid = b.build();
  for (const GgufField& field : b.fields()) {
    for (const std::uint64_t value : {kHuge, kHuge >> 1, kHuge >> 32, kHuge >> 40}) {
      std::vector<std::byte> bytes = valid;
      if (field.size == 8) {
        patch(bytes, field.offset, value);
      } else {
        patch(bytes, field.offset, static_cast<std::uint32_t>(value));
      }
      expect_bounded(bytes, field.name + " = " + std::to_string(value));
    }
  }
  EXPECT_TRUE(expect_bounded(valid, "the sample"));
}

// Counts as high as pass the first check, before anything of what they promise has been seen.
TEST(GgufMemory, CountsThatAreJustPossibleTakeNoMoreThanTheFile) {
  GgufBuilder b;
  std::vector<std::byte> file = b.build();
  file.resize(4 << 20);
  const std::size_t tensors_field = b.offset_of("n_tensors");
  const std::size_t keys_field = b.offset_of("n_keys");
  for (const std::uint64_t divisor : {14u, 15u, 33u, 34u, 50u, 100u, 200u}) {
    patch(file, keys_field, (file.size() - 24) / divisor);
    patch(file, tensors_field, std::uint64_t{0});
    EXPECT_FALSE(expect_bounded(file, "keys, size / " + std::to_string(divisor)));
    patch(file, tensors_field, (file.size() - 24) / divisor);
    EXPECT_FALSE(expect_bounded(file, "keys and tensors, size / " + std::to_string(divisor)));
    patch(file, keys_field, std::uint64_t{0});
    EXPECT_FALSE(expect_bounded(file, "tensors, size / " + std::to_string(divisor)));
  }
}

TEST(GgufMemory, ManyTinyKeysTakeNoMoreThanTheFile) {
  EXPECT_TRUE(expect_bounded(many_tiny_keys(100000), "keys"));
}

TEST(GgufMemory, TensorsTooSmallForTheirIndexAreRefused) {
  EXPECT_TRUE(expect_bounded(many_tiny_tensors(300), "a few tiny tensors"));
  EXPECT_FALSE(expect_bounded(many_tiny_tensors(50000), "many tiny tensors"));
}

TEST(GgufMemory, AnArrayIsNotCopied) {
  GgufBuilder b;
  const std::vector<std::byte> bytes = b.add_array("tokens", std::vector<std::string>(200000)).build();
  EXPECT_FALSE(parse(bytes).refused);
  EXPECT_LT(parse(bytes).peak_bytes, 4096u);
}

TEST(GgufMemory, ALongHostileNameIsNotCopied) {
  GgufBuilder b;
  const std::vector<std::byte> bytes = b.add(std::string(65535, '\x1b'), true).add_raw("bad", 99, {}).build();
  EXPECT_TRUE(parse(bytes).refused);
  EXPECT_LT(parse(bytes).peak_bytes, 16384u);
}

}  // namespace
}  // namespace bitnet::test
