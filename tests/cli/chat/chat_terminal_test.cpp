// bitnet chat where somebody types.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/chat/terminal.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const std::string kEnd = "\x04";  // Ctrl-D
const std::string kUp = "\x1b[A";

// A signal stands for Ctrl-C: the terminal is not the child's own, and sends none.
class ChatTerminal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!terminal.exists()) GTEST_SKIP() << "no pseudoterminals here";
    options.args = {"chat", "--greedy"};
    options.environment = {
        {"HOME", home}, {"XDG_STATE_HOME", home + "/state"}, {"TERM", "xterm"}, {"LC_ALL", "C"}};
    options.stdin_fd = options.stdout_fd = options.stderr_fd = terminal.descriptor();
    options.timeout = std::chrono::seconds(60);
  }

  void start() {
    chat.emplace(executable(), options);
    ASSERT_TRUE(terminal.shows("/help lists the commands")) << terminal.unseen();
    await_prompt();
  }
  // The line editor is ready when it has asked for bracketed paste and drawn its prompt.
  void await_prompt() {
    ASSERT_TRUE(terminal.shows("\x1b[?2004h")) << terminal.unseen();
    ASSERT_TRUE(terminal.shows(">")) << terminal.unseen();
  }
  void say(const std::string& line, const std::string& answer) {
    terminal.type(line + "\r");
    ASSERT_TRUE(terminal.shows(answer)) << terminal.unseen();
    await_prompt();
  }
  int end() {
    terminal.type(kEnd);
    const ChildResult result = chat->wait();
    EXPECT_FALSE(result.timed_out) << terminal.unseen();
    return result.exit_code;
  }
  // The contents of all messages, as /save writes them.
  std::vector<std::string> messages() {
    const std::string path = home + "/chat.json";
    say("/save " + path, "saved");
    const Json saved = parse_json(content_of(path));
    std::vector<std::string> contents;
    for (const Json& message : saved.at("messages")) contents.push_back(message.at("content"));
    return contents;
  }

  Terminal terminal;
  const TempDirectory directory;  // goes last, when nothing writes to it any more
  const std::string home = directory.path();
  ChildOptions options;
  std::optional<ChildProcess> chat;
};

TEST_F(ChatTerminal, AnswersUntilCtrlD) {
  start();
  say("What is 3+4?", "3+4=7.");
  say("What color is the sky?", "The sky is blue.");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, EndsWithExit) {
  start();
  terminal.type("/exit\r");
  EXPECT_EQ(chat->wait().exit_code, 0);
}

TEST_F(ChatTerminal, TakesAPasteOfManyLinesForOneMessage) {
  start();
  say("\x1b[200~one\rtwo\n\tthree\x1b[A\r\n\x1b[201~ and more", "\n");
  EXPECT_EQ(messages().front(), "one\ntwo\n\tthree[A and more");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, TakesEveryKindOfLineEndInAPasteForOne) {
  start();
  say("\x1b[200~one\r\ntwo\nthree\rfour\r\n\r\nfive\x1b[201~", "\n");
  EXPECT_EQ(messages().front(), "one\ntwo\nthree\nfour\n\nfive");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, CompletesCommandsAndFileNamesOnTab) {
  start();
  say("What is 3+4?", "3+4=7.");
  std::ofstream(home + "/b\u00fccher.json") << "{}";
  std::ofstream(home + "/b\u00fccher.txt") << "{}";
  std::ofstream(home + "/.hidden") << "{}";
  fs::create_directory(home + "/talks");
  terminal.type("/s\t");  // several go on from here
  ASSERT_TRUE(terminal.shows("/save")) << terminal.unseen();
  ASSERT_TRUE(terminal.shows("/set")) << terminal.unseen();
  ASSERT_TRUE(terminal.shows("/stats")) << terminal.unseen();
  terminal.type("av\t" + home + "/t\tfirst.json\r");
  ASSERT_TRUE(terminal.shows("saved 1 turn")) << terminal.unseen();
  await_prompt();
  EXPECT_TRUE(fs::exists(home + "/talks/first.json"));
  terminal.type("/lo\t~/b\t");
  ASSERT_TRUE(terminal.shows("cher.")) << terminal.unseen();
  terminal.type("\t");
  ASSERT_TRUE(terminal.shows("cher.json")) << terminal.unseen();
  ASSERT_TRUE(terminal.shows("cher.txt")) << terminal.unseen();
  terminal.type("j\t\r");
  ASSERT_TRUE(terminal.shows("cher.json: is no saved conversation")) << terminal.unseen();
  await_prompt();
  terminal.type("/q\t\r");
  EXPECT_EQ(chat->wait().exit_code, 0);
}

