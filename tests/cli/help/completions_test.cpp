// bitnet completions: scripts and a manual page that know every command and option there is.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <span>
#include <utility>

#include "cli/chat/terminal.h"
#include "cli/runner.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

const std::string kZsh = "/usr/bin/zsh";
const std::string kFish = "/usr/bin/fish";

struct Command {
  std::string name;
  std::vector<std::string> options;  // long names, as the help lists them
};

std::vector<std::string> options_in(const std::string& help) {
  static const std::regex kOption("^  (?:-\\w, |    )(--[\\w-]+)");
  std::vector<std::string> names;
  for (const std::string& line : lines_of(help)) {
    std::smatch found;
    if (std::regex_search(line, found, kOption)) names.push_back(found[1]);
  }
  return names;
}

// What the help knows.
const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    const std::string help = text_of({"--help"});
    std::vector<Command> found;
    bool listed = false;
    for (const std::string& line : lines_of(help)) {
      if (line == "Commands:") {
        listed = true;
      } else if (listed && line.starts_with("  ") && line[2] != ' ') {
        const std::string name = line.substr(2, line.find(' ', 2) - 2);
        found.push_back({name, options_in(text_of({name, "--help-all"}))});
      } else if (listed && line.empty()) {
        break;
      }
    }
    return found;
  }();
  return all;
}

std::string escaped(const std::string& name) { return std::regex_replace(name, std::regex("-"), "\\-"); }

TEST(Completions, KnowEveryOptionOfEveryCommand) {
  const std::string bash = text_of({"completions", "bash"});
  const std::string zsh = text_of({"completions", "zsh"});
  const std::string fish = text_of({"completions", "fish"});
  const std::string man = text_of({"completions", "man"});
  ASSERT_GE(commands().size(), 5U);
  for (const Command& command : commands()) {
    SCOPED_TRACE(command.name);
    EXPECT_GE(command.options.size(), 1U);
    // The part of each text that is about this command.
    const auto part = [&](const std::string& text, const std::string& begin, const std::string& end) {
      const std::size_t at = text.find(begin);
      if (at == std::string::npos) return std::string();
      return text.substr(at, text.find(end, at + begin.size()) - at);
    };
    const std::string in_bash = part(bash, "\n    '" + command.name + "') words='", ";;\n");
    const std::string in_zsh = part(zsh, "\n        " + command.name + ")\n", ";;\n");
    const std::string in_man = part(man, ".SS \\fBbitnet " + command.name, "\n.S");
    for (const std::string& option : command.options) {
      EXPECT_TRUE(std::regex_search(in_bash, std::regex("[ ']" + option + "[ ']"))) << option;
      EXPECT_TRUE(std::regex_search(in_zsh, std::regex("[ ,']" + option + "['}]"))) << option;
      EXPECT_TRUE(has(fish, std::string("__fish_seen_subcommand_from ").append(command.name).append("'")));
      EXPECT_TRUE(std::regex_search(fish, std::regex("__fish_seen_subcommand_from " + command.name +
                                                     "' .*-l " + option.substr(2) + " ")))
          << option;
      EXPECT_TRUE(has(in_man, "\\fB" + escaped(option) + "\\fR"));
    }
  }
}

class BashCompletions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no bash here";
  }
  // What bash would offer for the last of the words, as it takes a command line apart.
  std::vector<std::string> offers(const Args& words) {
    ChildOptions options;
    options.args = {"-c",
                    "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _bitnet; "
                    "[[ $(complete -p bitnet) == *_bitnet* ]] && printf '%s\\n' \"${COMPREPLY[@]}\"",
                    "bash", script.path()};
    options.args.insert(options.args.end(), words.begin(), words.end());
    const ChildResult result = ChildProcess("/bin/bash", options).wait();
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    return lines_of(result.out);
  }

  const std::string text = text_of({"completions", "bash"});
  TempFile script{std::as_bytes(std::span(text))};
};

TEST_F(BashCompletions, OfferCommandsOptionsAndChoices) {
  EXPECT_EQ(offers({"bitnet", "ru"}), (Args{"run"}));
  EXPECT_EQ(offers({"bitnet", "--ver"}), (Args{"--version"}));
  EXPECT_EQ(offers({"bitnet", "help", "perp"}), (Args{"perplexity"}));
  EXPECT_EQ(offers({"bitnet", "run", "--te"}), (Args{"--template", "--temp"}));
  EXPECT_EQ(offers({"bitnet", "run", "--kv-type", ""}), (Args{"f16", "f32", "q8"}));
  EXPECT_EQ(offers({"bitnet", "run", "--kv-type", "="}), (Args{"f16", "f32", "q8"}));
  EXPECT_EQ(offers({"bitnet", "run", "--kv-type", "=", "f3"}), (Args{"f32"}));
  EXPECT_EQ(offers({"bitnet", "-h", "chat", "--template", "l"}), (Args{"llama3"}));
  EXPECT_EQ(offers({"bitnet", "completions", "z"}), (Args{"zsh"}));
  EXPECT_EQ(offers({"bitnet", "run", "--temp", ""}), (Args{""}));  // a number: nothing to offer
}

TEST_F(BashCompletions, OfferTheNextPartOfAList) {
  EXPECT_EQ(offers({"bitnet", "bench", "--head", "exact,sc"}),
            (Args{"exact,screened", "exact,screened-cached"}));
  EXPECT_EQ(offers({"bitnet", "bench", "--head", "sc"}), (Args{"screened", "screened-cached"}));
}

