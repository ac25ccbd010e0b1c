// bitnet chat where nobody types: each line of stdin is a message or a command.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <thread>

#include "cli/chat/talk.h"
#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

Json json_of(const std::string& path) { return parse_json(content_of(path)); }

TEST(Chat, AnswersEachLineOnALineAndShowsNoPrompt) {
  const ChildResult result = talk("What is 3+4?\n\n  \nWhat color is the sky?", {"-q"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "3+4=7.\nThe sky is blue.\n");
  EXPECT_EQ(result.err, "");
}

TEST(Chat, EndsWhereStdinDoes) {
  const ChildResult result = talk("");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
}

TEST(Chat, SamplesTheSameAnswersEveryTime) {
  const auto story = [](const Args& more) {
    Args args{"chat", "-n", "20", "--temp", "5", "--top-p", "1"};
    args.insert(args.end(), more.begin(), more.end());
    ChildOptions options;
    options.args = args;
    options.stdin_text = "Tell me a story.\n/regen\n";
    return run_bitnet(options).out;
  };
  EXPECT_EQ(story({}), story({}));
  EXPECT_NE(story({}), story({"--seed", "7"}));
}

TEST(Chat, RunsOnlyWhatIsNew) {
  const ChildResult result = talk("What is 3+4?\nWhat is 3+4?\n/regen\n", {"-v"});
  EXPECT_TRUE(has(result.err, "0 tokens kept, 14 run"));
  EXPECT_TRUE(has(result.err, "20 tokens kept, 14 run"));
  EXPECT_TRUE(has(result.err, "33 tokens kept, 1 run"));
}

TEST(Chat, ObeysCommands) {
  const ChildResult result = talk(
      "/system\n/system Be kind.\n/system\nWhat is 3+4?\n/stats\n/clear\n/stats\n/help\n/system -\n/system\n"
      "/exit\nWhat is 1+1?\n",
      {"-q"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(lines_of(result.out).size(), 1U) << result.out;
  for (const char* part : {"no system message\nBe kind.\ncontext ", "1 turn and a system message\nlast turn ",
                           "0 turns and a system message", "/regen ", "/save FILE"}) {
    EXPECT_TRUE(has(result.err, part));
  }
  EXPECT_TRUE(result.err.ends_with("no system message\n")) << result.err;
}

TEST(Chat, TakesALineThatIsNoCommandForAMessage) {
  EXPECT_EQ(lines_of(talk(" /stats\n/1\n/\n", {"-q", "-n", "1"}).out).size(), 3U);
}

TEST(Chat, SavesAndLoadsAConversation) {
  const TempDirectory directory;
  const std::string path = directory.file("chat.json");
  const ChildResult saving =
      talk("/system Be \"kind\".\nWhat is 3+4?\nbytes: \xFF\xC3\n/save " + path + "\n", {"-n", "9"});
  EXPECT_EQ(saving.exit_code, 0) << saving.err;
  EXPECT_TRUE(has(saving.err, "saved 2 turns to " + path));
  const Json file = json_of(path);
  EXPECT_EQ(misfits("chat", file), "");
  EXPECT_EQ(file.size(), 7U);
  EXPECT_EQ(file.at("schema"), "bitnet.chat");
  EXPECT_EQ(file.at("version"), 1);
  EXPECT_EQ(file.at("model"), "built-in canary");
  EXPECT_EQ(file.at("template"), "bitnet");
  const Json& messages = file.at("messages");
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages.at(0), Json({{"role", "system"}, {"content", "Be \"kind\"."}}));
  EXPECT_EQ(messages.at(1), Json({{"role", "user"}, {"content", "What is 3+4?"}}));
  EXPECT_EQ(messages.at(2).at("role"), "assistant");
  EXPECT_EQ(messages.at(3).at("content"), "bytes: \xEF\xBF\xBD\xEF\xBF\xBD");

  const std::string again = directory.file("again.json");
  const ChildResult loading = talk("/load " + path + "\n/stats\n/save " + again + "\n");
  EXPECT_EQ(loading.exit_code, 0) << loading.err;
  EXPECT_TRUE(has(loading.err, "2 turns and a system message"));
  EXPECT_EQ(json_of(again), file);
}

TEST(Chat, RefusesAFileThatIsNoSavedConversation) {
  const std::string head = R"({"schema":"bitnet.chat","version":1,"messages":)";
  const Args files{
      "",
      "no JSON",
      "[]",
      "{}",
      std::string(300000, '['),
      head + std::string(300000, '[') + "}",
      R"({"schema":"bitnet.other","version":1,"messages":[]})",
      R"({"schema":"bitnet.chat","version":2,"messages":[]})",
      R"({"schema":"bitnet.chat","version":1})",
      head + "{}}",
      head + "[1]}",
      head + R"([{"role":"user"}]})",
      head + R"([{"role":"user","content":["a"]}]})",
      head + R"([{"role":"god","content":"a"}]})",
      head + R"([{"role":{},"content":"a"}]})",
      head + R"([{"role":"assistant","content":"a"}]})",
      head + R"([{"role":"user","content":"a"},{"role":"user","content":"b"}]})",
      head + "[{\"role\":\"user\",\"content\":\"\xFF\"}]}",
  };
  for (const std::string& text : files) {
    const TempFile file(std::as_bytes(std::span(text)));
    EXPECT_TRUE(has(refusal(talk("/load " + file.path() + "\n"), 3), file.path())) << text.substr(0, 80);
  }
  EXPECT_TRUE(has(refusal(talk("/load /nowhere/chat.json\n"), 3), "/nowhere/chat.json"));
}

TEST(Chat, LeavesNothingBehindWhereItCannotSave) {
  EXPECT_TRUE(has(refusal(talk("/save /nowhere/chat.json\n"), 1), "/nowhere/chat.json"));
  const TempDirectory directory;
  EXPECT_TRUE(has(refusal(talk("/save " + directory.file("") + "\n"), 1), directory.file("")));
  EXPECT_TRUE(directory.is_empty());
}

TEST(Chat, RefusesWhatItCannotDo) {
  const std::vector<std::pair<std::string, std::string>> lines{
      {"/frob", "/frob is no command"}, {"/save", "/save FILE"},   {"/load ", "/load FILE"},
      {"/clear all", "no argument"},    {"/regen", "nothing yet"}, {"/x\x1b[31m", "/x\\x1b[31m"},
  };
  for (const auto& [line, part] : lines) {
    EXPECT_TRUE(has(refusal(talk(line + "\n"), 2), part));
  }
  EXPECT_TRUE(has(refusal(talk("a\n", {"--template", "raw"}), 2), "raw has no turns"));
  for (const char* n : {"-2", "0"}) {
    EXPECT_TRUE(has(refusal(talk("a\n", {"--max-tokens", n}), 2), "--max-tokens"));
  }
  EXPECT_TRUE(has(refusal(talk("a\n", {"--temp", "1"}), 2), "--greedy"));
  const std::string endless = std::string(3000, '7') + "\n";
  EXPECT_TRUE(has(refusal(talk(endless), 2),
                  "the context holds 512; shorten it: the model was made for no larger --ctx-size"));
  EXPECT_TRUE(has(refusal(talk(endless, {"-c", "64"}), 2), "raise --ctx-size, to 512 at most"));
}

TEST(Chat, RefusesALineThatNoMessageNeeds) {
  EXPECT_TRUE(
      has(refusal(talk("/system Be kind.\n" + std::string(3 << 20, 'a')), 3), "line 2 is longer than 1 MiB"));
}

TEST(Chat, SaysThatItForgetsAndGoesOnWhenTheContextIsFull) {
  std::string lines = "/system Be kind.\n";
  for (int i = 0; i < 20; ++i) lines += "What is 3+4?\n";
  const ChildResult result = talk(lines + "/system\n", {"-c", "96"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(lines_of(result.out).size(), 20U);
  EXPECT_TRUE(has(result.err, "warning: the context of 96 tokens is full: forgetting the oldest "));
  EXPECT_TRUE(has(result.err, "the system message stays"));
  EXPECT_TRUE(result.err.ends_with("\nBe kind.\n"));
}

// Lines without end: of itself it goes on for ever, in the memory it began with.
class ChatWithoutEnd : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/usr/bin/yes")) GTEST_SKIP() << "no yes here";
    ChildOptions feeding;
    feeding.stdout_fd = lines.writer();
    yes.emplace("/usr/bin/yes", feeding);
    options.args = {"chat", "--greedy", "-q"};
    options.stdin_fd = lines.reader();
    options.timeout = std::chrono::seconds(30);
  }
  Pipe lines;
  std::optional<ChildProcess> yes;
  ChildOptions options;
};

TEST_F(ChatWithoutEnd, EndsWhenStdoutIsFull) {
  options.stdout_fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (options.stdout_fd < 0) GTEST_SKIP() << "no /dev/full here";
  EXPECT_TRUE(has(refusal(run_bitnet(options), 1), "No space left on device"));
  ::close(options.stdout_fd);
}

TEST_F(ChatWithoutEnd, EndsWhenNobodyReads) {
  Pipe out;
  options.stdout_fd = out.writer();
  ChildProcess chat(executable(), options);
  out.close_writer();
  char first = 0;
  ASSERT_EQ(::read(out.reader(), &first, 1), 1);
  out.close_reader();
  const ChildResult result = chat.wait();
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + SIGPIPE);
  EXPECT_TRUE(lacks(result.err, "error"));
}

TEST_F(ChatWithoutEnd, EndsWhenASignalComes) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Pipe out;
    options.stdout_fd = out.writer();
    ChildProcess chat(executable(), options);
    out.close_writer();
    std::array<char, 4096> block{};
    for (int i = 0; i < 20; ++i) ASSERT_GT(::read(out.reader(), block.data(), block.size()), 0);
    chat.send(signal);
    out.read_all();
    const ChildResult result = chat.wait();
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.err, "");
  }
}

TEST(Chat, EndsTheWaitForALineWhenASignalComes) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Pipe lines;
    Pipe out;
    ChildOptions options;
    options.args = {"chat", "--greedy", "-q"};
    options.stdin_fd = lines.reader();
    options.stdout_fd = out.writer();
    options.timeout = std::chrono::seconds(30);
    ChildProcess chat(executable(), options);
    out.close_writer();
    ASSERT_EQ(::write(lines.writer(), "What is 3+4?\nWhat", 17), 17);
    std::array<char, 7> answer{};
    for (std::size_t n = 0; n < answer.size();) {
      const ssize_t got = ::read(out.reader(), answer.data() + n, answer.size() - n);
      ASSERT_GT(got, 0);
      n += static_cast<std::size_t>(got);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // to the wait for the next line
    chat.send(signal);
    const ChildResult result = chat.wait();
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(out.read_all(), "");
  }
}

TEST(ChatHelp, FitsAScreen) {
  const std::vector<std::string> lines = lines_of(text_of({"chat", "--help"}));
  EXPECT_LE(lines.size(), 50U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace bitnet::test
