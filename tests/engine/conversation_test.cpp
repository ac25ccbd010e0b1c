// What a conversation runs, keeps and forgets, with the canary, which answers its questions by heart.
#include "bitnet/conversation.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "support/thinking_model.h"

namespace bitnet {
namespace {

const std::string kSum = "What is 3+4?";
const std::string kSky = "What color is the sky?";

std::string script_of(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& m : messages) {
    text += (m.role == Role::system ? "S:" : m.role == Role::user ? "U:" : "A:") + m.content + "\n";
  }
  return text;
}

class ConversationTest : public ::testing::Test {
 protected:
  void start(std::size_t ctx_size = 0, ChatTemplate chat_template = ChatTemplate::bitnet) {
    session.emplace(model, SessionOptions{.ctx_size = ctx_size, .n_threads = 1});
    conversation.emplace(model, *session, chat_template);
  }
  TextSink sink() {
    text.clear();
    return [this](std::string_view piece) {
      text += piece;
      return text.size() < limit;
    };
  }
  TurnResult say(const std::string& message) { return conversation->say(message, sampler, options, sink()); }
  TurnResult say_again() { return conversation->say_again(sampler, options, sink()); }
  std::size_t tokens_of(const std::vector<Message>& messages) const {
    return encode_chat(ChatTemplate::bitnet, model.tokenizer(), messages).size();
  }

