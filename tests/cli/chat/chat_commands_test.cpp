// The commands of bitnet chat, and what it says of answers and files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/chat/talk.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

TEST(ChatCommands, NeverReplaceAFileThatIsNoSavedConversation) {
  const TempDirectory directory;
  const std::string path = directory.file("keep");
  for (const std::string text : {"my only copy\n", "{}", R"({"schema":"bitnet.run","version":1})", "[1, 2",
                                 "\xFF\xFE", R"({"schema":"bitnet.chat","version":2,"messages":[]})"}) {
    write_file(path, text);
    const std::string error = refusal(talk("/save " + path + "\n"), 2);
    EXPECT_TRUE(has(error, path + ": there is a file that is no saved conversation"));
    EXPECT_EQ(content_of(path), text);
  }
  EXPECT_EQ(directory.n_files(), 1);
}

TEST(ChatCommands, SayThatASavedConversationIsReplaced) {
  const TempDirectory directory;
  const std::string path = directory.file("talk.json");
  write_file(path, "");  // nothing is lost
  EXPECT_TRUE(lacks(talk("/save " + path + "\n").err, "in place of"));
  const ChildResult again = talk("What is 3+4?\n/save " + path + "\n");
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_TRUE(has(again.err, "saved 1 turn to " + path + ", in place of the conversation that was there"));
  EXPECT_EQ(parse_json(content_of(path)).at("messages").size(), 2U);
  EXPECT_EQ(directory.n_files(), 1);
}

TEST(ChatCommands, TellWhenAConversationWasHeldWithAnotherModelOrTemplate) {
  const TempDirectory directory;
  const std::string path = directory.file("talk.json");
  const auto loading = [&](const std::string& model, const std::string& chat_template) {
    const Json chat{{"schema", "bitnet.chat"},
                    {"version", 1},
                    {"model", model},
                    {"template", chat_template},
                    {"messages", Json::array()}};
    write_file(path, chat.dump());
    const ChildResult result = talk("/load " + path + "\n");
    EXPECT_EQ(result.exit_code, 0);
    return result.err;
  };
  EXPECT_TRUE(lacks(loading("built-in canary", "bitnet"), "warning"));
  EXPECT_TRUE(lacks(loading("", ""), "warning"));
  const std::string err = loading("/models/other\n.gguf", "chatml");
  EXPECT_TRUE(has(err, "warning: it was held with another model, /models/other\\n.gguf"));
  EXPECT_TRUE(has(err, "warning: it was held in another template, chatml; this goes on in bitnet"));
}

