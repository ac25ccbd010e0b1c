// What a request may say, and what is said about one that cannot be had.
#include "service/request/generation_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitnet::test {
namespace {

using service::FieldError;
using service::GenerationRequest;
using service::RequestField;
using service::RequestForm;

RequestForm form() {
  RequestForm form;
  form.fields = {{"prompt", RequestField::prompt},
                 {"ids", RequestField::ids},
                 {"messages", RequestField::messages},
                 {"system", RequestField::system},
                 {"template", RequestField::chat_template},
                 {"think", RequestField::think},
                 {"special", RequestField::special},
                 {"max_tokens", RequestField::max_tokens},
                 {"max_new_tokens", RequestField::max_tokens},
                 {"stop", RequestField::stop},
                 {"ignore_eos", RequestField::ignore_eos},
                 {"temperature", RequestField::temperature},
                 {"top_k", RequestField::top_k},
                 {"top_p", RequestField::top_p},
                 {"min_p", RequestField::min_p},
                 {"repeat_penalty", RequestField::repeat_penalty},
                 {"repeat_window", RequestField::repeat_window},
                 {"seed", RequestField::seed},
                 {"logprobs", RequestField::logprobs}};
  form.others = {"id"};
  form.refuses_idle = true;
  return form;
}

GenerationRequest read(const std::string& text, const RequestForm& like = form()) {
  return service::read_request(service::parse_request(text), like);
}

// "FIELD|MESSAGE" of the error; empty without one.
std::string fault(const std::string& text, const RequestForm& like = form()) {
  try {
    read(text, like);
  } catch (const FieldError& e) {
    return e.field() + "|" + e.what();
  }
  return "";
}

TEST(GenerationRequest, HasWhatEachFieldSays) {
  const GenerationRequest r = read(
      R"({"id":7,"prompt":"a","system":"s","template":"chatml","think":"off","special":true,"max_tokens":5,)"
      R"("stop":["b","c"],"ignore_eos":true,"temperature":0.5,"top_k":4,"top_p":0.75,"min_p":0.25,)"
      R"("repeat_penalty":1.5,"repeat_window":-1,"seed":18446744073709551615,"logprobs":3})");
  EXPECT_EQ(std::get<std::string>(r.prompt), "a");
  EXPECT_EQ(r.system, "s");
  EXPECT_EQ(r.chat_template, "chatml");
  EXPECT_EQ(r.think, false);
  EXPECT_TRUE(r.special);
  EXPECT_EQ(r.max_tokens, 5U);
  EXPECT_EQ(r.stop, (std::vector<std::string>{"b", "c"}));
  EXPECT_TRUE(r.ignore_eos);
  EXPECT_EQ(r.sampler.temperature, 0.5F);
  EXPECT_EQ(r.sampler.top_k, 4);
  EXPECT_EQ(r.sampler.top_p, 0.75F);
  EXPECT_EQ(r.sampler.min_p, 0.25F);
  EXPECT_EQ(r.sampler.repeat_penalty, 1.5F);
  EXPECT_EQ(r.sampler.repeat_window, -1);
  EXPECT_EQ(r.sampler.seed, 18446744073709551615U);
  EXPECT_EQ(r.logprobs, 3U);
}

TEST(GenerationRequest, TakesFromTheDefaultsWhatItDoesNotSay) {
  RequestForm with_defaults = form();
  with_defaults.defaults = {.system = "s",
                            .chat_template = "auto",
                            .think = true,
                            .sampler = {.temperature = 2, .seed = 9},
                            .max_tokens = 3,
                            .stop = {"x"}};
  const GenerationRequest r = read(R"({"prompt":"a","seed":null,"top_k":2})", with_defaults);
  EXPECT_EQ(r.system, "s");
  EXPECT_EQ(r.think, true);
  EXPECT_EQ(r.sampler.temperature, 2);
  EXPECT_EQ(r.sampler.seed, 9U);
  EXPECT_EQ(r.sampler.top_k, 2);
  EXPECT_EQ(r.max_tokens, 3U);
  const GenerationRequest other =
      read(R"({"prompt":"a","max_tokens":-1,"stop":[],"system":""})", with_defaults);
  EXPECT_EQ(other.max_tokens, std::nullopt);
  EXPECT_TRUE(other.stop.empty());
  EXPECT_EQ(other.system, "");
  // What cannot hold for such a prompt is not the request's fault.
  for (const char* text : {R"({"ids":[1]})", R"({"prompt":"a","template":"raw"})"}) {
    const GenerationRequest plain = read(text, with_defaults);
    EXPECT_EQ(plain.chat_template, "raw");
    EXPECT_EQ(plain.system, "");
    EXPECT_EQ(plain.think, std::nullopt);
  }
}

TEST(GenerationRequest, TakesTokenIdsAndMessages) {
  EXPECT_EQ(std::get<std::vector<TokenId>>(read(R"({"ids":[1,0]})").prompt),
            (std::vector<TokenId>{TokenId{1}, TokenId{0}}));
  const auto messages = std::get<std::vector<Message>>(
      read(R"({"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"},)"
           R"({"role":"assistant","content":"c","refusal":null,"annotations":[]},)"
           R"({"role":"user","content":[{"type":"text","text":"d"},{"type":"text","text":"e"}]}]})")
          .prompt);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].role, Role::system);
  EXPECT_EQ(messages[2].role, Role::assistant);
  EXPECT_EQ(messages[3].content, "de");
}

