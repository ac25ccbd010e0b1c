// bitnet trace: what it prints and writes, and how it ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/runner.h"
#include "diagnostics/trace_file.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using namespace std::chrono_literals;
const Args kShortTrace{"trace", "-q", "-p", "What is 2+2?"};

TEST(Trace, PrintsALineForEachIntermediate) {
  const std::vector<std::string> lines = lines_of(text_of(kShortTrace));
  ASSERT_EQ(lines.size(), 1U + 1 + 4 * 17 + 2);
  EXPECT_TRUE(lines[0].starts_with("tensor "));
  EXPECT_TRUE(lines[1].starts_with("inp_embd "));
  EXPECT_TRUE(lines[2].starts_with("blk.0.attn_norm "));
  EXPECT_TRUE(has(lines.back(), "logits                   8   1024 "));
}

TEST(Trace, TakesTokensFromWhereverTheyAre) {
  const std::string table = text_of(kShortTrace);
  EXPECT_EQ(text_of({"trace", "-q", "--ids", "1016,322,286,220,17,10,17,30"}), table);
  ChildOptions options;
  options.args = {"trace", "-q", "-f", "-"};
  options.stdin_text = "What is 2+2?\n";
  EXPECT_EQ(run_bitnet(options).out, table);
  EXPECT_TRUE(has(text_of({"trace", "-q", "-p", "<|eot_id|>", "--special"}), "inp_embd                 2 "));
}

std::vector<int> prompt_ids_of_run(const Args& prompt) {
  const auto json = parse_json(text_of(with({"run", "-q", "--json", "-n", "0"}, prompt)));
  return json.at("prompt").at("ids");
}

TEST(Trace, WrapsTheTextAsRunDoes) {
  const TempDirectory folder;
  const std::string file = folder.file("a.npz");
  std::vector<std::vector<int>> seen;
  for (const Args& prompt : {Args{"-p", "What is 2+2?"}, Args{"-p", "What is 2+2?", "--template", "auto"},
                             Args{"-p", "What is 2+2?", "--template", "instruct"},
                             Args{"-p", "What is 2+2?", "--template", "auto", "--system", "Be brief."}}) {
    text_of(with({"trace", "-q", "--tensors", "logits", "-o", file}, prompt));
    std::vector<int> ids;
    const auto trace = open_trace(file);
    for (const TokenId id : trace->info().ids) ids.push_back(to_int(id));
    EXPECT_EQ(ids, prompt_ids_of_run(prompt)) << prompt.back();
    seen.push_back(std::move(ids));
  }
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_NE(seen[i], seen[i - 1]);
  ChildOptions options;
  options.args = {"trace", "-q", "--template", "auto", "-f", "-"};
  options.stdin_text = "What is 2+2?\n";
  EXPECT_EQ(run_bitnet(options).out, text_of(with(kShortTrace, {"--template", "auto"})));
}

TEST(Trace, WritesTheSameBytesTodayAndTomorrow) {
  const TempDirectory folder;
  for (const char* form : {".npz", ".gguf"}) {
    const std::string a = folder.file(std::string("a") + form);
    const std::string b = folder.file(std::string("b") + form);
    EXPECT_EQ(text_of(with(kShortTrace, {"-n", "3", "-o", a})), "");
    EXPECT_EQ(text_of(with(kShortTrace, {"-n", "3", "-t", "1", "--prefill-chunk", "3", "-o", b})), "");
    EXPECT_GT(content_of(a).size(), 500'000U);
    EXPECT_TRUE(content_of(a) == content_of(b)) << form;
    EXPECT_EQ(open_trace(a)->info().greedy, (std::vector{TokenId{220}, TokenId{17}, TokenId{10}}));
  }
}

TEST(Trace, KeepsTheTensorsThatWereAskedFor) {
  const std::vector<std::string> lines =
      lines_of(text_of(with(kShortTrace, {"--tensors", "logits,blk.?.l_out"})));
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_TRUE(lines[1].starts_with("blk.0.l_out "));
  EXPECT_TRUE(lines[5].starts_with("logits "));
}

TEST(Trace, RefusesAWrongCommandLine) {
  const auto says = [](const Args& args, const std::string& part) {
    EXPECT_TRUE(has(refusal(run_bitnet(args), 2), part));
  };
  says({"trace"}, "pass -p TEXT, -f FILE");
  says({"trace", "-p", "a", "--ids", "1"}, "--ids");
  says({"trace", "--ids", "1,x"}, "--ids: 'x'");
  says({"trace", "--ids", "1024"}, "1024 is outside the vocabulary of 1024; give ids of this model");
  says({"trace", "--ids", ""}, "--ids '': the value is empty");
  says({"trace", "--ids", "[]"}, "no tokens to trace");
  says({"trace", "-p", "a", "--template", "frob"}, "--template 'frob' is unknown");
  says({"trace", "-p", "a", "--system", "b"}, "--system needs a template");
  says({"trace", "-p", "a", "--special", "--template", "auto"}, "--special needs the template raw");
  says({"trace", "--ids", "1", "--template", "auto"}, "excludes");
  says({"trace", "--ids", "1", "--system", "b"}, "excludes");
  says({"trace", "-p", "a b c d", "-c", "3"}, "--ctx-size");
  says({"trace", "-p", "a", "-n", "513"}, "--ctx-size");
  says({"trace", "-p", "a", "-n", "18446744073709551615"}, "--ctx-size");
  says({"trace", "-p", "a", "--tensors", "logits,blk.9.*"}, "--tensors 'blk.9.*' is no tensor of this model");
  says({"trace", "-p", "a", "--tensors", "logits,"}, "empty name");
  says({"trace", "-p", "a", "-o", "trace.txt"}, "'trace.txt'");
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"trace", "-p", "a", "-m", "/nowhere/m.gguf"}), 3), "/nowhere"));
}

TEST(Trace, LeavesNothingWhereItCannotWrite) {
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortTrace, {"-o", "/nowhere/a.npz"})), 1), "/nowhere/a.npz"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortTrace, {"-o", "/proc/a.npz"})), 1),
                  "/proc/a.npz"));  // read-only
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  const TempDirectory folder;
  for (const char* form : {".npz", ".gguf"}) {
    const std::string link = folder.file(std::string("full") + form);
    std::filesystem::create_symlink("/dev/full", link);
    EXPECT_TRUE(has(refusal(run_bitnet(with(kShortTrace, {"-o", link})), 1), "No space left on device"));
  }
  expect_lost_output_is_told(kShortTrace);
}

class TraceSignal : public ::testing::TestWithParam<int> {};

TEST_P(TraceSignal, EndsItWithoutAFile) {
  const TempDirectory folder;
  Pipe pipe;  // it waits for the text, its file begun
  ChildOptions options;
  options.args = {"trace", "-q", "-f", "-", "-o", folder.file("a.npz")};
  options.stdin_fd = pipe.reader();
  ChildProcess child(executable(), options);
  while (folder.is_empty()) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(50ms);
  child.send(GetParam());
  const ChildResult result = child.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(folder.is_empty());
}

INSTANTIATE_TEST_SUITE_P(Both, TraceSignal, ::testing::Values(SIGINT, SIGTERM), name_of_signal);

}  // namespace
}  // namespace bitnet::test
