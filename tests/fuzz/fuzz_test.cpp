// Every target with its sound inputs, those that once did harm, and some thousand made up, the same ones at
// each run: whatever comes out of them, it is refused in good order or read whole. libFuzzer goes on from
// here (scripts/fuzz).
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/mutator.h"
#include "fuzz/target.h"
#include "support/temp_directory.h"

namespace bitnet::fuzz {
namespace {

constexpr std::uint32_t kSeed = 158;

// The input as it can be read in a report, and made again.
std::string shown(std::string_view input) {
  constexpr std::size_t kMost = 400;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : input.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isprint(byte) != 0 && c != '\\') {
      text += c;
    } else {
      text += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return text + (input.size() > kMost ? "..." : "");
}

class Fuzz : public ::testing::TestWithParam<const Target*> {
 protected:
  static void expect_no_harm(const std::string& input, const std::string& which) {
    try {
      GetParam()->run(input);
    } catch (const std::exception& e) {
      ADD_FAILURE() << which << ", " << input.size() << " bytes: " << e.what() << "\n" << shown(input);
    }
  }
};

TEST_P(Fuzz, ReadsWhatIsSound) {
  std::size_t i = 0;
  for (const std::string& seed : GetParam()->seeds()) expect_no_harm(seed, "seed " + std::to_string(i++));
  EXPECT_GT(i, 0U);
}

TEST_P(Fuzz, TakesNoHarmFromWhatOnceDidSome) {
  const std::filesystem::path folder = std::filesystem::path(BITNET_FUZZ_FINDINGS) / GetParam()->name;
  if (!std::filesystem::exists(folder)) return;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    expect_no_harm(test::content_of(file.path().string()), file.path().filename().string());
  }
}

TEST_P(Fuzz, TakesNoHarmFromWhatIsMadeUp) {
  const std::vector<std::string> seeds = GetParam()->seeds();
  Mutator mutator(kSeed, seeds, GetParam()->words);
  for (std::size_t i = 0; i < GetParam()->n_inputs && !HasFailure(); ++i) {
    expect_no_harm(mutator.next(), "input " + std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Fuzz, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param->name); });

}  // namespace
}  // namespace bitnet::fuzz