TEST(GenerationRequest, NamesTheFieldThatIsWrongAndWhatItMayBe) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {R"({"promt":"a"})", "promt|there is no field 'promt'; did you mean 'prompt'?"},
      {R"({"prompt":"a","frobnicate":1})",
       "frobnicate|there is no field 'frobnicate'; choose from prompt, ids"},
      {R"({})", "|prompt, ids, messages is missing: give one of them"},
      {R"({"prompt":null})", "|prompt, ids, messages is missing"},
      {R"({"prompt":"a","ids":[1]})", "ids|ids stands beside prompt; give one of them"},
      {R"({"prompt":"a","max_tokens":1,"max_new_tokens":2})",
       "max_tokens|max_tokens stands beside max_new_tokens, which means the same; give one"},
      {R"({"prompt":3})", "prompt|prompt 3: give a text"},
      {R"({"ids":[]})", "ids|ids []: give an array of one token id or more"},
      {R"({"ids":"1"})", "ids|ids '1': give an array"},
      {R"({"ids":[1,-1]})", "ids[1]|ids[1] -1: give a whole number from 0 to 2147483647"},
      {R"({"ids":[2147483648]})", "ids[0]|ids[0] 2147483648: give a whole number"},
      {R"({"ids":[1.0]})", "ids[0]|ids[0] 1.0: give a whole number"},
      {R"({"ids":[1],"template":"auto"})", "template|template has no effect on token ids"},
      {R"({"prompt":"a","template":"mistral"})",
       "template|template 'mistral': choose from auto, raw, bitnet"},
      {R"({"prompt":"a","think":"maybe"})", "think|think 'maybe': give true or false, on or off"},
      {R"({"prompt":"a","special":1})", "special|special 1: give true or false"},
      {R"({"prompt":"a","max_tokens":-2})", "max_tokens|max_tokens -2: give a whole number from -1 to"},
      {R"({"prompt":"a","max_tokens":1e3})", "max_tokens|max_tokens 1000.0: give a whole number"},
      {R"({"prompt":"a","max_tokens":99999999999999999999})", "max_tokens|max_tokens 1e+20: give a whole"},
      {R"({"prompt":"a","max_tokens":"5"})", "max_tokens|max_tokens '5': give a whole number"},
      {R"({"prompt":"a","stop":7})", "stop|stop 7: give a text, or an array of texts"},
      {R"({"prompt":"a","stop":["x",""]})", "stop|stop: an empty text would end every answer at once"},
      {R"({"prompt":"a","stop":["x",{"a":1}]})", "stop[1]|stop[1] (an object): give a text"},
      {R"({"prompt":"a","temperature":"hot"})", "temperature|temperature 'hot': give a number"},
      {R"({"prompt":"a","temperature":1e39})", "temperature|temperature 1e+39: that is too large"},
      {R"({"prompt":"a","temperature":-1})", "temperature|temperature -1 is out of range: give 0 (greedy)"},
      {R"({"prompt":"a","temperature":1,"top_p":0})", "top_p|top_p 0 is out of range"},
      {R"({"prompt":"a","temperature":1,"top_k":2147483648})", "top_k|top_k 2147483648: give a whole number"},
      {R"({"prompt":"a","temperature":1,"seed":-1})", "seed|seed -1: give a whole number from 0"},
      {R"({"prompt":"a","logprobs":101})", "logprobs|logprobs 101: give a whole number from 0 to 100"},
      {R"({"messages":[]})", "messages|messages []: give an array"},
      {R"({"messages":[{"role":"user","content":"a"}],"template":"raw"})",
       "template|template 'raw': messages need another template"},
      {R"({"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}],"system":"c"})",
       "system|system 'c': the messages begin with a system message already"},
      {R"({"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}],"system":""})", ""},
      {R"({"messages":["a"]})", "messages[0]|messages[0] 'a': give {"},
      {R"({"messages":[{"role":"user"}]})", "messages[0]|messages[0]: content is missing"},
      {R"({"messages":[{"role":"tool","content":"a"}]})",
       "messages[0].role|messages[0].role 'tool': choose from system, user, assistant"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})",
       "messages|messages: the last one is the assistant's"},
      {R"({"messages":[{"role":"user","content":"a","tool_calls":[1]}]})",
       "messages[0].tool_calls|messages[0].tool_calls: a message has no such field"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]})",
       "messages[0].content[0]|messages[0].content[0] (an object): give {"},
  };
  for (const auto& [text, message] : faults) {
    EXPECT_EQ(fault(text).substr(0, message.size()), message) << text << "\n" << fault(text);
  }
}