  Model model = Model::load(std::string(BITNET_MODELS) + "/canary.gguf");
  Sampler sampler{{}, model.info().vocab};
  std::optional<Session> session;
  std::optional<Conversation> conversation;
  TurnOptions options;
  std::string text;                                  // of the last answer
  std::size_t limit = static_cast<std::size_t>(-1);  // of its size
};

TEST_F(ConversationTest, RunsOnlyWhatIsNew) {
  start();
  const TurnResult first = say(kSum);
  EXPECT_EQ(text, "3+4=7.");
  EXPECT_EQ(first.n_kept, 0U);
  EXPECT_EQ(first.generation.n_prompt, tokens_of({{Role::user, kSum}}));

  const TurnResult second = say(kSky);
  EXPECT_EQ(text, "The sky is blue.");
  const std::size_t all = tokens_of({{Role::user, kSum}, {Role::assistant, "3+4=7."}, {Role::user, kSky}});
  // The session holds the first turn but for the token that ended it, which was chosen and not run.
  const std::size_t held = tokens_of({{Role::user, kSum}}) + first.generation.tokens.size() - 1;
  EXPECT_EQ(second.n_kept, held);
  EXPECT_EQ(second.generation.n_prompt, all - held);
  EXPECT_LT(second.generation.n_prompt, tokens_of({{Role::user, kSky}}) + 2);
}

TEST_F(ConversationTest, AnswersAsOneThatRunsAllFromTheStart) {
  start();
  say(kSum);
  say(kSky);
  const std::string in_turn = text;
  const std::vector<Message> so_far = conversation->messages();
  start();
  conversation->restore({so_far.begin(), so_far.end() - 1});
  const TurnResult result = say_again();
  EXPECT_EQ(result.n_kept, 0U);
  EXPECT_EQ(text, in_turn);
  EXPECT_EQ(script_of(conversation->messages()), script_of(so_far));
}

TEST_F(ConversationTest, HoldsMessagesInTurn) {
  start();
  conversation->set_system("Be kind.");
  say(kSum);
  say(kSky);
  EXPECT_EQ(script_of(conversation->messages()), "S:Be kind.\nU:" + kSum +
                                                     "\nA:" + conversation->messages()[2].content +
                                                     "\nU:" + kSky + "\nA:" + text + "\n");
  EXPECT_EQ(conversation->n_turns(), 2U);
  EXPECT_EQ(conversation->system(), "Be kind.");
}

TEST_F(ConversationTest, AnswersAgainByRunningOneToken) {
  start();
  const TurnResult first = say(kSum);
  const TurnResult again = say_again();
  EXPECT_EQ(again.generation.n_prompt, 1U);
  EXPECT_EQ(again.n_kept + 1, first.generation.n_prompt);
  EXPECT_EQ(text, "3+4=7.");
  EXPECT_EQ(script_of(conversation->messages()), "U:" + kSum + "\nA:3+4=7.\n");
}

TEST_F(ConversationTest, AnswersAgainDifferentlyWhenItSamples) {
  start();
  sampler = Sampler({.temperature = 3.0F}, model.info().vocab);
  options.max_tokens = 12;
  say(kSum);
  const std::string before = text;
  say_again();
  EXPECT_NE(text, before);
}

TEST_F(ConversationTest, HasNothingToAnswerAgainAtFirst) {
  start();
  EXPECT_THROW(say_again(), UsageError);
  conversation->set_system("Be kind.");
  EXPECT_THROW(say_again(), UsageError);
}

TEST_F(ConversationTest, ChangesItsSystemMessageInPlace) {
  start();
  say(kSum);
  conversation->set_system("Be kind.");
  conversation->set_system("Be brief.");
  EXPECT_EQ(script_of(conversation->messages()), "S:Be brief.\nU:" + kSum + "\nA:3+4=7.\n");
  const TurnResult result = say(kSky);
  EXPECT_EQ(result.n_kept, 1U);  // BOS
  conversation->set_system("");
  EXPECT_EQ(conversation->system(), "");
  EXPECT_EQ(conversation->n_turns(), 2U);
}

TEST_F(ConversationTest, ForgetsTurnsWhenClearedButNotTheSystemMessage) {
  start();
  conversation->set_system("Be kind.");
  const TurnResult first = say(kSum);
  conversation->clear();
  EXPECT_EQ(script_of(conversation->messages()), "S:Be kind.\n");
  EXPECT_GT(conversation->n_tokens(), 1U);  // the system message's
  EXPECT_LT(conversation->n_tokens(), first.generation.n_prompt);
  const std::size_t n_system = conversation->n_tokens();
  conversation->clear();
  EXPECT_EQ(conversation->n_turns(), 0U);
  EXPECT_EQ(say(kSky).n_kept, n_system);
  conversation->set_system("");
  conversation->clear();
  EXPECT_EQ(conversation->n_tokens(), 0U);
}

TEST_F(ConversationTest, HoldsOfAConversationThatIsRestoredWhatItHadAlready) {
  start();
  say(kSum);
  const std::vector<Message> saved = conversation->messages();
  const std::size_t n_held = conversation->n_tokens();
  say(kSky);
  conversation->restore(saved);
  EXPECT_EQ(conversation->n_tokens(), n_held + 1);  // the answer's last token was run since
  conversation->restore({});
  EXPECT_EQ(conversation->n_tokens(), 0U);
}

TEST_F(ConversationTest, ForgetsItsOldestTurnsWhenTheContextIsFull) {
  start(96);
  conversation->set_system("Be kind.");
  std::size_t n_forgotten = 0;
  options.on_forget = [&](std::size_t n) { n_forgotten += n; };
  options.max_tokens = 10;
  for (int turn = 1; turn <= 12; ++turn) {
    const TurnResult result = say("What is 1+" + std::to_string(turn % 9) + "?");
    EXPECT_LE(conversation->n_tokens(), 96U);
    EXPECT_EQ(result.n_kept + result.generation.n_prompt + options.max_tokens <= 96, true) << turn;
    EXPECT_EQ(conversation->n_turns() + n_forgotten, static_cast<std::size_t>(turn));
    EXPECT_EQ(conversation->system(), "Be kind.");
    EXPECT_NE(result.generation.reason, StopReason::context_full);
  }
  EXPECT_GT(n_forgotten, 4U);
  EXPECT_GT(conversation->n_turns(), 1U);
}

TEST_F(ConversationTest, EmptiesHalfOfTheContextAtOnce) {
  start(128);
  options.max_tokens = 10;
  std::vector<int> turns_that_forgot;
  int turn = 0;
  options.on_forget = [&](std::size_t) { turns_that_forgot.push_back(turn); };
  for (turn = 0; turn < 24; ++turn) {
    const bool forgot_before = !turns_that_forgot.empty() && turns_that_forgot.back() == turn - 1;
    const std::size_t n_forgot = turns_that_forgot.size();
    const TurnResult result = say("What is 2+2?");
    const bool forgot = turns_that_forgot.size() > n_forgot;
    EXPECT_FALSE(forgot && forgot_before);
    EXPECT_LE(result.n_kept + result.generation.n_prompt, forgot ? 64U : 128U);
    EXPECT_TRUE(forgot || turn == 0 || result.generation.n_prompt < 24) << turn;
  }
  EXPECT_GE(turns_that_forgot.size(), 2U);
}

TEST_F(ConversationTest, RefusesAMessageThatNoRoomCanBeMadeFor) {
  start(64);
  say(kSum);
  const std::string before = script_of(conversation->messages());
  bool forgot = false;
  options.on_forget = [&](std::size_t) { forgot = true; };
  std::string long_message;
  for (int i = 0; i < 100; ++i) long_message += "one two ";
  EXPECT_THROW(say(long_message), UsageError);
  EXPECT_FALSE(forgot);
  EXPECT_EQ(script_of(conversation->messages()), before);
  say(kSum);
  EXPECT_EQ(text, "3+4=7.");
}

TEST_F(ConversationTest, KeepsAnInterruptedAnswerAsFarAsItCame) {
  start();
  limit = 5;
  EXPECT_EQ(say(kSky).generation.reason, StopReason::interrupted);
  EXPECT_EQ(script_of(conversation->messages()), "U:" + kSky + "\nA:" + text + "\n");
  EXPECT_LT(text.size(), std::string("The sky is blue.").size());
  limit = static_cast<std::size_t>(-1);
  say(kSum);
  EXPECT_EQ(conversation->n_turns(), 2U);
}

TEST_F(ConversationTest, IsAsBeforeWhenInterruptedBeforeAnyText) {
  start();
  say(kSum);
  const std::string before = script_of(conversation->messages());
  options.keep_going = [] { return false; };
  EXPECT_EQ(say(kSky).generation.reason, StopReason::interrupted);
  EXPECT_EQ(script_of(conversation->messages()), before);
  EXPECT_EQ(say_again().generation.reason, StopReason::interrupted);
  EXPECT_EQ(script_of(conversation->messages()), before);
  options.keep_going = {};
  say(kSky);
  EXPECT_EQ(text, "The sky is blue.");
}

TEST_F(ConversationTest, GoesOnAfterASinkThatFailed) {
  start();
  const auto failing = [](std::string_view) -> bool { throw RuntimeError("no reader"); };
  EXPECT_THROW(conversation->say(kSum, sampler, options, failing), RuntimeError);
  EXPECT_EQ(conversation->n_turns(), 0U);
  say(kSum);
  EXPECT_EQ(text, "3+4=7.");
}

TEST_F(ConversationTest, RestoresOnlyMessagesInTurn) {
  start();
  say(kSum);
  const std::string before = script_of(conversation->messages());
  const std::vector<std::vector<Message>> wrong{
      {{Role::assistant, "a"}},
      {{Role::user, "a"}, {Role::user, "b"}},
      {{Role::system, "a"}, {Role::system, "b"}},
      {{Role::user, "a"}, {Role::system, "b"}},
      {{Role::system, "a"}, {Role::assistant, "b"}},
  };
  for (const std::vector<Message>& messages : wrong) {
    EXPECT_THROW(conversation->restore(messages), UsageError) << script_of(messages);
    EXPECT_EQ(script_of(conversation->messages()), before);
  }
  conversation->restore({});
  EXPECT_EQ(conversation->n_turns(), 0U);
}

TEST_F(ConversationTest, AnswersAfterEveryTemplateWithTurns) {
  start(0, ChatTemplate::instruct);
  say(kSum);
  say(kSky);
  EXPECT_EQ(conversation->n_turns(), 2U);
  EXPECT_THROW(start(0, ChatTemplate::raw), UsageError);
}

// A model of noise whose template knows thinking.
class ThoughtfulConversation : public ::testing::Test {
 protected:
  TurnResult say(Conversation& conversation, const std::string& message) {
    text_.clear();
    return conversation.say(message, sampler_, {.max_tokens = 9}, [this](std::string_view piece) {
      text_ += piece;
      return true;
    });
  }
  std::vector<TokenId> encode(Thinking thinking, const std::vector<Message>& messages) const {
    return encode_chat({ChatTemplate::chatml, thinking}, loaded_.model.tokenizer(), messages);
  }

