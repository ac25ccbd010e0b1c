// bitnet verify: that it passes here, what it prints, and how it ends. That it finds whatever kernel is wrong
// is shown in tests/diagnostics/verify_test.cpp.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "cli/verify/verify_report.h"
#include "diagnostics/verify.h"
#include "gguf/gguf.h"
#include "support/emulated.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

TEST(CliVerify, TheCanaryPassesEverywhere) {
  const auto json = parse_json(text_of({"verify", "--json"}));
  EXPECT_EQ(misfits("verify", json), "");
  EXPECT_EQ(json.at("schema"), "bitnet.verify");
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_EQ(json.at("model"), "built-in canary");
  EXPECT_FALSE(json.at("cpu").get<std::string>().empty());
  EXPECT_EQ(json.at("passed"), true);
  EXPECT_EQ(json.at("failed"), 0);
  EXPECT_TRUE(json.at("failures").empty());
  EXPECT_GE(json.at("prompts").size(), 20U);
  for (const auto& p : json.at("prompts")) {
    EXPECT_FALSE(p.at("prompt").get<std::string>().empty());
    EXPECT_FALSE(p.at("answer").get<std::string>().empty());
    EXPECT_TRUE(p.at("chat").is_boolean());
    EXPECT_EQ(p.at("f16_digest").get<std::string>().size(), 16U);
    EXPECT_NE(p.at("f16_digest"), p.at("f32_digest"));
    EXPECT_NE(p.at("f16_digest"), p.at("q8_digest"));
  }
  EXPECT_EQ(json.at("steps").front().at("step"), "inp_embd");
  EXPECT_EQ(json.at("steps").back().at("step"), "logits");
  // Each backend with each number of threads, and with the other cache type.
  std::size_t n_checks = 0;
  for (const auto& backend : json.at("backends")) {
    for (const char* check :
         {"1 thread, chunks 1 7 64 all, f16 cache", "2 threads, chunks 1 7 64 all, f16 cache",
          "3 threads, chunks 1 7 64 all, f16 cache", "2 threads, chunk 7, f32 cache",
          "2 threads, chunk 7, q8 cache"}) {
      EXPECT_EQ(std::ranges::count_if(
                    json.at("results"),
                    [&](const auto& r) { return r.at("backend") == backend && r.at("check") == check; }),
                1)
          << backend << ": " << check;
    }
  }
  for (const auto& r : json.at("results")) {
    EXPECT_EQ(r.at("failed"), 0);
    EXPECT_GE(r.at("seconds"), 0);
    n_checks += r.at("checks").get<std::size_t>();
  }
  EXPECT_EQ(json.at("checks"), n_checks);
}

// A copy of the program in whose model one bit of a norm's weight differs.
TEST(CliVerify, FailsWithAPreciseLineWhereASingleBitDiffers) {
  if (kIsEmulated) GTEST_SKIP() << "what tests run is a script that starts the emulator";
  std::string program = content_of(executable());
  const std::string model = content_of(BITNET_MODELS "/canary.gguf");
  const std::size_t at = program.find(model);
  ASSERT_NE(at, std::string::npos);
  const gguf::File file = gguf::File::open(BITNET_MODELS "/canary.gguf");
  program[at + file.find_tensor("output_norm.weight")->file_offset] ^= 1;
  const TempFile copy(std::as_bytes(std::span(program)));
  ASSERT_EQ(::chmod(copy.path().c_str(), S_IRWXU), 0);

  ChildOptions options;
  options.args = {"verify", "--json"};
  const ChildResult result = ChildProcess(copy.path(), options).wait();
  EXPECT_EQ(result.exit_code, 4);
  const auto json = parse_json(result.out);
  EXPECT_EQ(misfits("verify", json), "");
  EXPECT_EQ(json.at("passed"), false);
  EXPECT_FALSE(json.at("failures").empty());
  const std::vector<std::string> lines = lines_of(result.err);
  const auto first = std::ranges::find_if(lines, [](const std::string& l) { return l.starts_with("error"); });
  ASSERT_NE(first, lines.end()) << result.err;
  EXPECT_TRUE(first->starts_with(
      "error: scalar, 1 thread, prefill chunk 512, step result_norm: the first step that gives other values: "
      "the norm before the head (digest "))
      << *first;
  const auto prompt = std::ranges::find_if(
      lines, [](const std::string& l) { return has(l, "prompt \"The capital of France is\": "); });
  ASSERT_NE(prompt, lines.end()) << result.err;
  EXPECT_TRUE(prompt->starts_with("error: scalar, 1 thread, prefill chunk 512, f16 cache, ")) << *prompt;
  EXPECT_TRUE(has(*prompt, ": the answer is right and the logits are not: their digest is "));
  EXPECT_TRUE(has(*prompt, ", not 58e473fcd962db4d"));
}

TEST(CliVerify, TheTableSaysHowMuchFailed) {
  VerifyReport report;
  report.rows = {{"scalar", "1 thread", 20, 0, 0.5}, {"avx2", "2 threads", 300, 7, 1.25}};
  EXPECT_EQ(cli::verify_table(report, "x.gguf"),
            "backend  check      checks  failed      time\n"
            "scalar   1 thread       20       0    0.50 s\n"
            "avx2     2 threads     300       7    1.25 s\n"
            "failed: 7 of 320 checks of x.gguf\n");
}

TEST(CliVerify, ComparesTheKernelsOnAFilesTensors) {
  const ChildResult result = run_bitnet({"verify", "-m", kRandom, "-t", "2"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> lines = lines_of(result.out);
  EXPECT_TRUE(lines.front().starts_with("backend")) << lines.front();
  EXPECT_TRUE(lines.back().starts_with("passed: all ")) << lines.back();
  EXPECT_TRUE(has(lines.back(), kRandom));
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) EXPECT_LE(lines[i].size(), 80U) << lines[i];
  EXPECT_TRUE(lacks(result.err, "error"));
  EXPECT_TRUE(has(result.err, "info: verify "));  // it takes a while: there is a sign of life
  EXPECT_EQ(misfits("verify", parse_json(text_of({"verify", "-m", kRandom, "--json"}))), "");
}

TEST(CliVerify, RefusesWhatTheLoaderRefuses) {
  EXPECT_TRUE(has(refusal(run_bitnet({"verify", "-m", "/nowhere.gguf"}), 3), "/nowhere.gguf"));
  EXPECT_TRUE(has(refusal(run_bitnet({"verify", "-t", "x"}), 2), "--threads 'x'"));
  EXPECT_TRUE(has(refusal(run_bitnet({"verify", "-m", kRandom, "-t", "99999"}), 2), "--threads 99999"));
}

TEST(CliVerify, HelpFitsAScreen) {
  const std::vector<std::string> lines = lines_of(text_of({"verify", "--help"}));
  EXPECT_LE(lines.size(), 50U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
}

TEST(CliVerify, ASignalEndsItSoon) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Pipe messages;
    ChildOptions options;
    options.args = {"verify"};
    options.stderr_fd = messages.writer();
    ChildProcess child(executable(), options);
    char first = 0;
    ASSERT_EQ(::read(messages.reader(), &first, 1), 1);  // says which model it takes: it has begun
    child.send(signal);
    const ChildResult result = child.wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace bitnet::test
