// Answers in OpenAI's forms: the text that `bitnet run` gives, whole, streamed, several and with logprobs.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/score.h"
#include "service/http/client.h"
#include "support/canary.h"
#include "support/small_model.h"
#include "support/thinking_model.h"

namespace bitnet::test {
namespace {

const char* const kPrompt = "Once upon a time";

// What the engine says alone.
GenerateResult alone(const SamplerOptions& options, std::size_t n, std::string& text) {
  Session session(canary());
  Sampler sampler(options, canary().info().vocab);
  std::vector<TokenId> history;
  const auto ends = canary().tokenizer().end_tokens();
  return generate(canary(), session, sampler, history,
                  canary().tokenizer().encode(kPrompt, {.add_bos = true}),
                  {.max_tokens = n, .stop_tokens = {ends.begin(), ends.end()}}, [&](std::string_view part) {
                    text += part;
                    return true;
                  });
}

Json talk(const char* text) { return Json::array({{{"role", "user"}, {"content", text}}}); }

// All but the time at which it was asked for.
std::string without_time(const HttpReply& reply) {
  std::string text = reply.body;
  for (std::size_t at = 0; (at = text.find("\"created\":", at)) != std::string::npos;) {
    at += 10;
    text.erase(at, text.find(',', at) - at);
  }
  return text;
}

std::string streamed_text(const std::vector<Json>& events, std::size_t index) {
  std::string text;
  for (const Json& event : events) {
    for (const Json& choice : event["choices"]) {
      if (choice["index"] != index) continue;
      if (choice.contains("text")) text += choice["text"].get<std::string>();
      if (choice.contains("delta")) text += choice["delta"].value("content", "");
    }
  }
  return text;
}

class Api : public ::testing::Test {
 protected:
  static const TestServer& server() {
    static const TestServer one({.queue = 16});
    return one;
  }
};

TEST_F(Api, CompletesATextAsTheEngineDoesAlone) {
  std::string text;
  const GenerateResult result = alone({.temperature = 0.9F, .seed = 7}, 24, text);
  const HttpReply reply =
      server().complete({{"prompt", kPrompt}, {"max_tokens", 24}, {"temperature", 0.9}, {"seed", 7}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  const Json json = reply.json();
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["choices"][0]["text"], text);
  EXPECT_EQ(json["usage"]["prompt_tokens"], result.n_prompt);
  EXPECT_EQ(json["usage"]["completion_tokens"], result.tokens.size());
  EXPECT_EQ(json["usage"]["total_tokens"], result.n_prompt + result.tokens.size());
}

TEST_F(Api, TakesTokenIdsAndSeveralPrompts) {
  Json ids = Json::array();
  for (const TokenId id : canary().tokenizer().encode(kPrompt, {.add_bos = true})) ids.push_back(to_int(id));
  const Json of_text = server().complete({{"prompt", kPrompt}, {"max_tokens", 5}}).json()["choices"][0];
  EXPECT_EQ(server().complete({{"prompt", ids}, {"max_tokens", 5}}).json()["choices"][0], of_text);
  const Json both =
      server().complete({{"prompt", {"The", kPrompt}}, {"n", 2}, {"max_tokens", 5}}).json()["choices"];
  ASSERT_EQ(both.size(), 4U);
  EXPECT_EQ(both[2]["text"], of_text["text"]);
  EXPECT_EQ(both[2]["index"], 2);
}

TEST_F(Api, StreamsTheTextThatItGivesWhole) {
  const Json body{{"messages", talk("Tell me of a goat.")}, {"max_tokens", 40}, {"seed", 3}};
  const Json whole = server().chat(body).json();
  EXPECT_EQ(whole["object"], "chat.completion");
  EXPECT_EQ(whole["choices"][0]["message"]["role"], "assistant");
  Json streamed = body;
  streamed["stream"] = true;
  streamed["stream_options"] = {{"include_usage", true}};
  const HttpReply reply = server().chat(streamed);
  EXPECT_EQ(reply.header("Content-Type"), "text/event-stream");
  const std::vector<Json> events = events_of(reply);
  ASSERT_GT(events.size(), 3U);
  EXPECT_EQ(events.front()["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(streamed_text(events, 0), whole["choices"][0]["message"]["content"].get<std::string>());
  EXPECT_EQ(events[events.size() - 2]["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"]);
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
  EXPECT_TRUE(events.front()["usage"].is_null());
}

TEST_F(Api, GivesTheSameRequestTheSameBytes) {
  for (const bool stream : {false, true}) {
    const Json body{{"messages", talk("Hi")}, {"max_tokens", 12}, {"n", 3}, {"stream", stream}};
    server().chat(body);  // its prompt is then there, and cached_tokens the same
    EXPECT_EQ(without_time(server().chat(body)), without_time(server().chat(body)));
  }
}

TEST_F(Api, NumbersTheSeedsOfSeveralChoices) {
  const Json body{{"prompt", kPrompt}, {"max_tokens", 16}, {"temperature", 1.2}};
  Json three = body;
  three["n"] = 3;
  three["seed"] = 5;
  const Json choices = server().complete(three).json()["choices"];
  ASSERT_EQ(choices.size(), 3U);
  std::set<std::string> different;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Json one = body;
    one["seed"] = 5 + i;
    EXPECT_EQ(choices[i]["text"], server().complete(one).json()["choices"][0]["text"]);
    different.insert(choices[i]["text"]);
  }
  EXPECT_GT(different.size(), 1U);
}

TEST_F(Api, EndsBeforeAStop) {
  const std::string text =
      server().complete({{"prompt", kPrompt}, {"max_tokens", 20}}).json()["choices"][0]["text"];
  const std::string stop = text.substr(text.size() / 2, 3);
  const Json choice =
      server().complete({{"prompt", kPrompt}, {"max_tokens", 20}, {"stop", stop}}).json()["choices"][0];
  EXPECT_EQ(choice["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(choice["finish_reason"], "stop");
}

// As OpenAI's completions: "up to logprobs+1 elements".
TEST_F(Api, TellsOfATokenThatIsNoneOfTheLikeliestAmongThem) {
  const Json body{{"prompt", kPrompt}, {"max_tokens", 8},    {"logprobs", 1},
                  {"seed", 5},         {"ignore_eos", true}, {"temperature", 20}};
  const Json logprobs = server().complete(body).json()["choices"][0]["logprobs"];
  std::size_t n_others = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const Json& top = logprobs["top_logprobs"][i];
    const std::string token = logprobs["tokens"][i];
    ASSERT_TRUE(top.contains(token)) << top;
    EXPECT_EQ(top[token], logprobs["token_logprobs"][i]);
    n_others += top.size() == 2 ? 1U : 0U;
  }
  EXPECT_GT(n_others, 0U);
}

TEST_F(Api, TellsHowLikelyTokensWere) {
  const Json body{{"prompt", kPrompt}, {"max_tokens", 6}, {"logprobs", 2}, {"ignore_eos", true}};
  const Json choice = server().complete(body).json()["choices"][0];
  const Json& logprobs = choice["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), 6U);
  std::string text;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string token = logprobs["tokens"][i];
    EXPECT_EQ(logprobs["text_offset"][i], text.size());
    EXPECT_LE(logprobs["token_logprobs"][i], 0.0);
    EXPECT_EQ(logprobs["top_logprobs"][i].size(), 2U);
    // Greedy takes the likeliest.
    EXPECT_EQ(logprobs["top_logprobs"][i][token], logprobs["token_logprobs"][i]);
    text += token;
  }
  EXPECT_EQ(text, choice["text"].get<std::string>());
}

// As those who score texts ask: what counts is what a prompt's own tokens say.
TEST_F(Api, TellsHowLikelyThePromptWas) {
  const std::vector<TokenId> ids = canary().tokenizer().encode(kPrompt, {.add_bos = true});
  std::vector<Json> expected{nullptr};
  Session session(canary());
  score(canary(), session, ids, {.on_token = [&](const ScoredToken& t) { expected.push_back(t.logprob); }});
  Json prompt = Json::array();
  for (const TokenId id : ids) prompt.push_back(to_int(id));
  server().complete({{"prompt", kPrompt}, {"max_tokens", 1}});  // what is there of it by now is no matter
  const Json body{
      {"prompt", {prompt, prompt}}, {"max_tokens", 1}, {"logprobs", 1}, {"echo", true}, {"ignore_eos", true}};
  const HttpReply reply = server().complete(body);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json choices = reply.json()["choices"];
  for (const Json& choice : choices) {
    const Json& logprobs = choice["logprobs"];
    ASSERT_EQ(logprobs["token_logprobs"].size(), ids.size() + 1);
    std::string text;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(logprobs["token_logprobs"][i], expected[i]) << i;
      EXPECT_EQ(logprobs["text_offset"][i], text.size()) << i;
      text += canary().tokenizer().bytes_of(ids[i]);
      if (i == 0) continue;
      // The likeliest, which is it or likelier than it.
      EXPECT_GE(logprobs["top_logprobs"][i].front(), expected[i]) << i;
    }
    EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
    EXPECT_EQ(text, kPrompt);
    EXPECT_EQ(choice["text"], kPrompt + logprobs["tokens"].back().get<std::string>());
  }
}

// These vocabularies have a space before every text, which is none of the prompt's.
TEST(SentencePieceApi, SaysWhereTokensStandInThePromptThatWasGiven) {
  const LoadedModel loaded(SmallModel("llama", {.sentence_piece = true}));
  const TestServer server(loaded.model, {});
  const HttpReply reply = server.complete(
      {{"prompt", "ab"}, {"max_tokens", 1}, {"ignore_eos", true}, {"echo", true}, {"logprobs", 1}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json choice = reply.json()["choices"][0];
  EXPECT_TRUE(choice["text"].get<std::string>().starts_with("ab")) << choice;
  // The beginning, the space, the prompt, and what follows it.
  EXPECT_EQ(choice["logprobs"]["text_offset"], Json::array({0, 0, 0, 2})) << choice;
}

TEST_F(Api, PutsThePromptBeforeTheAnswerWhereItIsAskedTo) {
  Json body{{"prompt", kPrompt}, {"max_tokens", 8}};
  const std::string answer = server().complete(body).json()["choices"][0]["text"];
  body["echo"] = true;
  EXPECT_EQ(server().complete(body).json()["choices"][0]["text"], kPrompt + answer);
  body["logprobs"] = 2;
  const Json whole = server().complete(body).json()["choices"][0];
  EXPECT_EQ(whole["text"], kPrompt + answer);
  body["stream"] = true;
  const std::vector<Json> events = events_of(server().complete(body));
  EXPECT_EQ(streamed_text(events, 0), kPrompt + answer);
  Json streamed = Json::array();
  for (const Json& event : events) {
    const Json& logprobs = event["choices"][0]["logprobs"];
    if (!logprobs.is_null())
      streamed.insert(streamed.end(), logprobs["token_logprobs"].begin(), logprobs["token_logprobs"].end());
  }
  EXPECT_EQ(streamed, whole["logprobs"]["token_logprobs"]);
  const Json alone =
      server().complete({{"prompt", kPrompt}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 0}}).json();
  EXPECT_EQ(alone["choices"][0]["text"], kPrompt);
  EXPECT_EQ(alone["choices"][0]["logprobs"]["tokens"].size(), alone["usage"]["prompt_tokens"]);
  EXPECT_EQ(alone["usage"]["completion_tokens"], 0);
}

TEST_F(Api, TellsThemOfChatsWholeAndInEvents) {
  Json body{
      {"messages", talk("Hi")}, {"max_tokens", 6}, {"logprobs", true}, {"top_logprobs", 3}, {"seed", 1}};
  const Json whole = server().chat(body).json()["choices"][0]["logprobs"]["content"];
  ASSERT_FALSE(whole.empty());
  EXPECT_EQ(whole[0]["top_logprobs"].size(), 3U);
  const std::string token = whole[0]["token"];
  EXPECT_EQ(whole[0]["bytes"].size(), token.size());
  body["stream"] = true;
  Json streamed = Json::array();
  for (const Json& event : events_of(server().chat(body))) {
    const Json& logprobs = event["choices"][0]["logprobs"];
    if (logprobs.is_null()) continue;
    for (const Json& one : logprobs["content"]) streamed.push_back(one);
  }
  EXPECT_EQ(streamed, whole);
}

struct Refused {
  const char* path;
  Json body;
  int status;
  const char* param;  // nullptr: null
  const char* code;
};

TEST_F(Api, SaysWhatItRefusesAndWhy) {
  const char* const text = "/v1/completions";
  const char* const chat = "/v1/chat/completions";
  const std::vector<Refused> all{
      {text, Json::object(), 400, "prompt", "invalid_value"},
      {text, {{"prompt", ""}, {"temperature", -1}}, 400, "temperature", "invalid_value"},
      {text, {{"prompt", "a"}, {"promtp", "b"}}, 400, "promtp", "invalid_value"},
      {text, {{"prompt", "a"}, {"n", 0}}, 400, "n", "invalid_value"},
      {text, {{"prompt", "a"}, {"n", 1000000}}, 400, "n", "invalid_value"},
      {text, {{"prompt", "a"}, {"n", 1.5}}, 400, "n", "invalid_value"},
      {text, {{"prompt", "a"}, {"model", "gpt-4"}}, 404, "model", "model_not_found"},
      {text, {{"prompt", "a"}, {"presence_penalty", 0.5}}, 400, "presence_penalty", "invalid_value"},
      {text, {{"prompt", "a"}, {"echo", 1}}, 400, "echo", "invalid_value"},
      {text, {{"prompt", "a"}, {"n", 2}, {"best_of", 3}}, 400, "best_of", "invalid_value"},
      {text, {{"prompt", {1, 2, 1 << 30}}}, 400, nullptr, "invalid_value"},
      {text, {{"prompt", "a"}, {"stream", 1}}, 400, "stream", "invalid_value"},
      {text,
       {{"prompt", "a"}, {"stream_options", {{"include_usage", true}}}},
       400,
       "stream_options",
       "invalid_value"},
      {text, {{"prompt", std::vector<std::string>(25, "a")}}, 400, "prompt", "invalid_value"},
      {text, {{"prompt", {"a", "b"}}, {"n", 13}}, 400, "prompt", "invalid_value"},
      {text, {{"prompt", std::string(4000, '\n')}}, 400, "prompt", "context_length_exceeded"},
      {text, {{"prompt", "a"}, {"logprobs", 21}}, 400, "logprobs", "invalid_value"},
      {chat, {{"messages", talk("a")}, {"tools", {{{"type", "function"}}}}}, 400, "tools", "invalid_value"},
      {chat,
       {{"messages", talk("a")}, {"response_format", {{"type", "json_object"}}}},
       400,
       "response_format",
       "invalid_value"},
      {chat, {{"messages", talk("a")}, {"tool_choice", "required"}}, 400, "tool_choice", "invalid_value"},
      {chat, {{"messages", talk("a")}, {"echo", true}}, 400, "echo", "invalid_value"},
      {chat,
       {{"messages", talk("a")}, {"max_tokens", 2}, {"max_completion_tokens", 3}},
       400,
       "max_tokens",
       "invalid_value"},
      {chat,
       {{"messages", talk("a")}, {"reasoning_effort", "none"}},
       400,
       "reasoning_effort",
       "invalid_value"},
      {chat,
       {{"messages", talk("a")}, {"chat_template_kwargs", {{"x", 1}}}},
       400,
       "chat_template_kwargs",
       "invalid_value"},
      {chat, {{"messages", "a"}}, 400, "messages", "invalid_value"},
      {chat, {{"messages", talk("a")}, {"top_logprobs", 2}}, 400, "top_logprobs", "invalid_value"},
      {chat, {{"messages", talk("a")}, {"think", true}}, 400, "think", "invalid_value"}};
  for (const Refused& r : all) {
    const HttpReply reply = server().post(r.path, r.body.dump());
    EXPECT_EQ(reply.status, r.status) << r.body << " " << reply.body;
    const Json error = reply.json()["error"];
    EXPECT_EQ(error["param"], r.param == nullptr ? Json() : Json(r.param)) << reply.body;
    EXPECT_EQ(error["code"], r.code) << reply.body;
    EXPECT_EQ(error["type"], "invalid_request_error") << reply.body;
    EXPECT_FALSE(error["message"].get<std::string>().empty());
  }
}

// As chains and groups of agents ask.
TEST_F(Api, AnswersTheSystemToo) {
  const Json system{{"role", "system"}, {"content", "Say hello."}};
  const Json alone = server().chat({{"messages", {system}}, {"max_tokens", 4}}).json();
  EXPECT_EQ(alone["choices"].size(), 1U) << alone;
  Json messages = talk("Hi");
  messages.push_back(system);
  const Json last = server().chat({{"messages", messages}, {"max_tokens", 4}}).json();
  EXPECT_GT(last["usage"]["prompt_tokens"], alone["usage"]["prompt_tokens"]) << last;
}

TEST_F(Api, TakesOneLimitUnderTwoNamesAndSeedsWithASign) {
  const auto text_of = [](Json body) {
    body.update(
        {{"messages", talk("Hi")}, {"max_tokens", 12}, {"max_completion_tokens", 12}, {"temperature", 1}});
    const HttpReply reply = server().chat(body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json()["choices"][0]["message"]["content"];
  };
  EXPECT_EQ(text_of({{"seed", -1}}), text_of({{"seed", std::numeric_limits<std::uint64_t>::max()}}));
}

TEST_F(Api, RefusesWhatIsNoJson) {
  for (const std::string body :
       {"", "{", "[]", "\"a\"", "{\"prompt\": \"\xff\"}", "{\"prompt\": \"a\", \"prompt\": \"b\"}",
        "{\"prompt\": \"a\", \"temperature\": NaN}"}) {
    const HttpReply reply = server().post("/v1/completions", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_TRUE(reply.json()["error"]["param"].is_null()) << reply.body;
  }
  const auto message_of = [](const std::string& body) -> std::string {
    return server().post("/v1/completions", body).json()["error"]["message"];
  };
  EXPECT_EQ(message_of(""), "the body is empty; send a JSON object");
  EXPECT_EQ(message_of("[]"), "the body is no JSON object");
  EXPECT_EQ(message_of(R"({"n": 1, "n": 2})"), "the body: the key 'n' stands twice in one object");
  const std::string deep = "{\"prompt\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_EQ(server().post("/v1/completions", deep).status, 400);
}

// What the template put before an answer is told with it, so that its end means something.
TEST(ThinkingApi, BeginsAnswersWithTheThinkingThatTheTemplateBegan) {
  const LoadedModel loaded(thinking_model(kBeginsToThink));
  const TestServer server(loaded.model, {});
  Json body{{"messages", talk("Hi")}, {"max_tokens", 4}};
  const std::string whole = server.chat(body).json()["choices"][0]["message"]["content"];
  EXPECT_TRUE(whole.starts_with("<think>\n")) << whole;
  body["think"] = false;
  const std::string without = server.chat(body).json()["choices"][0]["message"]["content"];
  EXPECT_FALSE(without.starts_with("<think>")) << without;
  Json of_others = body;
  of_others.erase("think");
  of_others["chat_template_kwargs"] = {{"enable_thinking", false}};
  EXPECT_EQ(server.chat(of_others).json()["choices"][0]["message"]["content"], without);
  body["think"] = true;
  body["stream"] = true;
  EXPECT_EQ(streamed_text(events_of(server.chat(body)), 0), whole);
}

TEST_F(Api, RefusesManyPromptsBeforeTheyAreLookedAt) {
  EXPECT_EQ(server().complete({{"prompt", Json::array({"a", 1, 2, 3})}, {"n", 7}}).json()["error"]["message"],
            "prompt: this server takes at most 3 here, each of them being answered n times");
}

TEST_F(Api, TakesFieldsThatAskForNothing) {
  Json messages = talk("Hi");
  messages[0]["name"] = "Ann";
  const HttpReply reply = server().chat({{"messages", messages},
                                         {"max_completion_tokens", 2},
                                         {"user", "somebody"},
                                         {"tool_choice", "none"},
                                         {"service_tier", "auto"},
                                         {"metadata", {{"a", "b"}}},
                                         {"store", false},
                                         {"frequency_penalty", 0},
                                         {"reasoning_effort", "low"},
                                         {"best_of", 1},
                                         {"top_k", -1},
                                         {"something_of_tomorrow", nullptr},
                                         {"tools", Json::array()},
                                         {"logit_bias", Json::object()},
                                         {"response_format", {{"type", "text"}}},
                                         {"model", ""},
                                         {"seed", nullptr},
                                         {"stop", nullptr}});
  EXPECT_EQ(reply.status, 200) << reply.body;
}

}  // namespace
}  // namespace bitnet::test
