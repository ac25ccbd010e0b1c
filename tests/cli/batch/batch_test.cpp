// bitnet batch: the same records whatever runs beside what, and an error for each request that cannot be had.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/batch/batch_fixture.h"
#include "cli/json_schema.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

std::string text_in(const std::string& record) { return parse_json(record).at("text"); }

TEST_F(CliBatch, AnswersInTheOrderOfTheRequestsWhateverRunsAtOnce) {
  const std::string input = requests(24);
  const ChildResult one = run_bitnet(batch({input, "--sequences", "1"}));
  EXPECT_EQ(one.exit_code, 1) << one.err;  // some requests are wrong
  const std::vector<std::string> lines = lines_of(one.out);
  ASSERT_EQ(lines.size(), 23);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json record = parse_json(lines[i]);
    const std::size_t line = i < 3 ? i + 1 : i + 2;
    EXPECT_EQ(record["line"], line);
    EXPECT_EQ(record["schema"], "bitnet.batch");
    EXPECT_EQ(record.contains("error"), (line - 1) % 9 == 5) << lines[i];
    if (!record.contains("error")) {
      EXPECT_EQ(record["id"], line - 1);
    }
  }
  for (const char* n : {"2", "24"}) EXPECT_EQ(run_bitnet(batch({input, "--sequences", n})).out, one.out);
  EXPECT_TRUE(has(one.err, "3 of 23 requests failed"));
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
    const Json record = parse_json(lines[i]);
    const Json run = parse_json(text_of(with({"run", "-q", "--json"}, alone[i])));
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
  EXPECT_EQ(parse_json(lines.at(0))["tokens"].size(), 5);
  EXPECT_EQ(parse_json(lines.at(1))["tokens"].size(), 3);
}

// As in `run`, where greedy that was asked for by name stands beside other sampling options.
TEST_F(CliBatch, LetsALinesSamplingStandBesideGreedyOnTheCommandLine) {
  const std::string input =
      write("in.jsonl",
            R"({"prompt": "Once upon a time", "max_tokens": 20, "top_k": 4, "seed": 3})"
            "\n"
            R"({"prompt": "Once upon a time", "max_tokens": 20, "top_k": 4, "seed": 3, "temperature": 2})");
  const Args alone{"run", "-q", "-p", "Once upon a time", "-n", "20", "--top-k", "4", "--seed", "3"};
  const std::string greedy = text_of(with(alone, {"--greedy"}));
  const std::string sampled = text_of(with(alone, {"--temp", "2"}));
  ASSERT_NE(greedy, sampled);
  for (const Args& args : {Args{"--greedy"}, Args{"--temp", "0"}}) {
    const auto lines = lines_of(text_of(with(batch({input}), args)));
    EXPECT_EQ(text_in(lines.at(0)), greedy);
    EXPECT_EQ(text_in(lines.at(1)), sampled);
  }
  // Where nobody asked for greedy, the first line's options can only be a mistake.
  const std::string output = file("out.jsonl");
  EXPECT_EQ(run_bitnet(batch({input, "-o", output})).exit_code, 1);
  const auto lines = lines_of(content_of(output));
  EXPECT_TRUE(has(parse_json(lines.at(0)).at("error").at("message").get<std::string>(), "greedy"));
  EXPECT_EQ(text_in(lines.at(1)), sampled);
  EXPECT_TRUE(
      has(refusal(run_bitnet(batch({input, "-o", output, "--resume", "--greedy"})), 3), "other options"));
}