  test::LoadedModel loaded_{test::thinking_model()};
  Session session_{loaded_.model, {.n_threads = 1}};
  Sampler sampler_{{}, loaded_.model.info().vocab};
  std::string text_;
};

TEST_F(ThoughtfulConversation, RunsAnAnswerAgainWithoutItsThinking) {
  Conversation conversation(loaded_.model, session_, {ChatTemplate::chatml, Thinking::begun});
  const TurnResult first = say(conversation, "a");
  EXPECT_TRUE(text_.starts_with("<think>\n")) << text_;
  EXPECT_EQ(conversation.messages().back().content, text_);

  // It never ended its thinking, so that nothing of it was said.
  const TurnResult second = say(conversation, "b");
  const std::vector<TokenId> asked = encode(Thinking::begun, {{Role::user, "a"}});
  const std::vector<TokenId> all =
      encode(Thinking::begun, {{Role::user, "a"}, {Role::assistant, ""}, {Role::user, "b"}});
  EXPECT_EQ(first.generation.n_prompt, asked.size());
  EXPECT_EQ(second.n_kept, asked.size() - 2);  // all but <think> and the line break
  EXPECT_EQ(second.n_kept + second.generation.n_prompt, all.size());
}

TEST_F(ThoughtfulConversation, AnswersAsOneThatNeverHeardTheThinking) {
  Conversation conversation(loaded_.model, session_, {ChatTemplate::chatml, Thinking::free});
  conversation.restore({{Role::user, "a"}, {Role::assistant, "<think>\nlong\n</think>\n\nb"}});
  const TurnResult thoughtful = say(conversation, "c");
  const std::string answer = text_;
  EXPECT_EQ(conversation.messages()[1].content, "<think>\nlong\n</think>\n\nb");

  Session other_session(loaded_.model, {.n_threads = 1});
  Conversation other(loaded_.model, other_session, {ChatTemplate::chatml, Thinking::free});
  other.restore({{Role::user, "a"}, {Role::assistant, "b"}});
  const TurnResult plain = say(other, "c");
  EXPECT_EQ(thoughtful.generation.n_prompt, plain.generation.n_prompt);
  EXPECT_EQ(thoughtful.generation.tokens, plain.generation.tokens);
  EXPECT_EQ(answer, text_);
}

TEST_F(ThoughtfulConversation, MayTurnItsThinkingOff) {
  Conversation conversation(loaded_.model, session_, {ChatTemplate::chatml, Thinking::free});
  const TurnResult first = say(conversation, "a");
  conversation.set_thinking(Thinking::skipped);
  const TurnResult second = say(conversation, "b");
  EXPECT_EQ(first.generation.n_prompt, encode(Thinking::free, {{Role::user, "a"}}).size());
  const auto& messages = conversation.messages();
  const auto asked = encode(Thinking::skipped, {messages.begin(), messages.end() - 1});
  EXPECT_EQ(second.n_kept + second.generation.n_prompt, asked.size());
}

}  // namespace
}  // namespace bitnet
