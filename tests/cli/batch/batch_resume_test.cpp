// bitnet batch -o: what is in a file, however often a run was stopped, and whose files are left alone.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "cli/batch/batch_fixture.h"
#include "support/file_size_limit.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

std::size_t size_of(const std::string& path) {
  return std::filesystem::exists(path) ? std::filesystem::file_size(path) : 0;
}

// Until the file is larger, or that cannot be hoped for any more.
void wait_for_growth(const std::string& path, std::size_t size) {
  for (int wait = 0; wait < 100'000 && size_of(path) <= size; ++wait) ::usleep(200);
}

TEST_F(CliBatch, GoesOnAfterBeingKilledWithoutLosingOrRepeatingALine) {
  const std::string input = requests(60);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::string output = file("out.jsonl");
  int n_killed = 0;
  for (int i = 0; i < 40; ++i) {
    ChildProcess child(executable(), options_of(batch({input, "-o", output, "--resume", "-t", "1"})));
    // Until it has written some more: it is stopped somewhere in the middle of its work.
    const std::size_t before = size_of(output);
    if (before >= whole.size()) break;
    wait_for_growth(output, before);
    child.send(SIGKILL);
    n_killed += child.wait().exit_code == 128 + SIGKILL;
    const std::string so_far = content_of(output);
    EXPECT_TRUE(whole.starts_with(so_far.substr(0, so_far.rfind('\n') + 1)));
  }
  EXPECT_GT(n_killed, 0);
  run_bitnet(batch({input, "-o", output, "--resume"}));
  EXPECT_EQ(content_of(output), whole);
}

TEST_F(CliBatch, CutsOffARecordThatWasNotWrittenWhole) {
  const std::string input = requests(12);
  const std::string whole = run_bitnet(batch({input})).out;
  for (const std::size_t size : {std::size_t{40}, whole.size() / 2, whole.size() - 1}) {
    const std::string output = write("out.jsonl", whole.substr(0, size));
    EXPECT_EQ(run_bitnet(batch({input, "-o", output, "--resume"})).exit_code, 1);
    EXPECT_EQ(content_of(output), whole);
  }
}

TEST_F(CliBatch, SaysWhereItGoesOnOutOfTheInputsOrder) {
  const std::string input = requests(5);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::vector<std::string> records = lines_of(whole);
  const auto go_on = [&](const std::vector<std::size_t>& kept, const Args& more) {
    std::string earlier;
    for (const std::size_t i : kept) earlier += records[i] + "\n";
    const std::string output = write("out.jsonl", earlier);
    return run_bitnet(with({"batch", input, "-o", output, "--resume"}, more)).err;
  };
  for (const std::vector<std::size_t>& kept : {std::vector<std::size_t>{1}, {0, 2}, {1, 0}, {3, 2, 1, 0}}) {
    EXPECT_TRUE(has(go_on(kept, {}), "out of the input's order"));
    EXPECT_TRUE(lacks(go_on(kept, {"--unordered"}), "order"));
    const std::string merged = file("merged.jsonl");
    run_bitnet({"batch", input, "--merge", file("out.jsonl"), "-o", merged, "--force"});
    EXPECT_EQ(content_of(merged), whole);
  }
  for (const std::vector<std::size_t>& kept : {std::vector<std::size_t>{}, {0}, {0, 1, 2}, {0, 1, 2, 3}})
    EXPECT_TRUE(lacks(go_on(kept, {}), "order"));
}

TEST_F(CliBatch, DoesNotGoOnWithAnotherInputOrOtherOptions) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::string output = file("out.jsonl");
  text_of(batch({input, "-o", output}));
  const std::string before = content_of(output);
  const Args again = batch({input, "-o", output, "--resume"});
  EXPECT_EQ(run_bitnet(again).exit_code, 0);
  EXPECT_TRUE(has(refusal(run_bitnet(with(again, {"--ignore-eos"})), 3), "other options"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(again, {"-m", kRandom})), 3), "another model"));
  write("in.jsonl", R"({"prompt": "2 + 3 =", "max_tokens": 2})");
  EXPECT_TRUE(has(refusal(run_bitnet(again), 3), "line 1"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", output})), 2), "--resume"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", input})), 2), "is the input itself"));
  const Json record = parse_json(before);
  EXPECT_EQ(record["key"].get<std::string>().size(), 16U);
  EXPECT_EQ(record["settings"].get<std::string>().size(), 16U);
  const std::string foreign = write("foreign.txt", "my diary");
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", foreign, "--resume"})), 3), "no record"));
  EXPECT_EQ(content_of(foreign), "my diary");
  EXPECT_EQ(content_of(output), before);
}

