// --think, for models whose template knows of thinking and for others.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/chat/talk.h"
#include "cli/chat/terminal.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"
#include "support/thinking_model.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int>;

class CliThinking : public ::testing::Test {
 protected:
  Args with(Args args, const Args& more) const {
    args.insert(args.end(), {"-m", file_.path()});
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  Args run(const Args& more) const {
    return with({"run", "-q", "-p", "a", "-n", "4", "--template", "auto"}, more);
  }
  std::string text_of_ids(const Json& ids) const {
    Args args{"detokenize", "--special", "-m", file_.path()};
    for (const Json& id : ids) args.push_back(id.dump());
    return text_of(args);
  }

  TempFile file_{thinking_model().to_gguf().build()};
  TempFile begins_{thinking_model(kBeginsToThink).to_gguf().build()};
};

TEST_F(CliThinking, IsAsTheTemplateHasItUnlessAsked) {
  const auto object = [&](const Args& more) {
    Args args = run(more);
    args.emplace_back("--json");
    return parse_json(text_of(args));
  };
  const std::string asked = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n";
  for (const Args& on : {Args{}, Args{"--think", "on"}, Args{"--think", "off", "--think", "on"}}) {
    const Json json = object(on);
    EXPECT_EQ(json.at("options").at("think"), "on");
    EXPECT_EQ(text_of_ids(json.at("prompt").at("ids")), asked);
  }
  const Json off = object({"--think", "off"});
  EXPECT_EQ(off.at("options").at("think"), "off");
  EXPECT_EQ(text_of_ids(off.at("prompt").at("ids")), asked + "<think>\n\n</think>\n\n");
  EXPECT_EQ(object({"--template", "falcon3"}).at("options").at("think"), nullptr);
  EXPECT_EQ(object({"--template", "raw"}).at("options").at("think"), nullptr);
}

TEST_F(CliThinking, HoldsForScoresAndTraces) {
  const Json score = parse_json(text_of(
      with({"run", "-q", "-p", "a", "--choice", "b", "--template", "auto", "--json"}, {"--think", "off"})));
  EXPECT_EQ(score.at("options").at("think"), "off");
  EXPECT_TRUE(text_of_ids(score.at("prompt").at("ids")).ends_with("</think>\n\n"));
  const Args trace = with({"trace", "-p", "a", "--template", "auto"}, {});
  EXPECT_NE(text_of(with({"trace", "-p", "a", "--template", "auto"}, {"--think", "off"})), text_of(trace));
}

TEST_F(CliThinking, IsRefusedWhereThereIsNoneToTurnOnOrOff) {
  const std::string canary =
      refusal(run_bitnet(Args{"run", "-p", "a", "--template", "auto", "--think", "on"}), 2);
  EXPECT_TRUE(has(canary, "--think on: its template, bitnet, has no thinking"));
  ChildResult raw = run_bitnet(Args{"run", "-p", "a", "--think", "off"});
  EXPECT_TRUE(has(refusal(raw, 2), "--think needs a template"));
  EXPECT_TRUE(has(refusal(run_bitnet(run({"--template", "falcon3", "--think", "off"})), 2),
                  "its template, falcon3, has no thinking"));
  EXPECT_TRUE(
      has(refusal(run_bitnet(run({"--think", "maybe"})), 2), "--think 'maybe' is neither on nor off"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "--ids", "1", "--think", "on"}), 2), "--ids"));
  EXPECT_TRUE(has(refusal(talk("a\n", {"--think", "off"}), 2), "has no thinking"));

  const std::string always =
      "{{ '<|im_start|>' }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif "
      "%}";
  const TempFile file(thinking_model(always).to_gguf().build());
  const Args args{"run", "-q", "-m", file.path(), "-p", "a", "-n", "0", "--template", "auto", "--think"};
  Args off = args;
  off.emplace_back("off");
  EXPECT_TRUE(has(refusal(run_bitnet(off), 2), "its template has no such choice"));
  Args on = args;
  on.emplace_back("on");
  EXPECT_EQ(run_bitnet(on).exit_code, 0);
}

