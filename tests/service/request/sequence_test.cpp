// Requests become the sequences that the command line's options would.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "service/request/generation_request.h"
#include "support/canary.h"

namespace bitnet::test {
namespace {

using service::GenerationRequest;

std::vector<Message> talk() { return {{Role::user, "a"}, {Role::assistant, "b"}, {Role::user, "c"}}; }

SequenceRequest sequence_of(const GenerationRequest& request) {
  return service::to_sequence(request, service::form_of(request, canary()), canary());
}

std::string fault_of(const GenerationRequest& request) {
  try {
    sequence_of(request);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

TEST(RequestSequence, OfATextIsTheTextAsItStands) {
  const SequenceRequest s = sequence_of({.prompt = "2+2="});
  EXPECT_EQ(s.prompt, canary().tokenizer().encode("2+2=", {.add_bos = true}));
  const auto ends = canary().tokenizer().end_tokens();
  EXPECT_EQ(s.stop_tokens, std::vector<TokenId>(ends.begin(), ends.end()));
  EXPECT_EQ(s.max_tokens, static_cast<std::size_t>(-1));
  EXPECT_FALSE(s.all_logits);
}

TEST(RequestSequence, OfMessagesIsTheModelsOwnForm) {
  const ChatTemplate own = *choose_chat_template(canary().chat_hints(), canary().tokenizer()).chosen;
  std::vector<Message> messages = talk();
  EXPECT_EQ(sequence_of({.prompt = messages}).prompt, encode_chat(own, canary().tokenizer(), messages));
  const std::vector<TokenId> with_system = sequence_of({.prompt = messages, .system = "s"}).prompt;
  messages.insert(messages.begin(), {Role::system, "s"});
  EXPECT_EQ(with_system, encode_chat(own, canary().tokenizer(), messages));
  // One that the conversation has comes before that of the defaults.
  EXPECT_EQ(sequence_of({.prompt = messages, .system = "other"}).prompt, with_system);
  EXPECT_EQ(sequence_of({.prompt = "a", .chat_template = "auto"}).prompt,
            sequence_of({.prompt = std::vector<Message>{{Role::user, "a"}}}).prompt);
}

TEST(RequestSequence, OfTokenIdsIsThoseAlone) {
  const std::vector<TokenId> ids{TokenId{5}, TokenId{6}};
  EXPECT_EQ(sequence_of({.prompt = ids}).prompt, ids);
}

TEST(RequestSequence, EndsWhereTheRequestSays) {
  const SequenceRequest s = sequence_of(
      {.prompt = "a", .chat_template = "instruct", .max_tokens = 4, .stop = {"x"}, .ignore_eos = true});
  EXPECT_TRUE(s.stop_tokens.empty());
  EXPECT_EQ(s.stop_strings, (std::vector<std::string>{"x", "\nQ:"}));
  EXPECT_EQ(s.max_tokens, 4U);
}

TEST(RequestSequence, ThatCannotBeHadNamesTheOption) {
  EXPECT_EQ(fault_of({.prompt = "a", .system = "s"}), "system needs a template: auto, or one by its name");
  EXPECT_EQ(fault_of({.prompt = "a", .think = true}), "think needs a template: auto, or one by its name");
  EXPECT_EQ(fault_of({.prompt = "a", .chat_template = "auto", .special = true}),
            "special needs the template raw: the others put their control tokens themselves");
  EXPECT_EQ(fault_of({.prompt = talk(), .special = true}),
            "special needs the template raw: the others put their control tokens themselves");
  EXPECT_EQ(fault_of({.prompt = talk(), .think = false}).substr(0, 47),
            "the model: think off: its template, bitnet, has");
}

}  // namespace
}  // namespace bitnet::test
