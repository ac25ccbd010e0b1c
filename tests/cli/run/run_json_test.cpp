// bitnet run --json, --jsonl and --logprobs: the fields, held against their schemas, and what they say.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/pipe.h"

namespace bitnet::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

const Args kCapital{"run", "-q", "-p", "The capital of France is"};

Json run_object(const Args& args) { return parse_json(text_of(with(args, {"--json"}))); }

std::vector<Json> events_of(const std::string& text) {
  std::vector<Json> events;
  for (const std::string& line : lines_of(text)) events.push_back(parse_json(line));
  return events;
}

std::string violations_of_run(const Json& json) {
  static const Json schema = load_schema("run");
  return violations(schema, json);
}

std::string violations_of_event(const Json& json) {
  static const Json schema = load_schema("run-event");
  return violations(schema, json);
}

TEST(RunJson, HoldsTheTextTheTokensAndTheReasonForTheEnd) {
  const Json run = run_object(kCapital);
  EXPECT_EQ(violations_of_run(run), "");
  EXPECT_EQ(run.at("model").at("file"), "built-in canary");
  EXPECT_EQ(run.at("prompt").at("text"), "The capital of France is");
  EXPECT_EQ(run.at("prompt").at("ids"), Json({1016, 471, 528, 375, 387, 309, 355, 286}));
  EXPECT_EQ(run.at("text"), " Paris.");
  EXPECT_EQ(run.at("reason"), "stop_token");
  ASSERT_EQ(run.at("tokens").size(), 5U);
  EXPECT_EQ(run.at("tokens").at(0), (Json{{"id", 887}, {"piece", " P"}, {"bytes", "2050"}, {"text", " P"}}));
  EXPECT_EQ(run.at("tokens").at(4).at("piece"), "<|end_of_text|>");
  EXPECT_EQ(run.at("tokens").at(4).at("text"), "");
}

TEST(RunJson, IsTheSameHoweverItIsComputed) {
  const Args args = with(kCapital, {"--json", "--logprobs", "3"});
  const std::string expected = text_of(args);
  EXPECT_EQ(text_of(with(args, {"-t", "3"})), expected);
  EXPECT_EQ(text_of(with(args, {"--backend", "scalar", "-t", "1"})), expected);
  EXPECT_EQ(text_of(with(args, {"--prefill-chunk", "3", "--weights", "repack"})), expected);
}

TEST(RunJson, TellsEveryReasonForTheEnd) {
  const auto reason = [](const Args& more) {
    return run_object(with({"run", "-q", "-p", "Once upon a time"}, more)).at("reason");
  };
  EXPECT_EQ(reason({"-n", "3"}), "max_tokens");
  EXPECT_EQ(reason({"-n", "0"}), "max_tokens");
  EXPECT_EQ(reason({"--stop", " named"}), "stop_string");
  EXPECT_EQ(reason({"-c", "16"}), "context_full");
}

TEST(RunJson, StandsInLinesThatTellOfEachTokenAsItComes) {
  const Args args = with(kCapital, {"--logprobs", "2"});
  const std::vector<Json> events = events_of(text_of(with(args, {"--jsonl"})));
  const Json run = run_object(args);
  ASSERT_EQ(events.size(), 7U);
  for (const Json& event : events) EXPECT_EQ(violations_of_event(event), "") << event;
  EXPECT_EQ(events.front().at("event"), "start");
  EXPECT_EQ(events.front().at("model"), run.at("model"));
  EXPECT_EQ(events.front().at("prompt"), run.at("prompt"));
  std::string text;
  for (std::size_t i = 0; i < 5; ++i) {
    Json token = events[i + 1];
    EXPECT_EQ(token.at("event"), "token");
    EXPECT_EQ(token.at("index"), i);
    for (const char* name : {"schema", "version", "event", "index"}) token.erase(name);
    EXPECT_EQ(token, run.at("tokens").at(i));
    text += token.at("text").get<std::string>();
  }
  EXPECT_EQ(events.back().at("event"), "end");
  EXPECT_EQ(events.back().at("reason"), "stop_token");
  EXPECT_EQ(events.back().at("n_prompt"), 8);
  EXPECT_EQ(events.back().at("n_tokens"), 5);
  EXPECT_EQ(text + events.back().at("text").get<std::string>(), " Paris.");
}

