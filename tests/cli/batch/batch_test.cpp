// bitnet batch: the same records whatever runs beside what, however often it was stopped.
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;
using Args = std::vector<std::string>;

class CliBatch : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return directory_.file(name); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  // Of mixed lengths and options, some of them wrong and one of them blank.
  std::string requests(std::size_t n) const {
    std::string all;
    for (std::size_t i = 0; i < n; ++i) {
      Json request{{"prompt", i % 3 == 0 ? "Once upon a time" : "The capital of France is"}, {"id", i}};
      request["max_tokens"] = 2 + i * 5 % 40;
      if (i % 4 == 1) request.update({{"temperature", 0.9}, {"seed", i}});
      if (i % 9 == 5) request["max_tokens"] = -7;
      all += i == 3 ? " \n" : request.dump() + "\n";
    }
    return write("requests.jsonl", all);
  }

  TempDirectory directory_;
};

Args batch(Args args) { return with({"batch", "-q"}, args); }

ChildOptions options_of(Args args, std::string stdin_text = "") {
  ChildOptions options;
  options.args = std::move(args);
  options.stdin_text = std::move(stdin_text);
  return options;
}

TEST_F(CliBatch, AnswersInTheOrderOfTheRequestsWhateverRunsAtOnce) {
  const std::string input = requests(24);
  const ChildResult one = run_bitnet(batch({input, "--sequences", "1"}));
  EXPECT_EQ(one.exit_code, 1) << one.err;  // some requests are wrong
  const std::vector<std::string> lines = lines_of(one.out);
  ASSERT_EQ(lines.size(), 23);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json record = Json::parse(lines[i]);
    const std::size_t line = i < 3 ? i + 1 : i + 2;
    EXPECT_EQ(record["line"], line);
    EXPECT_EQ(record["schema"], "bitnet.batch");
    EXPECT_EQ(record.contains("error"), (line - 1) % 9 == 5) << lines[i];
    if (!record.contains("error")) {
      EXPECT_EQ(record["id"], line - 1);
    }
  }
  for (const char* n : {"2", "24"}) EXPECT_EQ(run_bitnet(batch({input, "--sequences", n})).out, one.out);
  EXPECT_PRED2(has, one.err, "3 of 23 requests failed");
}

TEST_F(CliBatch, GivesTheTextThatRunGives) {
  const std::string input = write(
      "in.jsonl",
      R"({"prompt": "Once upon a time", "max_tokens": 30, "temp": 0.8, "top_k": 40, "seed": 5, "stop": "day"})"
      "\n"
      R"({"messages": [{"role": "user", "content": "What is the capital of Italy?"}]})"
      "\n"
      R"({"prompt": "What is the capital of Italy?", "template": "auto", "system": "Be brief."})"
      "\n"
      R"({"ids": [1, 5, 9], "max_tokens": 4, "ignore_eos": true})");
  const std::vector<Args> alone{
      {"-p", "Once upon a time", "-n", "30", "--temp", "0.8", "--top-k", "40", "--seed", "5", "--stop",
       "day"},
      {"-p", "What is the capital of Italy?", "--template", "auto"},
      {"-p", "What is the capital of Italy?", "--template", "auto", "--system", "Be brief."},
      {"--ids", "1,5,9", "-n", "4", "--ignore-eos"}};
  const std::vector<std::string> lines = lines_of(text_of(batch({input})));
  ASSERT_EQ(lines.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const Json record = Json::parse(lines[i]);
    const Json run = Json::parse(text_of(with({"run", "-q", "--json"}, alone[i])));
    EXPECT_EQ(record["text"], run["text"]);
    EXPECT_EQ(record["reason"], run["reason"]);
    EXPECT_EQ(record["n_prompt"], run["prompt"]["ids"].size());
    std::vector<int> ids;
    for (const Json& token : run["tokens"]) ids.push_back(token["id"]);
    EXPECT_EQ(record["tokens"], ids);
  }
}

TEST_F(CliBatch, TakesFromTheCommandLineWhatARequestDoesNotSay) {
  const std::string input = write("in.jsonl", R"({"prompt": "Once upon a time"})"
                                              "\n"
                                              R"({"prompt": "Once upon a time", "max_tokens": 3})");
  const auto lines = lines_of(text_of(batch({input, "-n", "5"})));
  EXPECT_EQ(Json::parse(lines.at(0))["tokens"].size(), 5);
  EXPECT_EQ(Json::parse(lines.at(1))["tokens"].size(), 3);
}

TEST_F(CliBatch, GivesLogprobsAsRunDoes) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2, "logprobs": 3})");
  const Json record = Json::parse(text_of(batch({input})));
  const Json run = Json::parse(text_of({"run", "-q", "--json", "--logprobs", "3", "-n", "2", "2 + 2 ="}));
  ASSERT_EQ(record["logprobs"].size(), 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(record["logprobs"][i]["logprob"], run["tokens"][i]["logprob"]);
    EXPECT_EQ(record["logprobs"][i]["top"], run["tokens"][i]["top"]);
  }
}