TEST_F(BashCompletions, OfferModelsAndDirectoriesBeforeOtherFiles) {
  const TempDirectory directory;
  const std::string other = directory.file("a.txt");
  std::ofstream(other) << "x";
  const std::string typed = directory.file("a");
  EXPECT_EQ(offers({"bitnet", "run", "-m", typed}), (Args{other}));  // for want of better ones
  const std::string model = directory.file("a.gguf");
  std::ofstream(model) << "x";
  EXPECT_EQ(offers({"bitnet", "run", "-m", typed}), (Args{model}));
  EXPECT_EQ(offers({"bitnet", "inspect", typed}), (Args{model}));
  EXPECT_EQ(offers({"bitnet", "run", "-f", typed}).size(), 2U);
}

TEST_F(BashCompletions, OfferFilesWhereOneIsWanted) {
  const std::string file = script.path();
  EXPECT_EQ(offers({"bitnet", "run", "-m", file.substr(0, file.size() - 1)}), (Args{file}));
}

// Whether a shell that is installed can read a script.
void expect_readable(const std::string& shell, const std::string& form) {
  if (::access(shell.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << shell << " here";
  const std::string text = text_of({"completions", form});
  const TempFile script(std::as_bytes(std::span(text)));
  ChildOptions options;
  options.args = {"-n", script.path()};
  const ChildResult result = ChildProcess(shell, options).wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

TEST(Completions, CanBeReadByZsh) { expect_readable(kZsh, "zsh"); }
TEST(Completions, CanBeReadByFish) { expect_readable(kFish, "fish"); }

// What fish offers behind such a line.
Args fish_offers(const TempFile& script, const std::string& line) {
  ChildOptions options;
  options.args = {"--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script.path(), line};
  const TempDirectory home;
  options.environment = {{"HOME", home.path()}, {"XDG_CONFIG_HOME", home.path()}};
  const ChildResult result = ChildProcess(kFish, options).wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  Args words;
  for (const std::string& offer : lines_of(result.out)) words.push_back(offer.substr(0, offer.find('\t')));
  return words;
}

TEST(Completions, OfferWordsInFish) {
  if (::access(kFish.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kFish << " here";
  const std::string text = text_of({"completions", "fish"});
  const TempFile script(std::as_bytes(std::span(text)));
  EXPECT_EQ(fish_offers(script, "bitnet ru"), Args{"run"});
  EXPECT_EQ(fish_offers(script, "bitnet run --thi"), Args{"--think"});
  EXPECT_EQ(fish_offers(script, "bitnet run --think "), (Args{"off", "on"}));
  EXPECT_EQ(fish_offers(script, "bitnet completions z"), Args{"zsh"});
  EXPECT_EQ(fish_offers(script, "bitnet inspect --thi"), Args{});
  const TempDirectory directory;
  for (const char* name : {"/a.txt", "/a.gguf"}) std::ofstream(directory.path() + name) << "x";
  const Args files = fish_offers(script, "bitnet run -m " + directory.path() + "/a");
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files.front(), directory.path() + "/a.gguf");
}

// Zsh completes for whoever types, and for nobody else.
TEST(Completions, OfferWordsInZsh) {
  Terminal terminal;
  if (::access(kZsh.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kZsh << " here";
  if (!terminal.exists()) GTEST_SKIP() << "no pseudoterminals here";
  const std::string text = text_of({"completions", "zsh"});
  const TempFile script(std::as_bytes(std::span(text)));
  const TempDirectory home;
  ChildOptions options;
  options.args = {"-f", "-i"};
  options.environment = {{"HOME", home.path()}, {"TERM", "xterm"}, {"LC_ALL", "C"}};
  options.stdin_fd = options.stdout_fd = options.stderr_fd = terminal.descriptor();
  ChildProcess zsh(kZsh, options);
  terminal.type("PS1='ready''> '; autoload -Uz compinit; compinit -u -D; source " + script.path() + "\r");
  for (const auto& [typed, shown] : {std::pair{"bitnet run --thi\t", "bitnet run --think"},
                                     std::pair{"bitnet run --think of\t", "bitnet run --think off"},
                                     std::pair{"bitnet toke\t", "bitnet tokenize"},
                                     std::pair{"bitnet completions fi\t", "bitnet completions fish"}}) {
    ASSERT_TRUE(terminal.shows("ready> ")) << terminal.unseen();
    terminal.type(typed);
    EXPECT_TRUE(terminal.shows(shown)) << terminal.unseen();
    terminal.type("\x15\r");  // not to be run
  }
  zsh.send(SIGKILL);
  zsh.wait();
}

TEST(Completions, AreForShellsThatAreKnown) {
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"completions"}), 2), "bash, zsh, fish"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"completions", "csh"}), 2), "'csh'"));
}

TEST(ManPage, HasTheSectionsThatReadersLookFor) {
  const std::string page = text_of({"completions", "man"});
  for (const char* section : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS",
                              "ENVIRONMENT", "FILES", "EXAMPLES"}) {
    EXPECT_TRUE(has(page, std::string("\n.SH ") + section + "\n"));
  }
}

}  // namespace
}  // namespace bitnet::test
