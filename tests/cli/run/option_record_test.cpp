// Every option of bitnet run either stands in its records or changes no bit. The options are those that the
// program itself says it has, so that a new one cannot be left out here.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <sstream>

#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

// With each value of the options below: enough tokens for a difference, a temperature that makes some.
const Args kBase{"run", "-q", "-p", "Once upon a time", "-n", "4", "--temp", "0.9"};

// Options in the record, with values that change it; and where they stand in it.
struct Recorded {
  Args args;
  std::string place;
};
const std::map<std::string, Recorded> kRecorded{
    {"--model", {{}, "/model"}},    // of the canary under another name: a test of its own
    {"--prompt", {{}, "/prompt"}},  // given once: a test of its own
    {"--ids", {{}, "/prompt"}},     // in place of the prompt
    {"--file", {{}, "/prompt"}},    // in place of the prompt: a test of its own
    {"--template", {{"--template", "auto"}, "/options/template"}},
    {"--think", {{}, "/options/think"}},  // the canary's template knows none: thinking_test.cpp
    {"--system", {{"--template", "auto", "--system", "Be brief."}, "/options/system"}},
    {"--special", {{"--special"}, "/options/special"}},
    {"--max-tokens", {{"-n", "5"}, "/options/max_tokens"}},
    {"--stop", {{"--stop", "xyz"}, "/options/stop"}},
    {"--ignore-eos", {{"--ignore-eos"}, "/options/ignore_eos"}},
    {"--greedy", {{}, "/options/temperature"}},  // excludes --temp: a test of its own
    {"--temp", {{"--temp", "1.1"}, "/options/temperature"}},
    {"--top-k", {{"--top-k", "5"}, "/options/top_k"}},
    {"--top-p", {{"--top-p", "0.9"}, "/options/top_p"}},
    {"--min-p", {{"--min-p", "0.1"}, "/options/min_p"}},
    {"--repeat-penalty", {{"--repeat-penalty", "1.2"}, "/options/repeat_penalty"}},
    {"--repeat-last-n", {{"--repeat-penalty", "1.2", "--repeat-last-n", "3"}, "/options/repeat_window"}},
    {"--seed", {{"--seed", "7"}, "/options/seed"}},
    {"--ctx-size", {{"-c", "64"}, "/options/ctx_size"}},
    {"--kv-type", {{"--kv-type", "f32"}, "/options/kv_type"}},
    {"--activations", {{"--activations", "f32"}, "/options/activations"}},
    {"--hidden-act", {{"--hidden-act", "silu"}, "/options/hidden_act"}},
    {"--i2s-layout", {{"--i2s-layout", "arm"}, "/options/i2s_layout"}},
    {"--head", {{"--head", "int8"}, "/options/head"}},
};

// Options that change no bit of what is recorded, machine and timings apart.
const std::map<std::string, std::vector<Args>> kIdle{
    {"--threads", {{"-t", "1"}, {"-t", "3"}}},
    {"--backend", {{"--backend", "scalar"}}},
    {"--prefill-chunk", {{"--prefill-chunk", "1"}}},
    {"--pin", {{"--pin", "-t", "1"}}},
    {"--weights", {{"--weights", "repack"}}},
    {"--draft", {{"--draft", "off"}, {"--draft", "auto"}, {"--draft", "1"}, {"--draft", "15"}}},
    {"--sparse", {{"--sparse", "on"}, {"--sparse", "off"}}},
    {"--hidden-act", {{"--hidden-act", "auto"}, {"--hidden-act", "relu2"}}},  // the canary's own
    {"--i2s-layout", {{"--i2s-layout", "auto"}, {"--i2s-layout", "x86"}}},
    {"--head", {{"--head", "exact"}, {"--head", "screened"}}},
    {"--head-cache", {}},  // needs a model's file: head_test.cpp
    {"--echo", {{"--echo"}}},
    {"--newline", {{"--newline"}}},
    {"--escape", {{"--escape"}}},  // of what it turns, the characters stand in the record
    {"--json", {{"--json"}}},
    {"--jsonl", {{"--jsonl"}}},
    {"--logprobs", {{"--json", "--logprobs", "3"}}},
    {"--quiet", {}},  // stands in all of these runs
    {"--verbose", {{"-v"}}},
    {"--profile", {{"--profile"}}},
};

// Options of another use of the command, which leaves no receipt.
// --prompt-cache needs a file: a test of its own.
const std::set<std::string> kElsewhere{"--help",  "--help-all", "--no-wrap",     "--receipt",
                                       "--score", "--choice",   "--prompt-cache"};

class OptionRecord : public ::testing::Test {
 protected:
  Json record_of(Args args, const Args& more) {
    args.insert(args.end(), more.begin(), more.end());
    args.insert(args.end(), {"--receipt", path_});
    text_of(args);
    Json receipt = parse_json(content_of(path_));
    receipt.erase("machine");
    receipt.erase("timings");
    return receipt;
  }