// Whoever types nothing else hardly means the model.
TEST_F(ChatTerminal, NamesTheCommandForAWordThatIsUsuallyOne) {
  start();
  say("help", "/help is the command");
  say("quit", "/quit is the command");
  EXPECT_EQ(messages().size(), 0U);
  say("/?", "/system [TEXT]");
  terminal.type("/bye\r");
  EXPECT_EQ(chat->wait().exit_code, 0);
}

TEST_F(ChatTerminal, ShowsTheLastExchangeOfAConversationThatIsLoaded) {
  start();
  say("What color is the sky?", "The sky is blue.");
  say("What is 3+4?", "3+4=7.");
  say("/save ~/talk.json", "saved 2 turns");
  say("/clear", "forgot 2 turns");
  say("/load ~/talk.json", "loaded 2 turns from " + home + "/talk.json\r\n...\r\n> What is 3+4?\r\n3+4=7.");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, SaysFirstWhatTheCommandLineSays) {
  options.args.emplace_back("What is 3+4?");
  chat.emplace(executable(), options);
  ASSERT_TRUE(terminal.shows("> What is 3+4?\r\n3+4=7.")) << terminal.unseen();
  await_prompt();
  say("/regen", "3+4=7.");
  EXPECT_EQ(end(), 0);
}

// Where the window is too narrow for the answer, its lines end between words.
TEST_F(ChatTerminal, WrapsAnswersBetweenWords) {
  terminal.resize(12);
  start();
  say("What color is the sky?", "The sky is\r\nblue.");
  EXPECT_EQ(end(), 0);
  options.args.emplace_back("--no-wrap");
  start();
  say("What color is the sky?", "The sky is blue.");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, TakesALongPaste) {
  start();
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i) + "\r";
  // In pieces, as a terminal hands it on.
  terminal.type("\x1b[200~");
  for (std::size_t at = 0; at < text.size(); at += 512) {
    terminal.type(text.substr(at, 512));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  say("\x1b[201~", "the message takes ");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, TakesTextOfEveryWidth) {
  start();
  const std::string text = "\u00e9 e\u0301 \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \U0001F600 \u200d end";
  say(text, "\n");
  say("first\x1b\rsecond", "\n");  // Alt-Enter
  const std::vector<std::string> said = messages();
  EXPECT_EQ(said.at(0), text);
  EXPECT_EQ(said.at(2), "first\nsecond");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, LetsALineBeEditedAndGivenUp) {
  start();
  say("WWhat is 3+5?\x7f\x7f"
      "4?\x01\x1b[3~",
      "3+4=7.");  // backspace; to the start; delete
  terminal.type("gone");
  ASSERT_TRUE(terminal.shows("gone"));
  chat->send(SIGINT);
  await_prompt();
  say("What color is the sky?", "The sky is blue.");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, GoesOnBelowALineThatIsGivenUpWhereverTheCursorIs) {
  start();
  terminal.type(std::string(96, 'd') + "e");
  ASSERT_TRUE(terminal.shows("e"));
  terminal.type("\x01");
  ASSERT_TRUE(terminal.shows("\x1b[A")) << terminal.unseen();
  chat->send(SIGINT);
  ASSERT_TRUE(terminal.shows("\x1b[J")) << terminal.unseen();
  ASSERT_TRUE(terminal.shows(std::string(10, 'd') + "e")) << terminal.unseen();
  await_prompt();
  say("What is 3+4?", "3+4=7.");
  EXPECT_EQ(end(), 0);
}

// The line begins where it began, whatever rows the terminal has broken it into, and is drawn over itself.
TEST_F(ChatTerminal, DrawsTheLineInItsPlaceWhenTheWindowChanges) {
  start();
  const auto resize = [&](unsigned short columns, const std::string& to_its_start) {
    terminal.resize(columns);
    chat->send(SIGWINCH);
    EXPECT_TRUE(terminal.shows("\r" + to_its_start + "\x1b[J")) << terminal.unseen();
    EXPECT_TRUE(terminal.shows(">")) << terminal.unseen();
  };
  terminal.type("abc");
  ASSERT_TRUE(terminal.shows("abc"));
  resize(60, "");
  terminal.type(std::string(96, 'd') + "e");  // 2 columns of the prompt, and a hundred
  ASSERT_TRUE(terminal.shows("e"));
  resize(40, "\x1b[2A");
  ASSERT_TRUE(terminal.shows("e"));
  resize(80, "\x1b[1A");
  terminal.type("\x15");  // all of it away
  say("What is 3+4?", "3+4=7.");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, EndsWithASecondCtrlCAtAnEmptyPrompt) {
  start();
  chat->send(SIGINT);
  ASSERT_TRUE(terminal.shows("Ctrl-C again or Ctrl-D ends the conversation")) << terminal.unseen();
  await_prompt();
  say("What is 3+4?", "3+4=7.");  // what comes between makes it a first one again
  chat->send(SIGINT);
  await_prompt();
  chat->send(SIGINT);
  EXPECT_EQ(chat->wait().exit_code, 130);
}

