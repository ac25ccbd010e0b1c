// scripts/plot-bench: a picture of what bitnet bench saved, or a reason why not.
#include <gtest/gtest.h>

#include <span>

#include "cli/runner.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

int times_in(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

class PlotBench : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_python()) GTEST_SKIP() << "no " << kPython << " here";
  }
  ChildResult plot(const Args& args) {
    Args all{BITNET_SCRIPTS "/plot-bench"};
    all.insert(all.end(), args.begin(), args.end());
    return run_python(all);
  }
  const TempDirectory directory;
};

TEST_F(PlotBench, DrawsSavedRuns) {
  if (run_python({"-c", "import matplotlib"}).exit_code != 0) GTEST_SKIP() << "no matplotlib here";
  const std::string run = text_of({"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-d", "0,8", "-r",
                                   "2", "-t", "1,2", "--head", "exact,screened", "-q", "-o", "json"});
  const TempFile file(std::as_bytes(std::span(run)));
  for (const auto& [name, magic] : {std::pair("a.svg", "<?xml"), std::pair("a.png", "\x89PNG")}) {
    const std::string picture = directory.file(name);
    const ChildResult result = plot({"-o", picture, file.path()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    const std::string bytes = content_of(picture);
    EXPECT_TRUE(bytes.starts_with(magic));
    EXPECT_GT(bytes.size(), 10000U);
  }
  // A line for each number of threads and each head, named.
  const std::string svg = content_of(directory.file("a.svg"));
  for (const char* series : {"tg2, 1 thread, exact head", "tg2, 1 thread, screened head",
                             "tg2, 2 threads, exact head", "tg2, 2 threads, screened head"}) {
    // Once beside its bar, once in the legend of the depths.
    EXPECT_EQ(times_in(svg, std::string(">") + series + "<"), 2) << series;
  }
  EXPECT_EQ(times_in(svg, ">pp4, 1 thread<"), 1);
  EXPECT_EQ(directory.n_files(), 2);
}

TEST_F(PlotBench, DrawsTheSpeedsOfEnginesThatAreKept) {
  if (run_python({"-c", "import matplotlib"}).exit_code != 0) GTEST_SKIP() << "no matplotlib here";
  const std::string runs = BITNET_SCRIPTS "/../bench/runs/";
  const std::string picture = directory.file("speed.svg");
  const ChildResult result = plot({"-o", picture, "--peers", runs + "peers.json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string svg = content_of(picture);
  for (const char* part : {"ik_llama.cpp", "bitnet.cpp", "November 2026", "screened head"}) {
    EXPECT_TRUE(has(svg, part));
  }
  EXPECT_LT(svg.size(), 100'000U);
  EXPECT_EQ(plot({"-o", picture}).exit_code, 2);

  for (const char* text : {"[]", R"({"schema":"bitnet.peers","version":1})",
                           R"({"schema":"bitnet.peers","version":1,"machine":"a","date":"b","model":"c",
                               "tests":{"prefill":"d","decode":"e"},"engines":[]})"}) {
    const std::string content = text;
    const TempFile file(std::as_bytes(std::span(content)));
    const ChildResult refused = plot({"-o", picture, "--peers", file.path()});
    EXPECT_EQ(refused.exit_code, 3) << refused.err;
    EXPECT_TRUE(has(refused.err, file.path()));
  }
}

TEST_F(PlotBench, RefusesWhatIsNoSavedRun) {
  for (const char* text :
       {"", "no JSON", "[]", "{}", R"({"schema":"bitnet.bench","version":2})",
        R"({"schema":"bitnet.bench","version":1,"machine":{"cpu":"a"},"results":[]})",
        R"({"schema":"bitnet.bench","version":1,"machine":{"cpu":"a"},"results":[{"model":1}]})"}) {
    const std::string content = text;
    const TempFile file(std::as_bytes(std::span(content)));
    const ChildResult result = plot({"-o", directory.file("a.svg"), file.path()});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
    EXPECT_TRUE(has(result.err, file.path()));
  }
  EXPECT_EQ(plot({directory.file("missing.json")}).exit_code, 3);
  EXPECT_EQ(plot({"-o", "a.gif", directory.file("missing.json")}).exit_code, 2);
  EXPECT_TRUE(directory.is_empty());
}

}  // namespace
}  // namespace bitnet::test