TEST_F(CliBatch, TakesSamplingOptionsForTheLinesThatSample) {
  const std::string input =
      write("in.jsonl", R"({"prompt": "Once upon a time", "max_tokens": 20, "temperature": 2})"
                        "\n"
                        R"({"prompt": "Once upon a time", "max_tokens": 20})");
  const auto lines = lines_of(text_of(batch({input, "--seed", "3", "--top-k", "4"})));
  const Args alone{"run", "-q", "-p", "Once upon a time", "-n", "20"};
  EXPECT_EQ(text_in(lines.at(0)), text_of(with(alone, {"--temp", "2", "--seed", "3", "--top-k", "4"})));
  EXPECT_EQ(text_in(lines.at(1)), text_of(alone));
  const std::string greedy = write("greedy.jsonl", R"({"prompt": "Once upon a time", "max_tokens": 2})");
  EXPECT_TRUE(has(run_bitnet({"batch", greedy, "--seed", "3"}).err, "--seed had no effect"));
  EXPECT_TRUE(lacks(run_bitnet({"batch", input, "--seed", "3"}).err, "no effect"));
}

TEST_F(CliBatch, AnswersAfterALineThatIsTooLong) {
  const std::string input = write("in.jsonl", R"({"prompt": ")" + std::string(16 << 20, 'a') + "\"}\n" +
                                                  R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const ChildResult result = run_bitnet(batch({input}));
  EXPECT_EQ(result.exit_code, 1);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 2);
  EXPECT_TRUE(
      has(parse_json(lines[0]).at("error").at("message").get<std::string>(), "more than 16777216 bytes"));
  EXPECT_EQ(parse_json(lines[1]).at("text"), "4.");
}

TEST_F(CliBatch, GivesLogprobsAsRunDoes) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2, "logprobs": 3})");
  const Json record = parse_json(text_of(batch({input})));
  const Json run = parse_json(text_of({"run", "-q", "--json", "--logprobs", "3", "-n", "2", "2 + 2 ="}));
  ASSERT_EQ(record["logprobs"].size(), 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(record["logprobs"][i]["logprob"], run["tokens"][i]["logprob"]);
    EXPECT_EQ(record["logprobs"][i]["top"], run["tokens"][i]["top"]);
  }
}

TEST_F(CliBatch, RecordsFitTheirSchema) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2}
{"promt": "a"}
{"prompt": "2 + 2 =", "max_tokens": 2, "logprobs": 3, "id": "a"})");
  const auto lines = lines_of(run_bitnet(batch({input})).out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(misfits("batch", parse_json(lines[0])), "");
  EXPECT_EQ(misfits("batch", parse_json(lines[1])), "");
  Json all = parse_json(lines[2]);  // what is there where it was asked for too
  EXPECT_EQ(violations(load_schema("batch"), all), "");
  all["logprobs"][0]["top"][0].erase("bytes");
  EXPECT_NE(violations(load_schema("batch"), all), "");
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
    const Json record = parse_json(lines[i]);
    EXPECT_TRUE(has(record["error"]["message"].get<std::string>(), wrong[i].second)) << wrong[i].first;
  }
  EXPECT_EQ(parse_json(lines.back())["text"], "4.");
}

TEST_F(CliBatch, ReadsStdinAndTellsOfLostOutput) {
  const std::string input = requests(5);
  const ChildResult piped = run_bitnet(options_of(batch({"-"}), content_of(input)));
  EXPECT_EQ(piped.out, run_bitnet(batch({input})).out);
  expect_lost_output_is_told(batch({input}));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({input, "-o", "/dev/full"})), 1), "No space left"));
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
                                                 {{input, "--lines", "3-"}, "--lines '3-': give two lines'"},
                                                 {{input, "--lines", "-3"}, "--lines"},
                                                 {{input, "--resume"}, "-o FILE"},
                                                 {{input, "--profile"}, "--profile"},
                                                 {{input, "--sequences", "0"}, "--sequences"},
                                                 {{input, "--kv-tokens", "5"}, "--kv-tokens"},
                                                 {{input, "--temp", "-1"}, "--temp"}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(batch(args)), 2), part));
  }
  EXPECT_TRUE(has(refusal(run_bitnet(batch({file("none")})), 3), "cannot be read"));
  EXPECT_TRUE(has(refusal(run_bitnet(batch({directory_.path()})), 3), "is a directory"));
}

}  // namespace
}  // namespace bitnet::test