TEST_F(CliBatch, SaysOfEachBadLineWhatIsWrongWithItAndGoesOn) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[";
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"nonsense", "is not JSON"},
      {"[1]", "object"},
      {R"({"promt": "a"})", "did you mean 'prompt'?"},
      {R"({"id": 1})", "give one of them"},
      {R"({"prompt": "a", "ids": [1]})", "give one of them"},
      {R"({"prompt": 5})", "prompt"},
      {R"({"prompt": "a", "prompt": "b"})", "prompt"},
      {R"({"ids": [1000000]})", "outside the vocabulary"},
      {R"({"ids": []})", "ids"},
      {R"({"prompt": "a", "temperature": 1e99})", "temperature"},
      {R"({"prompt": "a", "seed": -1})", "seed"},
      {R"({"prompt": "a", "top_k": 4})", "greedy"},
      {R"({"prompt": "a", "stop": [""]})", "stop"},
      {R"({"prompt": "a", "id": [1]})", "id must be"},
      {R"({"messages": []})", "messages"},
      {R"({"prompt": "a", "template": "none"})", "template"},
      {"{\"prompt\": \"\xFF\"}", "UTF-8"},
      {R"({"prompt": )" + deep, ""}};
  std::string input;
  for (const auto& [line, part] : wrong) input += line + "\n";
  input += R"({"prompt": "2 + 2 =", "max_tokens": 2})";
  const ChildResult result = run_bitnet(batch({write("in.jsonl", input)}));
  EXPECT_EQ(result.exit_code, 1);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), wrong.size() + 1);
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    const Json record = Json::parse(lines[i]);
    EXPECT_PRED2(has, record["error"]["message"].get<std::string>(), wrong[i].second) << wrong[i].first;
  }
  EXPECT_EQ(Json::parse(lines.back())["text"], "4.");
}