TEST_F(ChatTerminal, EndsWithSigterm) {
  start();
  terminal.type("some text");
  ASSERT_TRUE(terminal.shows("some text"));
  chat->send(SIGTERM);
  EXPECT_EQ(chat->wait().exit_code, 130);
}

// The answer is held up by a pipe that has no room, however fast the machine is.
TEST_F(ChatTerminal, StopsAnAnswerAndNotTheProgramWithCtrlC) {
  Pipe pipe;
  const int capacity = ::fcntl(pipe.writer(), F_SETPIPE_SZ, 4096);
  ASSERT_GT(capacity, 0);
  const std::string filling(static_cast<std::size_t>(capacity) - 50, '.');
  ASSERT_EQ(::write(pipe.writer(), filling.data(), filling.size()), static_cast<ssize_t>(filling.size()));
  options.stdout_fd = pipe.writer();
  options.args = {"chat", "--temp", "8", "--top-p", "1"};
  start();
  terminal.type("Tell me a story.\r");
  int before = 0;
  for (int now = capacity - 50; now != before; std::this_thread::sleep_for(std::chrono::milliseconds(200))) {
    before = now;
    ASSERT_EQ(::ioctl(pipe.reader(), FIONREAD, &now), 0);
  }
  chat->send(SIGINT);
  chat->send(SIGINT);
  std::vector<char> drained(static_cast<std::size_t>(capacity));
  ASSERT_GT(::read(pipe.reader(), drained.data(), drained.size()), 0);
  await_prompt();
  say("/stats", "ended by interrupted");
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, GoesOnAfterWhatWentWrong) {
  start();
  say("What is 3+4?", "3+4=7.");
  const std::vector<std::string> before = messages();
  say("/frob", "/frob is no command");
  say("/load /nowhere/chat.json", "/nowhere/chat.json");
  say("/save /nowhere/chat.json", "/nowhere/chat.json");
  say(std::string(2000, '7'), "the model was made for no larger");
  EXPECT_EQ(messages(), before);
  EXPECT_EQ(end(), 0);
}

TEST_F(ChatTerminal, RemembersWhatWasTypedForTheNextTime) {
  start();
  say("What is 3+4?", "3+4=7.");
  EXPECT_EQ(end(), 0);
  start();
  say(kUp, "3+4=7.");
  EXPECT_EQ(end(), 0);
  std::ifstream file(home + "/state/bitnet/chat_history");
  std::string line;
  EXPECT_TRUE(std::getline(file, line));
  EXPECT_EQ(line, "\"What is 3+4?\"");
  EXPECT_EQ(fs::status(home + "/state/bitnet").permissions(), fs::perms::owner_all);
}

TEST_F(ChatTerminal, RemembersNothingWhenToldSo) {
  options.args.emplace_back("--no-history");
  start();
  say("What is 3+4?", "3+4=7.");
  EXPECT_EQ(end(), 0);
  EXPECT_FALSE(fs::exists(home + "/state"));
}

TEST_F(ChatTerminal, PutsNothingButAnswersOnStdout) {
  options.stdout_fd = -1;
  start();
  terminal.type("What is 3+4?\r");
  await_prompt();
  terminal.type(kEnd);
  EXPECT_EQ(chat->wait().out, "3+4=7.\n");
}

// Where nothing could be drawn there is no prompt: the lines are taken as they come.
TEST_F(ChatTerminal, IsNeededForAPromptOnTheScreenToo) {
  options.stdout_fd = options.stderr_fd = -1;
  chat.emplace(executable(), options);
  terminal.type("What is 3+4?\n" + kEnd);
  const ChildResult result = chat->wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "3+4=7.\n");
  EXPECT_TRUE(lacks(result.err, ">"));
}

}  // namespace
}  // namespace bitnet::test
