// Exhaustive damage to a small valid file. Whatever happens, a file is read or refused with a ModelError: any
// other exception fails the test, and a sanitizer build fails on any access outside the bytes.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "gguf/sample_file.h"

namespace bitnet::test {
namespace {

TEST(HostileBytes, AFileCutAnywhereIsRefusedUnlessOnlyTheLastTensorsTailIsGone) {
  GgufBuilder b = sample_builder();
  const std::vector<std::byte> bytes = b.build();
  const std::size_t last_tensor = bytes.size() - 32;
  std::size_t n_accepted = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const std::string message = refusal_of_file(std::span(bytes).first(n));
    if (n <= last_tensor) {
      EXPECT_NE(message, "") << "cut to " << n << " bytes";
    }
    if (message.empty()) ++n_accepted;
  }
  // 12 elements of the last tensor fit 2 bytes as far as this layer knows: cuts to 2..31 bytes pass.
  EXPECT_EQ(n_accepted, 30u);
  EXPECT_EQ(refusal_of_file(bytes), "");
}

TEST(HostileBytes, NoSingleBitFlipInTheHeaderDoesHarm) {
  GgufBuilder b = sample_builder();
  std::vector<std::byte> bytes = b.build();
  std::size_t n_refused = 0;
  for (std::size_t i = 0; i < b.header_size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::byte mask = std::byte{1} << bit;
      bytes[i] ^= mask;
      n_refused += refusal_of_file(bytes).empty() ? 0U : 1U;
      bytes[i] ^= mask;
    }
  }
  EXPECT_GT(n_refused,
            b.header_size());  // most lengths, types and counts; text and numbers may change unseen
}

TEST(HostileBytes, NoAbsurdNumberInAnyFieldDoesHarm) {
  GgufBuilder b = sample_builder();
  const std::vector<std::byte> valid = b.build();
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<std::uint64_t> absurd{0,
                                          1,
                                          31,
                                          32,
                                          valid.size() - 1,
                                          valid.size(),
                                          valid.size() + 1,
                                          kMax >> 33,
                                          kMax >> 32,
                                          kMax >> 31,
                                          kMax >> 4,
                                          kMax >> 3,
                                          kMax >> 2,
                                          kMax >> 1,
                                          (kMax >> 1) + 1,
                                          kMax - 31,
                                          kMax - 7,
                                          kMax - 1,
                                          kMax};
  for (const GgufField& field : b.fields()) {
    for (const std::uint64_t value : absurd) {
      std::vector<std::byte> bytes = valid;
      if (field.size == 8) {
        patch(bytes, field.offset, value);
      } else {
        patch(bytes, field.offset, static_cast<std::uint32_t>(value));
      }
      const std::string message = refusal_of_file(bytes);
      // A tensor's type is not interpreted here; anything else cannot be the largest number there is.
      const bool is_tensor_type = field.name.starts_with("tensor ") && field.name.ends_with("/type");
      if (value == kMax && !is_tensor_type) {
        EXPECT_NE(message, "") << field.name;
      }
    }
  }
}

TEST(HostileBytes, NoPairOfAbsurdNumbersDoesHarm) {
  GgufBuilder b = sample_builder();
  const std::vector<std::byte> valid = b.build();
  for (const GgufField& first : b.fields()) {
    for (const GgufField& second : b.fields()) {
      std::vector<std::byte> bytes = valid;
      for (std::size_t i = 0; i < first.size; ++i) bytes[first.offset + i] = std::byte{0xFF};
      patch(bytes, second.offset, std::uint32_t{1});
      refusal_of_file(bytes);
    }
  }
}

}  // namespace
}  // namespace bitnet::test