// Wherever the text is held back, because it could begin a stop string, or is half a character.
TEST(RunJson, HasAllOfTheTextInItsParts) {
  for (const Args& more :
       {Args{"--temp", "30", "--seed", "5", "-n", "200", "--ignore-eos"},
        Args{"-n", "8", "--stop", " named X"}, Args{"--stop", "Maya"}, Args{"-n", "5", "--special"}}) {
    const Args args = with({"run", "-q", "-p", "Once upon a time"}, more);
    SCOPED_TRACE(::testing::PrintToString(args));
    const std::string expected = text_of(args);
    const Json run = run_object(args);
    EXPECT_EQ(violations_of_run(run), "");
    EXPECT_EQ(run.at("text"), expected);
    std::string text;
    for (const Json& event : events_of(text_of(with(args, {"--jsonl"})))) {
      EXPECT_EQ(violations_of_event(event), "") << event;
      if (event.at("event") != "start") text += event.at("text").get<std::string>();
    }
    EXPECT_EQ(text, expected);
  }
}

TEST(RunJson, HoldsBytesThatAreNoUtf8) {
  ChildOptions options;
  options.args = {"run", "-q", "-f", "-", "-n", "40", "--temp", "40", "--json", "--logprobs", "1024"};
  options.stdin_text = "a\xff\xc3";
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 0);
  const Json run = parse_json(result.out);
  EXPECT_EQ(violations_of_run(run), "");
  EXPECT_TRUE(run.at("prompt").at("text").is_null());
  std::size_t n_null = 0;
  for (const Json& token : run.at("tokens").at(0).at("top")) {
    if (!token.at("piece").is_null()) continue;
    ++n_null;
    EXPECT_EQ(token.at("bytes").get<std::string>().size(), 2U);
  }
  EXPECT_EQ(n_null, 128U);  // the byte tokens from 0x80 on
}

TEST(RunLogprobs, AreOfTheModelWhateverTheSamplerDoes) {
  const Args args = with(kCapital, {"-n", "1", "--logprobs", "1024"});
  const Json greedy = run_object(args).at("tokens").at(0);
  const Json& top = greedy.at("top");
  ASSERT_EQ(top.size(), 1024U);
  EXPECT_EQ(top.at(0).at("id"), greedy.at("id"));
  EXPECT_EQ(top.at(0).at("logprob"), greedy.at("logprob"));
  double sum = 0;
  double last = 0;
  for (const Json& token : top) {
    const double logprob = token.at("logprob");
    EXPECT_LE(logprob, last);
    last = logprob;
    sum += std::exp(logprob);
  }
  EXPECT_NEAR(sum, 1, 1e-6);
  const Json sampled = run_object(with(args, {"--temp", "30", "--top-k", "500", "--repeat-penalty", "1.3"}))
                           .at("tokens")
                           .at(0);
  EXPECT_NE(sampled.at("id"), greedy.at("id"));
  EXPECT_EQ(sampled.at("top"), top);
  EXPECT_LT(sampled.at("logprob"), greedy.at("logprob"));
}

TEST(RunLogprobs, MayBeOfTheTokenAlone) {
  const Json token = run_object(with(kCapital, {"-n", "1", "--logprobs", "0"})).at("tokens").at(0);
  EXPECT_TRUE(token.contains("logprob"));
  EXPECT_EQ(token.at("top"), Json::array());
}