TEST(ChatCommands, TakeTheLastTurnBack) {
  const ChildResult result = talk("What color is the sky?\nWhat is 3+4?\n/undo\n/show\n/undo\n/show\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "took back the last turn; 1 turn left\n> What color is the sky?\n"));
  EXPECT_TRUE(has(result.err, "\nThe sky is blue.\n"));
  EXPECT_TRUE(result.err.ends_with("0 turns left\nnothing has been said\n")) << result.err;
  EXPECT_TRUE(has(refusal(talk("/undo\n"), 2), "nothing yet"));
}

// What a file brought in reaches no terminal as it is.
TEST(ChatCommands, ShowTheConversationWithoutItsControls) {
  const TempDirectory directory;
  const std::string path = directory.file("talk.json");
  write_file(path,
             R"({"schema":"bitnet.chat","version":1,"messages":[{"role":"system","content":"a\u001b[2Jb"},)"
             R"({"role":"user","content":"one\ntwo"},{"role":"assistant","content":""}]})");
  const ChildResult result = talk("/load " + path + "\n/show\n/system\n", {"-q"});
  EXPECT_EQ(result.err, "system: a\\x1b[2Jb\n> one\n  two\n\na\\x1b[2Jb\n");
}

TEST(ChatCommands, SetHowTheNextAnswersAreSampled) {
  const std::string story = "Tell me a story.\n";
  const auto told = [&](const std::string& before, const Args& more) {
    const ChildResult result = talk(before + story, more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(told("/set temp 5\n/set top_p = 1\n/set seed 7\n/set max-tokens 12\n", {}),
            told("/set temperature 5\n/set top-p 1\n/set seed 7\n/set n 12\n", {}));
  EXPECT_NE(told("/set temperature 5\n/set seed 7\n", {"-n", "12"}), told("", {"-n", "12"}));
  EXPECT_EQ(told("/set temp 5\n/set temp 0\n", {"-n", "12"}), told("", {"-n", "12"}));
  const ChildResult shown = talk("/set seed 7\n/set\n");
  EXPECT_TRUE(has(shown.err, "seed is now 7"));
  EXPECT_TRUE(has(shown.err, "\nseed            7 "));
}

TEST(ChatCommands, RefuseSettingsThatThereAreNot) {
  for (const auto& [line, part] : std::vector<std::pair<std::string, std::string>>{
           {"/set frob 1", "nothing called 'frob' to set; choose from temp, top-k, "},
           {"/set temp", "/set temp needs a value"},
           {"/set temp warm", "temp 'warm': give a number"},
           {"/set temp -1", "temp"},
           {"/set top-p 2", "top-p"},
           {"/set max-tokens 0", "max-tokens: give a count"},
           {"/set n -2", "max-tokens: give a count"},
       }) {
    EXPECT_TRUE(has(refusal(talk(line + "\n"), 2), part));
  }
}

TEST(ChatCommands, NameTheNearestForOneThatThereIsNot) {
  for (const auto& [typed, meant] : std::vector<std::pair<std::string, std::string>>{{"/svae", "save"},
                                                                                     {"/stat", "stats"},
                                                                                     {"/hepl", "help"},
                                                                                     {"/clera", "clear"},
                                                                                     {"/regenerate", "regen"},
                                                                                     {"/Save", "save"}}) {
    EXPECT_TRUE(has(refusal(talk(typed + " x\n"), 2), "did you mean /" + meant + "?")) << typed;
  }
  EXPECT_TRUE(lacks(refusal(talk("/frobnicate\n"), 2), "did you mean"));
}

TEST(ChatCommands, EndTheTalkUnderAnyOfTheirNames) {
  for (const char* name : {"/exit", "/quit", "/bye"}) {
    const ChildResult result = talk(std::string(name) + "\nWhat is 3+4?\n");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "");
  }
  EXPECT_TRUE(has(talk("/?\n", {"-q"}).err, "/system [TEXT]"));
}

TEST(ChatAnswers, AreSaidToBeCut) {
  EXPECT_TRUE(has(talk("Tell me a story.\n", {"-n", "5"}).err,
                  "info: the answer was cut after 5 tokens, as --max-tokens says"));
  EXPECT_TRUE(lacks(talk("What is 3+4?\n").err, "cut"));
  const ChildResult full = talk("What is 3+4?\n", {"-c", "24", "--ignore-eos"});
  EXPECT_TRUE(has(full.err,
                  "the context of 24 tokens is full; the next turn makes room, and --ctx-size may be "
                  "up to 512"));
}

TEST(ChatAnswers, EndBeforeAStopOrGoOnPastTheirEnd) {
  EXPECT_EQ(talk("What color is the sky?\n", {"--stop", " blue", "--stop", "x"}).out, "The sky is\n");
  const std::string past = talk("What is 3+4?\n", {"--ignore-eos", "-n", "20"}).out;
  EXPECT_TRUE(past.starts_with("3+4=7.")) << past;
  EXPECT_GT(past.size(), std::string("3+4=7.\n").size());
}

TEST(ChatAnswers, BeginWithTheMessageOfTheCommandLine) {
  EXPECT_EQ(talk("What color is the sky?\n", {"What is 3+4?"}).out, "3+4=7.\nThe sky is blue.\n");
  EXPECT_EQ(talk("", {"-p", "What is 3+4?"}).out, "3+4=7.\n");
  EXPECT_TRUE(has(refusal(talk("", {"model.gguf"}), 3), "model.gguf: cannot open the file"));
}

// Asked for by name, it is told however quiet the rest.
TEST(ChatAnswers, AreProfiledEachByItself) {
  const std::string err = talk("What is 3+4?\nWhat is 3+4?\n", {"-q", "--profile"}).err;
  std::size_t n = 0;
  for (const std::string& line : lines_of(err)) {
    EXPECT_TRUE(line.starts_with("profile: ")) << line;
    n += line.find("down product") != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(n, 2U);
}

}  // namespace
}  // namespace bitnet::test