TEST_F(CliBatch, GoesOnAfterBeingKilledWithoutLosingOrRepeatingALine) {
  const std::string input = requests(60);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::string output = file("out.jsonl");
  int n_killed = 0;
  for (int i = 0; i < 40; ++i) {
    ChildProcess child(executable(), options_of(batch({input, "-o", output, "--resume", "-t", "1"})));
    // Until it has written some more: it is stopped somewhere in the middle of its work.
    const std::size_t before = std::filesystem::exists(output) ? std::filesystem::file_size(output) : 0;
    for (int wait = 0; wait < 100'000; ++wait) {
      if (std::filesystem::exists(output) && std::filesystem::file_size(output) > before) break;
      if (before >= whole.size()) break;
      ::usleep(200);
    }
    if (before >= whole.size()) break;
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

TEST_F(CliBatch, DoesNotGoOnWithAnotherInputOrOtherOptions) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::string output = file("out.jsonl");
  text_of(batch({input, "-o", output}));
  const std::string before = content_of(output);
  const Args again = batch({input, "-o", output, "--resume"});
  EXPECT_EQ(run_bitnet(again).exit_code, 0);
  EXPECT_PRED2(has, refusal(run_bitnet(with(again, {"--ignore-eos"})), 3), "other options");
  EXPECT_PRED2(has, refusal(run_bitnet(with(again, {"-m", kRandom})), 3), "another model");
  write("in.jsonl", R"({"prompt": "2 + 3 =", "max_tokens": 2})");
  EXPECT_PRED2(has, refusal(run_bitnet(again), 3), "line 1");
  EXPECT_PRED2(has, refusal(run_bitnet(batch({input, "-o", output})), 2), "--resume");
  EXPECT_PRED2(has, refusal(run_bitnet(batch({input, "-o", input})), 2), "is the input itself");
  const Json record = Json::parse(before);
  EXPECT_EQ(record["key"].get<std::string>().size(), 16U);
  EXPECT_EQ(record["settings"].get<std::string>().size(), 16U);
  const std::string foreign = write("foreign.txt", "my diary");
  EXPECT_PRED2(has, refusal(run_bitnet(batch({input, "-o", foreign, "--resume"})), 3), "no record");
  EXPECT_EQ(content_of(foreign), "my diary");
  EXPECT_EQ(content_of(output), before);
}

TEST_F(CliBatch, JoinsThePartsToWhatOneProcessGives) {
  const std::string input = requests(20);
  const std::string whole = run_bitnet(batch({input})).out;
  Args merge{"batch"};
  std::string in_order;
  for (const char* part : {"1", "2", "3"}) {
    const std::string output = file(std::string("part") + part);
    run_bitnet(batch({input, "-o", output, "--shard", std::string(part) + "/3", "--unordered"}));
    merge.insert(merge.begin() + 1, {"--merge", output});
  }
  EXPECT_EQ(run_bitnet(merge).out, whole);
  EXPECT_EQ(
      run_bitnet(batch({input, "--lines", "1-10"})).out + run_bitnet(batch({input, "--lines", "11-99"})).out,
      whole);
  merge.erase(merge.begin() + 3, merge.begin() + 5);
  EXPECT_PRED2(has, run_bitnet(merge).err, "no record of lines 4, 8-14");
  const std::string other =
      write("other", R"({"schema":"bitnet.batch","version":1,"line":1,"settings":"x","key":"x"})"
                     "\n");
  EXPECT_PRED2(has, refusal(run_bitnet(with(merge, {"--merge", other})), 3), "record of line 1 is another");
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
  EXPECT_PRED2(has, refused({"--lines", "1-3"}), "not asked for");
  EXPECT_PRED2(has, refused({"-n", "7"}), "other options");
  std::string changed = content_of(input);
  changed.replace(changed.rfind("Once"), 4, "What");
  const std::vector<std::string> records = lines_of(whole);
  write("requests.jsonl", changed);
  write("out.jsonl", whole.substr(whole.find('\n') + 1) + R"({"schema":)");
  EXPECT_PRED2(has, refused({}), "another request");
  EXPECT_EQ(content_of(output), whole.substr(whole.find('\n') + 1) + R"({"schema":)");
}

TEST_F(CliBatch, TellsModelsApartByTheirWeights) {
  const std::string input = write("in.jsonl", R"({"ids": [1, 2], "max_tokens": 1})");
  const std::string output = file("out.jsonl");
  for (const char* seed : {"1", "2"}) {
    text_of({"synth", "-q", "--preset", "tiny", "--seed", seed, "-o", file(std::string("model") + seed)});
  }
  text_of(batch({input, "-m", file("model1"), "-o", output}));
  EXPECT_PRED2(has, refusal(run_bitnet(batch({input, "-m", file("model2"), "-o", output, "--resume"})), 3),
               "another model");
}

TEST_F(CliBatch, JoinsOnlyThePartsOfOneInputAndOneWayOfAnsweringIt) {
  const std::string input = requests(9);
  const std::string whole = run_bitnet(batch({input})).out;
  const std::vector<std::string> parts{file("1"), file("2"), file("3")};
  for (std::size_t i = 0; i < 3; ++i) {
    run_bitnet(batch({input, "-o", parts[i], "--shard", std::to_string(i + 1) + "/3"}));
  }
  const auto merge = [](const Args& named) {
    Args args{"batch"};
    for (const std::string& part : named) args.insert(args.end(), {"--merge", part});
    return args;
  };
  EXPECT_EQ(run_bitnet(with(merge(parts), {input})).out, whole);
  EXPECT_PRED2(has, refusal(run_bitnet(with(merge({parts[0], parts[1]}), {input})), 3),
               "no part has a record of lines 7-9");
  run_bitnet(batch({input, "-o", file("other"), "--shard", "3/3", "-c", "64"}));
  EXPECT_PRED2(has, refusal(run_bitnet(merge({parts[0], parts[1], file("other")})), 3), "other options");
  const std::string text = content_of(input);
  write("requests.jsonl", text.substr(0, text.rfind('{')));
  EXPECT_PRED2(has, refusal(run_bitnet(with(merge(parts), {input})), 3), "1 records of lines");
  write("requests.jsonl", text + "\n");
  EXPECT_EQ(run_bitnet(with(merge(parts), {input})).out, whole);
  std::string changed = text;
  changed.replace(changed.find("Once"), 4, "What");
  write("requests.jsonl", changed);
  EXPECT_PRED2(has, refusal(run_bitnet(with(merge(parts), {input})), 3), "another request");
}

TEST_F(CliBatch, ReadsStdinAndTellsOfLostOutput) {
  const std::string input = requests(5);
  const ChildResult piped = run_bitnet(options_of(batch({"-"}), content_of(input)));
  EXPECT_EQ(piped.out, run_bitnet(batch({input})).out);
  expect_lost_output_is_told(batch({input}));
  EXPECT_PRED2(has, refusal(run_bitnet(batch({input, "-o", "/dev/full"})), 1), "No space left");
}

TEST_F(CliBatch, RefusesWhatItCannotDo) {
  const std::string input = requests(3);
  for (const auto& [args, part] :
       std::vector<std::pair<Args, std::string>>{{{}, "no input"},
                                                 {{input, "--shard", "4/3"}, "--shard 4/3"},
                                                 {{input, "--shard", "2"}, "give I/N"},
                                                 {{"-", "--shard", "1/2"}, "needs a file"},
                                                 {{input, "--lines", "5-4"}, "--lines 5-4"},
                                                 {{input, "--lines", "0"}, "--lines 0"},
                                                 {{input, "--resume"}, "-o FILE"},
                                                 {{input, "--profile"}, "--profile"},
                                                 {{input, "--sequences", "0"}, "--sequences"},
                                                 {{input, "--kv-tokens", "5"}, "--kv-tokens"},
                                                 {{input, "--top-k", "5"}, "--top-k"}}) {
    EXPECT_PRED2(has, refusal(run_bitnet(batch(args)), 2), part);
  }
  EXPECT_PRED2(has, refusal(run_bitnet(batch({file("none")})), 3), "cannot be read");
  EXPECT_PRED2(has, refusal(run_bitnet(batch({directory_.path()})), 3), "is a directory");
}

}  // namespace
}  // namespace bitnet::test