TEST(GenerationRequest, RefusesWhatCanHaveNoEffectWhereThatIsAskedFor) {
  const std::string idle = R"({"prompt":"a","top_p":0.5})";
  EXPECT_EQ(fault(idle),
            "top_p|top_p has no effect in greedy mode, which is the default: give temperature too");
  EXPECT_EQ(fault(R"({"prompt":"a","temperature":0,"top_p":0.5})"), "");
  EXPECT_EQ(fault(R"({"prompt":"a","temperature":1,"repeat_window":5})"),
            "repeat_window|repeat_window has no effect without repeat_penalty: give both, or neither");
  RequestForm other = form();
  other.is_temperature_given = true;
  EXPECT_EQ(fault(idle, other), "");
  other = form();
  other.refuses_idle = false;
  EXPECT_EQ(fault(idle, other), "");
}

TEST(GenerationRequest, TakesLogprobsAsAFlagAndACount) {
  RequestForm chat;
  chat.fields = {{"prompt", RequestField::prompt_or_ids},
                 {"logprobs", RequestField::wants_logprobs},
                 {"top_logprobs", RequestField::n_logprobs}};
  EXPECT_EQ(read(R"({"prompt":"a"})", chat).logprobs, std::nullopt);
  EXPECT_EQ(read(R"({"prompt":"a","logprobs":true})", chat).logprobs, 0U);
  EXPECT_EQ(read(R"({"prompt":"a","logprobs":true,"top_logprobs":5})", chat).logprobs, 5U);
  EXPECT_EQ(read(R"({"prompt":"a","logprobs":false,"top_logprobs":0})", chat).logprobs, std::nullopt);
  EXPECT_EQ(fault(R"({"prompt":"a","top_logprobs":5})", chat),
            "top_logprobs|top_logprobs needs logprobs: true");
  EXPECT_EQ(std::get<std::vector<TokenId>>(read(R"({"prompt":[4]})", chat).prompt).size(), 1U);
  EXPECT_EQ(fault("{}", chat), "prompt|prompt is missing: give it");
}

TEST(GenerationRequest, IsNotReadFromHostileText) {
  const auto parse_fault = [](const std::string& text) {
    try {
      service::parse_request(text);
    } catch (const FieldError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(parse_fault(""), "is not JSON: byte 1 is wrong");
  EXPECT_EQ(parse_fault("[]"), "is no JSON object");
  EXPECT_EQ(parse_fault("{} {}"), "is not JSON: byte 4 is wrong");
  EXPECT_EQ(parse_fault("{\"a\":\"\xFF\"}"), "is no valid UTF-8: byte 7 is wrong");
  EXPECT_EQ(parse_fault(R"({"a":"\ud800"})").substr(0, 11), "is not JSON");
  EXPECT_EQ(parse_fault(R"({"a":1e999})").substr(0, 11), "is not JSON");
  EXPECT_EQ(parse_fault(R"({"a":NaN})").substr(0, 11), "is not JSON");
  EXPECT_EQ(parse_fault(R"({"a":1,"a":2})"), "the key 'a' stands twice in one object");
  EXPECT_EQ(parse_fault(R"({"a":)" + std::string(1'000'000, '[')), "is nested deeper than 16 levels");
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 1 << 20; ++i) many += ",0";
  EXPECT_EQ(parse_fault(many + "]}"), "holds more than 1048576 values");
}

}  // namespace
}  // namespace bitnet::test