TEST_F(CliBatch, TouchesNoFileWhoseRecordsAreNotOfItsInput) {
  const std::string input = requests(12);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::size_t half = whole.find('\n', whole.size() / 2) + 1;
  // A line is missing, and the last is torn: there would be something to write and something to cut.
  const std::string before = whole.substr(whole.find('\n') + 1, half) + R"({"schema":)";
  const std::string output = write("out.jsonl", before);
  const auto refused = [&](const Args& more) {
    return refusal(run_bitnet(with(batch({input, "-o", output, "--resume", "--unordered"}), more)), 3);
  };
  EXPECT_TRUE(has(refused({"--lines", "1-3"}), "not asked for"));
  EXPECT_TRUE(has(refused({"-n", "7"}), "other options"));
  std::string changed = content_of(input);
  changed.replace(changed.rfind("Once"), 4, "What");
  const std::vector<std::string> records = lines_of(whole);
  write("requests.jsonl", changed);
  write("out.jsonl", whole.substr(whole.find('\n') + 1) + R"({"schema":)");
  EXPECT_TRUE(has(refused({}), "another request"));
  EXPECT_EQ(content_of(output), whole.substr(whole.find('\n') + 1) + R"({"schema":)");
}

TEST_F(CliBatch, ReplacesWhatIsThereOnlyIfTold) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::string output = write("out.jsonl", "my diary\n");
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", output})), 2), "--force"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "--force"})), 2), "-o FILE"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", output, "--force", "--resume"})), 2), "excludes"));
  // What cannot begin has replaced nothing.
  EXPECT_TRUE(
      has(refusal(run_bitnet(batch({input, "-o", output, "--force", "-m", file("none")})), 3), "none"));
  EXPECT_EQ(content_of(output), "my diary\n");
  text_of(batch({input, "-o", output, "--force"}));
  EXPECT_EQ(content_of(output), text_of(batch({input})));
}

TEST_F(CliBatch, DoesNotWriteToItsInputThroughTheShell) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::size_t before = size_of(input);
  const Descriptor in(::open(input.c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor out(::open(input.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ChildOptions options = options_of(batch({input}));
  options.stdout_fd = out.get();
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "stdout is the input itself"));
  options = options_of(batch({"-"}));
  options.stdin_fd = in.get();
  options.stdout_fd = out.get();
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "stdout is the input itself"));
  options = options_of(batch({"-", "-o", input, "--force"}));
  options.stdin_fd = in.get();
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "-o is the input itself"));
  std::filesystem::create_hard_link(input, file("other_name"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", file("other_name"), "--force"})), 2),
                  "-o is the input itself"));
  EXPECT_EQ(size_of(input), before);
}

TEST_F(CliBatch, GoesOnAfterTheDiskWasFull) {
  const std::string input = requests(12);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::string output = file("out.jsonl");
  const ChildResult result = [&] {
    const FileSizeLimit limit(whole.size() / 2);
    return run_bitnet(batch({input, "-o", output}));
  }();
  EXPECT_TRUE(has(refusal(result, 1), "--resume goes on"));
  EXPECT_EQ(content_of(output), whole.substr(0, whole.size() / 2));
  run_bitnet(batch({input, "-o", output, "--resume"}));
  EXPECT_EQ(content_of(output), whole);
}

