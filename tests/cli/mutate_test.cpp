// scripts/mutate and scripts/coverage where they build nothing: that the list of defects fits the source, and
// what is said where it doesn't.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

class Mutate : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_python()) GTEST_SKIP() << "no " << kPython << " here";
  }
  static ChildResult mutate(const Args& args) { return run_python(with({BITNET_SCRIPTS "/mutate"}, args)); }
  // The error line about a list.
  std::string fault(const std::string& list) const {
    std::ofstream(directory.file("some.txt")) << list;
    const ChildResult result = mutate({"--check", "--mutations", directory.path()});
    EXPECT_EQ(result.exit_code, 2) << list;
    EXPECT_EQ(result.out, "");
    return result.err;
  }

  const TempDirectory directory;
};

TEST_F(Mutate, EveryDefectFitsTheSource) {
  const ChildResult result = mutate({"--check"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, " defects fit the source"));
  EXPECT_GE(std::stoi(result.out), 60);
}

TEST_F(Mutate, ListsThoseOfAFile) {
  const std::string file = "src/model/families/llama.cpp";
  const ChildResult result = mutate({"--list", file});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  ASSERT_FALSE(lines_of(result.out).empty());
  for (const std::string& line : lines_of(result.out)) EXPECT_TRUE(line.starts_with(file + "  ")) << line;
}

TEST_F(Mutate, RefusesAListThatNoLongerFits) {
  const std::string entry = "== A name\nsrc/base/half.h\n";
  EXPECT_TRUE(has(fault(entry + "- no such text\n+ nor this\n"),
                  "some.txt:1: \"A name\": its text occurs 0 times in src/base/half.h, not once"));
  EXPECT_TRUE(has(fault(entry + "- constexpr\n+ inline\n"), " times in src/base/half.h, not once"));
  EXPECT_TRUE(has(fault(entry + "- float f16_to_f32(std::uint16_t h)\n+ float f16_to_f32(std::uint16_t h)\n"),
                  "\"A name\" changes nothing"));
  EXPECT_TRUE(has(fault("== A name\nsrc/base/no_such.h\n- a\n+ b\n"), "there is no src/base/no_such.h"));
  EXPECT_TRUE(has(fault("== A name\nREADME.md\n- a\n+ b\n"), "README.md is in none of the layers"));
  EXPECT_TRUE(has(fault(entry + "+ b\n"), "\"A name\" wants a file and lines that begin with '- '"));
  EXPECT_TRUE(has(fault("- a\n"), "some.txt:1: a text without a name and a file before it"));
  EXPECT_TRUE(has(fault("# no defect\n"), "there are no defects in files named *.txt"));
}

TEST_F(Mutate, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(mutate({"no defect is called like this"}).exit_code, 2);
  EXPECT_EQ(mutate({"--check", "-j", "0"}).exit_code, 2);
  EXPECT_EQ(mutate({"--no-such-option"}).exit_code, 2);
  const ChildResult inside = mutate({"-w", BITNET_SCRIPTS "/work"});
  EXPECT_EQ(inside.exit_code, 2);
  EXPECT_TRUE(has(inside.err, "is in the source tree"));
}

TEST(CoverageScript, SaysWhatIsMissing) {
  if (!has_python()) GTEST_SKIP() << "no " << kPython << " here";
  const ChildResult result = run_python({BITNET_SCRIPTS "/coverage"}, {{"PATH", ""}});  // and so no gcovr
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(has(result.err, "there is no gcovr; on Debian: apt-get install gcovr"));
}

TEST(CoverageScript, RefusesPerCentsThatAreNone) {
  if (!has_python()) GTEST_SKIP() << "no " << kPython << " here";
  EXPECT_EQ(run_python({BITNET_SCRIPTS "/coverage", "--at-least", "101"}).exit_code, 2);
}

}  // namespace
}  // namespace bitnet::test