TEST(RunSchema, IsBrokenByWhatBreaksAReader) {
  const Json run = run_object(with(kCapital, {"--logprobs", "1"}));
  const auto breaks = [&](const std::function<void(Json&)>& change) {
    Json changed = run;
    change(changed);
    return violations_of_run(changed) != "";
  };
  EXPECT_FALSE(breaks([](Json& r) { r["more"] = 1; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("schema") = "bitnet.other"; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("version") = 2; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("reason") = "tired"; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("tokens").at(0).erase("top"); }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("tokens").at(0).at("bytes") = "2"; }));
  for (const auto& [name, value] : run.items()) {
    EXPECT_TRUE(breaks([&, field = name](Json& r) { r.erase(field); })) << name;
  }
  const std::vector<Json> events = events_of(text_of(with(kCapital, {"--jsonl"})));
  for (const Json& event : {events.front(), events.at(1), events.back()}) {
    for (const auto& [name, value] : event.items()) {
      Json changed = event;
      changed.erase(name);
      EXPECT_NE(violations_of_event(changed), "") << name << " of " << event;
    }
  }
}

TEST(RunJson, IsOneFormAtATime) {
  const auto error = [](const Args& more) { return refusal(run_bitnet(with(kCapital, more)), 2); };
  EXPECT_TRUE(has(error({"--json", "--jsonl"}), " excludes --json"));
  EXPECT_TRUE(has(error({"--json", "--echo"}), "--echo excludes --json"));
  EXPECT_TRUE(has(error({"--jsonl", "--echo"}), "--echo excludes --jsonl"));
  EXPECT_TRUE(has(error({"--logprobs", "2"}), "--logprobs needs --json or --jsonl"));
  EXPECT_TRUE(has(error({"--json", "--logprobs", "-1"}), "--logprobs '-1'"));
  EXPECT_TRUE(has(error({"--json", "--logprobs", "1025"}), "0 to 1024"));
  EXPECT_TRUE(has(error({"--json", "--logprobs", "18446744073709551615"}), "0 to 1024"));
}

// Nothing goes out before the prompt was taken.
TEST(RunJson, IsNotBegunForAPromptThatIsRefused) {
  for (const char* form : {"--json", "--jsonl"}) {
    EXPECT_TRUE(has(refusal(run_bitnet(with(kCapital, {form, "-c", "4"})), 2), "--ctx-size"));
  }
}

class RunJsonSignal : public ::testing::TestWithParam<int> {};

// The signal is sent when generation is about to begin; should it once come too late, then not every time.
TEST_P(RunJsonSignal, EndsWithAWholeObjectThatSaysSo) {
  const Args args{"run", "-v", "-p", "Once upon a time", "--ignore-eos", "--backend", "scalar", "-t", "1"};
  for (const char* form : {"--json", "--jsonl"}) {
    std::string reason;
    for (int attempt = 0; attempt < 10 && reason != "interrupted"; ++attempt) {
      Pipe errors;
      ChildOptions options;
      options.args = with(args, {form});
      options.stderr_fd = errors.writer();
      options.timeout = 30s;
      ChildProcess child(executable(), options);
      errors.close_writer();
      std::string messages;
      std::array<char, 4096> block{};
      while (lacks(messages, "KV cache")) {
        const ssize_t n = ::read(errors.reader(), block.data(), block.size());
        ASSERT_GT(n, 0) << messages;
        messages.append(block.data(), static_cast<std::size_t>(n));
      }
      std::this_thread::sleep_for(20ms);
      child.send(GetParam());
      const ChildResult result = child.wait();
      EXPECT_EQ(result.exit_code, 130);
      EXPECT_FALSE(result.timed_out);
      const Json last = parse_json(form == std::string("--json") ? result.out : lines_of(result.out).back());
      EXPECT_EQ(form == std::string("--json") ? violations_of_run(last) : violations_of_event(last), "");
      reason = last.at("reason");
    }
    EXPECT_EQ(reason, "interrupted") << form;
  }
}

INSTANTIATE_TEST_SUITE_P(Both, RunJsonSignal, ::testing::Values(SIGINT, SIGTERM), name_of_signal);

}  // namespace
}  // namespace bitnet::test