TEST_F(CliThinking, IsTurnedOnAndOffInTheMiddleOfATalk) {
  const ChildResult result = talk("/think\na\n/think off\nb\n/think\n/think on\nc\n/think now\n",
                                  {"-n", "3", "-v", "-m", file_.path()});
  for (const char* part : {"think is on\n", "think is off from the next answer on", "think is off\n",
                           "think is on from the next answer on", "/think 'now' is neither on nor off"}) {
    EXPECT_TRUE(has(result.err, part));
  }
  EXPECT_EQ(result.exit_code, 2);
  const ChildResult canary = talk("/think\n/think off\n");
  EXPECT_TRUE(has(canary.err, "this model's template knows no thinking"));
  EXPECT_TRUE(has(canary.err, "has no thinking that could be turned on or off"));
}

// What was thought is kept for whoever reads it, and no part of what the model hears next.
TEST_F(CliThinking, IsSavedAndShownButNotSaidAgain) {
  const TempDirectory directory;
  const std::string path = directory.file("chat.json");
  const std::string thoughtful = R"({"schema":"bitnet.chat","version":1,"messages":[)"
                                 R"({"role":"user","content":"a"},)"
                                 R"({"role":"assistant","content":"<think>\nlong\n</think>\n\nb"}]})";
  const std::string plain = R"({"schema":"bitnet.chat","version":1,"messages":[)"
                            R"({"role":"user","content":"a"},{"role":"assistant","content":"b"}]})";
  const TempFile thought(std::as_bytes(std::span(thoughtful)));
  const TempFile unthought(std::as_bytes(std::span(plain)));
  const Args more{"-n", "5", "-m", file_.path()};
  const ChildResult one = talk("/load " + thought.path() + "\n/show\nc\n/regen\n/save " + path + "\n", more);
  const ChildResult other = talk("/load " + unthought.path() + "\nc\n/regen\n", more);
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(one.out, other.out);
  EXPECT_TRUE(has(one.err, "long"));
  ChildOptions show;
  show.args = {"chat", "-m", file_.path()};
  show.stdin_text = "/load " + path + "\n/show\n";
  EXPECT_TRUE(has(run_bitnet(show).err, "<think>"));
}

TEST_F(CliThinking, IsDimOnATerminalAndPlainElsewhere) {
  const auto shown = [&](const Args& args, const std::map<std::string, std::string>& environment) {
    Terminal terminal;
    ChildOptions options;
    options.args = args;
    options.environment = environment;
    options.stdout_fd = terminal.descriptor();
    EXPECT_EQ(ChildProcess(executable(), options).wait().exit_code, 0);
    return terminal.read_all();
  };
  if (!Terminal().exists()) GTEST_SKIP() << "no pseudoterminals here";
  const Args args{"run", "-q", "-m", begins_.path(), "-p", "a", "-n", "4", "--template", "auto"};
  const std::string dim = shown(args, {});
  EXPECT_TRUE(dim.starts_with("\x1b[2m")) << dim;
  EXPECT_TRUE(has(dim, "\x1b[22m"));
  EXPECT_TRUE(lacks(shown(args, {{"NO_COLOR", "1"}}), "\x1b"));
  EXPECT_TRUE(lacks(text_of(args), "\x1b"));
  Args off = args;
  off.insert(off.end(), {"--think", "off", "-n", "0"});
  EXPECT_TRUE(lacks(shown(off, {}), "\x1b"));
}

TEST_F(CliThinking, IsWarnedAboutWhereTheTemplateHasItInAWayOfItsOwn) {
  const TempFile file(
      thinking_model("{{ '<|im_start|>' }}{% if add_generation_prompt %}{{ think('<think>') }}"
                     "{% endif %}")
          .to_gguf()
          .build());
  const ChildResult result =
      run_bitnet(Args{"run", "-m", file.path(), "-p", "a", "-n", "0", "--template", "auto"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(
      has(result.err, "warning: the model's template has it think in a way that this program does not know"));
  EXPECT_TRUE(has(text_of({"inspect", file.path()}), "warning: thinking: the template has the model think"));
}

TEST_F(CliThinking, IsFoundByInspect) {
  EXPECT_TRUE(has(text_of({"inspect", file_.path()}), "the template lets the model think before it answers"));
  EXPECT_TRUE(has(text_of({"inspect", file_.path()}), "--think off and --think on"));
  EXPECT_TRUE(lacks(text_of({"inspect"}), "thinking"));
}

}  // namespace
}  // namespace bitnet::test