TEST_F(CliBatch, EndsWhenNobodyReadsThePipeThatItWritesTo) {
  const std::string pipe = file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  Descriptor reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  // More than a pipe holds.
  ChildProcess child(executable(), options_of(batch({requests(600), "-o", pipe})));
  pollfd first{.fd = reader.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&first, 1, -1), 1);
  reader = Descriptor();
  const ChildResult result = child.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_TRUE(has(refusal(result, 1), "Broken pipe"));
  EXPECT_TRUE(lacks(result.err, "--resume"));
}

TEST_F(CliBatch, EndsInOrderWhenItIsInterrupted) {
  const std::string input = requests(60);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::string output = file("out.jsonl");
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove(output);
    ChildProcess child(executable(), options_of({"batch", input, "-o", output, "-t", "1"}));
    wait_for_growth(output, 0);
    child.send(signal);
    const ChildResult result = child.wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_TRUE(has(result.err, "--resume goes on"));
    const std::string so_far = content_of(output);
    EXPECT_TRUE(so_far.ends_with("\n"));
    EXPECT_TRUE(has(result.err, std::to_string(lines_of(so_far).size()) + " requests answered"));
    EXPECT_TRUE(whole.starts_with(so_far));
    EXPECT_LT(so_far.size(), whole.size());
  }
  run_bitnet(batch({input, "-o", output, "--resume"}));
  EXPECT_EQ(content_of(output), whole);
}

TEST_F(CliBatch, GoesOnWithTheRecordsOfAnotherBuildAndSaysSo) {
  const std::string input = requests(6);
  const std::string output = file("out.jsonl");
  run_bitnet(batch({input, "--lines", "1-3", "-o", output}));
  const Args again{"batch", input, "-o", output, "--resume"};
  EXPECT_TRUE(lacks(run_bitnet(with(again, {"--lines", "1-3"})).err, "of commit"));
  const std::string commit = parse_json(lines_of(content_of(output)).at(0)).at("commit");
  std::string text = content_of(output);
  text.replace(text.find(commit), commit.size(), "0ld");
  write("out.jsonl", text);
  EXPECT_TRUE(has(run_bitnet(again).err, "of commit 0ld wrote"));
  EXPECT_TRUE(content_of(output).starts_with(text));
  EXPECT_EQ(lines_of(content_of(output)).size(), 5);
  const ChildResult merged = run_bitnet({"batch", "--merge", output});
  EXPECT_EQ(merged.out, content_of(output));
  EXPECT_TRUE(has(merged.err, "of commit 0ld"));
  EXPECT_TRUE(has(merged.err, "of commit " + commit));
}

TEST_F(CliBatch, GoesOnWithWhatComesThroughAPipe) {
  const std::string input = requests(12);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::string output = file("out.jsonl");
  run_bitnet(batch({input, "--lines", "1-8", "-o", output}));
  const auto piped = [&](const Args& more) {
    return run_bitnet(options_of(with({"batch", "-", "-o", output, "--resume"}, more), content_of(input)));
  };
  // Of the lines that were asked for, and not of all in the file.
  const ChildResult some = piped({"--lines", "1-5"});
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_TRUE(has(some.err, "4 of 4 requests answered, 4 of them by an earlier run"));
  EXPECT_TRUE(has(piped({}).err, "1 of 11 requests failed"));
  EXPECT_EQ(content_of(output), whole);
  EXPECT_TRUE(has(refusal(piped({"-n", "3"}), 3), "other options"));
  EXPECT_EQ(content_of(output), whole);
}

TEST_F(CliBatch, TellsModelsApartByTheirWeights) {
  const std::string input = write("in.jsonl", R"({"ids": [1, 2], "max_tokens": 1})");
  const std::string output = file("out.jsonl");
  for (const char* seed : {"1", "2"}) {
    text_of({"synth", "-q", "--preset", "tiny", "--seed", seed, "-o", file(std::string("model") + seed)});
  }
  text_of(batch({input, "-m", file("model1"), "-o", output}));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-m", file("model2"), "-o", output, "--resume"})), 3),
                  "another model"));
}

}  // namespace
}  // namespace bitnet::test