 private:
  TempDirectory directory_;
  std::string path_ = directory_.file("receipt.json");
};

// As the completions list them: "complete -c bitnet ... -l NAME".
std::set<std::string> options_of_run() {
  std::set<std::string> names;
  for (const std::string& line : lines_of(text_of({"completions", "fish"}))) {
    if (lacks(line, "__fish_seen_subcommand_from run'")) continue;
    const std::size_t at = line.find(" -l ");
    if (at == std::string::npos) continue;
    std::istringstream rest(line.substr(at + 4));
    std::string name;
    rest >> name;
    names.insert("--" + name);
  }
  return names;
}

TEST_F(OptionRecord, KnowsEveryOptionOfRun) {
  const std::set<std::string> names = options_of_run();
  EXPECT_TRUE(names.contains("--prompt"));
  EXPECT_TRUE(names.contains("--repeat-penalty"));
  EXPECT_TRUE(names.contains("--backend"));
  for (const std::string& name : names) {
    EXPECT_TRUE(kRecorded.contains(name) || kIdle.contains(name) || kElsewhere.contains(name))
        << name << ": put it into the record (run_record.h), or among those that change no bit";
  }
}

TEST_F(OptionRecord, TellsEveryOptionThatChangesSomething) {
  const Json base = record_of(kBase, {});
  for (const auto& [name, recorded] : kRecorded) {
    if (recorded.args.empty()) continue;
    const Json other = record_of(kBase, recorded.args);
    const Json::json_pointer place(recorded.place);
    EXPECT_NE(other.at(place), base.at(place)) << name;
  }
  for (const Args& prompt :
       {Args{"-p", "One day"}, Args{"--ids", "1016,17"}, Args{"-e", "-p", "One\\nday"}}) {
    Args args{"run", "-q", "-n", "4", "--temp", "0.9"};
    args.insert(args.end(), prompt.begin(), prompt.end());
    EXPECT_NE(record_of(args, {}).at("prompt"), base.at("prompt")) << prompt.back();
  }
  EXPECT_EQ(record_of({"run", "-q", "-p", "2+2=", "-n", "1", "--greedy"}, {}).at("options").at("temperature"),
            0);
  const Json of_file =
      record_of({"run", "-q", "-f", BITNET_TEST_DATA "/perplexity/village.txt", "-n", "1"}, {});
  EXPECT_TRUE(has(of_file.at("prompt").at("text").get<std::string>(), "a little girl named Lily"));
}

TEST_F(OptionRecord, LeavesOutOnlyWhatChangesNoBit) {
  const Json base = record_of(kBase, {});
  for (const auto& [name, all] : kIdle) {
    for (const Args& args : all) EXPECT_EQ(record_of(kBase, args), base) << ::testing::PrintToString(args);
  }
}

TEST_F(OptionRecord, HasNothingOfAPromptCache) {
  const Json base = record_of(kBase, {});
  const TempDirectory directory;
  const Args cached{"--prompt-cache", directory.file("prompt.kv")};
  EXPECT_EQ(record_of(kBase, cached), base);  // writes it
  EXPECT_EQ(record_of(kBase, cached), base);
}

TEST_F(OptionRecord, TellsTheModelByItsBytes) {
  std::ifstream in(BITNET_MODELS "/canary.gguf", std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t at = bytes.find("canary");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'C';
  const TempFile file(std::as_bytes(std::span(bytes)));
  const Json base = record_of(kBase, {});
  Json other = record_of(kBase, {"-m", file.path()});
  EXPECT_NE(other.at("model").at("sha256"), base.at("model").at("sha256"));
  EXPECT_EQ(other.at("logits"), base.at("logits"));
}

// Two digests must not have the same options beside them.
TEST_F(OptionRecord, OfTheInt8HeadDiffersFromThatOfTheStoredOne) {
  const Json stored = record_of(kBase, {});
  const Json int8 = record_of(kBase, {"--head", "int8"});
  EXPECT_NE(stored.at("logits"), int8.at("logits"));
  EXPECT_EQ(stored.at("options").at("head"), "stored");
  EXPECT_EQ(int8.at("options").at("head"), "int8");
}

// --json and --jsonl have the same options in them.
TEST_F(OptionRecord, IsTheSameInEveryForm) {
  const Args args{"run", "-q", "-p", "2+2=", "-n", "1", "--temp", "0.5", "--seed", "3", "--head", "int8"};
  const Json receipt = record_of(args, {});
  Args json = args;
  json.emplace_back("--json");
  Args lines = args;
  lines.emplace_back("--jsonl");
  const Json object = parse_json(text_of(json));
  const Json start = parse_json(lines_of(text_of(lines)).front());
  for (const char* field : {"program", "commit", "options"}) {
    EXPECT_EQ(object.at(field), receipt.at(field)) << field;
    EXPECT_EQ(start.at(field), receipt.at(field)) << field;
  }
}

}  // namespace
}  // namespace bitnet::test
