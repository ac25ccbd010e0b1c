#include "bitnet/chat.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "bitnet/error.h"
#include "support/text_holds.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::canary_tokenizer;
using test::has;
using test::ints;
using test::VocabularyBuilder;
using Ids = std::vector<std::int32_t>;

// Every template's control tokens over single bytes, so that the ids spell out what was written.
class Chat : public testing::Test {
 protected:
  Chat() : builder_("gpt2", "llama-bpe"), tokenizer_(make()) {}

  Tokenizer make() {
    builder_.add_bytes();
    for (const auto* spelling : {"<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>",
                                 "<|end_header_id|>", "<|im_start|>", "<|im_end|>"}) {
      builder_.add(spelling, TokenType::control);
    }
    builder_->bos = 256;
    return builder_.build();
  }

  std::string show(ChatForm form, const std::vector<Message>& messages) const {
    std::string text;
    for (const TokenId id : encode_chat(form, tokenizer_, messages)) text += tokenizer_.bytes_of(id, true);
    return text;
  }

  const std::vector<Message> conversation_ = {{Role::system, " Be brief.\n"},
                                              {Role::user, "\tHi "},
                                              {Role::assistant, "Hello! \r\n"},
                                              {Role::user, "Bye"}};
  VocabularyBuilder builder_;
  Tokenizer tokenizer_;
};

TEST_F(Chat, WritesBitnet) {
  EXPECT_EQ(show(ChatTemplate::bitnet, conversation_),
            "<|begin_of_text|>System: Be brief.<|eot_id|>User: Hi<|eot_id|>Assistant: Hello!<|eot_id|>"
            "User: Bye<|eot_id|>Assistant: ");
}

TEST_F(Chat, WritesLlama3) {
  EXPECT_EQ(show(ChatTemplate::llama3, conversation_),
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST_F(Chat, WritesChatml) {
  EXPECT_EQ(
      show(ChatTemplate::chatml, conversation_),
      "<|begin_of_text|><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
      "<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
}

// As Qwen3's own text has it: nothing before the answer where the model may think, an empty thought where it
// may not.
TEST_F(Chat, WritesChatmlsThinkingBeforeTheAnswerAlone) {
  const std::string before =
      "<|begin_of_text|><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
      "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
  const std::vector<Message> messages(conversation_.begin() + 1, conversation_.end());
  const auto shown = [&](Thinking thinking) { return show({ChatTemplate::chatml, thinking}, messages); };
  EXPECT_EQ(shown(Thinking::none), before);
  EXPECT_EQ(shown(Thinking::free), before);
  EXPECT_EQ(shown(Thinking::begun), before + "<think>\n");
  EXPECT_EQ(shown(Thinking::skipped), before + "<think>\n\n</think>\n\n");
}

TEST_F(Chat, LeavesTheThinkingOutOfWhatWasSaidBefore) {
  const auto shown = [&](Thinking thinking, const std::string& answer) {
    return show({ChatTemplate::chatml, thinking},
                {{Role::user, "Hi"}, {Role::assistant, answer}, {Role::user, "<think>I</think>"}});
  };
  const auto expected = [](const std::string& answer) {
    return "<|begin_of_text|><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" + answer +
           "<|im_end|>\n<|im_start|>user\n<think>I</think><|im_end|>\n<|im_start|>assistant\n";
  };
  EXPECT_EQ(shown(Thinking::free, "<think>\nA greeting.\n</think>\n\nHello!"), expected("Hello!"));
  EXPECT_EQ(shown(Thinking::free, "<think>a</think>b<think>c</think> d"), expected("d"));
  EXPECT_EQ(shown(Thinking::free, "A greeting.\n</think>\n\nHello!"), expected("Hello!"));
  EXPECT_EQ(shown(Thinking::free, "\n<think>\nIt was cut off"), expected(""));
  EXPECT_EQ(shown(Thinking::free, "I <think> so"), expected("I <think> so"));
  EXPECT_EQ(shown(Thinking::none, "<think>a</think>b"), expected("<think>a</think>b"));
}

// With the tags as one token each, of either kind.
TEST_F(Chat, PutsTheTokensOfThinkingWhereTheVocabularyHasThem) {
  for (const TokenType type : {TokenType::user_defined, TokenType::control}) {
    VocabularyBuilder v("gpt2", "qwen2");
    v.add_bytes();
    for (const auto* spelling : {"<|im_start|>", "<|im_end|>"}) v.add(spelling, TokenType::control);
    const std::int32_t begin = v.add("<think>", type);
    const std::int32_t end = v.add("</think>", type);
    const Tokenizer t = v.build();
    const auto tail = [&](Thinking thinking) {
      Ids ids = ints(encode_chat({ChatTemplate::chatml, thinking}, t, {}));
      ids.erase(ids.begin(), ids.begin() + 11);  // <|im_start|>, "assistant" and a line break
      return ids;
    };
    EXPECT_EQ(tail(Thinking::free), Ids{});
    EXPECT_EQ(tail(Thinking::begun), (Ids{begin, '\n'}));
    EXPECT_EQ(tail(Thinking::skipped), (Ids{begin, '\n', '\n', end, '\n', '\n'}));
  }
}

// With a user's tag that is text, as in that vocabulary, and the assistant's, which is a token.
TEST_F(Chat, WritesMiniCpm) {
  EXPECT_EQ(show(ChatTemplate::minicpm, conversation_),
            "<|begin_of_text|>Be brief.<用户>Hi<AI>Hello!<用户>Bye<AI>");
  EXPECT_EQ(show(ChatTemplate::minicpm, {}), "<|begin_of_text|><AI>");
  EXPECT_EQ(stops_of(ChatTemplate::minicpm, tokenizer_).strings, std::vector<std::string>{"<用户>"});
  const std::int32_t assistant = builder_.add("<AI>", TokenType::user_defined);
  const Tokenizer with_token = builder_.build();
  const std::vector<TokenId> ids = encode_chat(ChatTemplate::minicpm, with_token, conversation_);
  EXPECT_EQ(ids.back(), TokenId{assistant});
  EXPECT_EQ(with_token.decode(ids, true), "<|begin_of_text|>Be brief.<用户>Hi<AI>Hello!<用户>Bye<AI>");
}

// A model goes on from the line break and generates no space before its answer: the history must not have
// one there either.
TEST(ChatTemplates, PutNoSpaceBetweenTheAssistantsHeaderAndItsWords) {
  VocabularyBuilder v("llama");
  v.add_bytes();
  v.add("\u2581");
  for (const auto* spelling : {"<|im_start|>", "<|im_end|>"}) v.add(spelling, TokenType::control);
  const Tokenizer t = v.build();
  const std::vector<Message> messages = {{Role::user, "a"}, {Role::assistant, "b"}};
  std::string text;
  for (const TokenId id : encode_chat(ChatTemplate::chatml, t, messages)) text += t.bytes_of(id, true);
  EXPECT_EQ(
      text,
      "<|im_start|> user\na<|im_end|> \n<|im_start|> assistant\nb<|im_end|> \n<|im_start|> assistant\n");
}

// The roles' tags are text in that family's vocabulary, and the end of text follows every answer.
TEST_F(Chat, WritesFalcon3) {
  EXPECT_EQ(show(ChatTemplate::falcon3, conversation_),
            "<|begin_of_text|><|system|>\nBe brief.\n<|user|>\nHi\n<|assistant|>\nHello!\n<|user|>\nBye\n"
            "<|assistant|>\n");
  EXPECT_EQ(stops_of(ChatTemplate::falcon3, tokenizer_).strings, std::vector<std::string>{"\n<|user|>"});
  const std::int32_t end = builder_.add("<|endoftext|>", TokenType::control);
  const std::int32_t user = builder_.add("<|user|>", TokenType::control);
  builder_->eos = static_cast<std::uint64_t>(end);
  const Tokenizer with_tokens = builder_.build();
  std::string text;
  std::size_t n_users = 0;
  for (const TokenId id : encode_chat(ChatTemplate::falcon3, with_tokens, conversation_)) {
    text += with_tokens.bytes_of(id, true);
    n_users += id == TokenId{user} ? 1 : 0;
  }
  EXPECT_EQ(text,
            "<|begin_of_text|><|system|>\nBe brief.\n<|user|>\nHi\n<|assistant|>\nHello!<|endoftext|>\n"
            "<|user|>\nBye\n<|assistant|>\n");
  EXPECT_EQ(n_users, 2U);
  EXPECT_EQ(ints(stops_of(ChatTemplate::falcon3, with_tokens).tokens), Ids{user});
  EXPECT_TRUE(stops_of(ChatTemplate::falcon3, with_tokens).strings.empty());
}

TEST_F(Chat, WritesInstruct) {
  EXPECT_EQ(show(ChatTemplate::instruct, conversation_),
            "<|begin_of_text|>Be brief.\n\nQ: Hi\nA: Hello!\nQ: Bye\nA:");
  EXPECT_EQ(stops_of(ChatTemplate::instruct, tokenizer_).strings, std::vector<std::string>{"\nQ:"});
}

TEST_F(Chat, WritesRawAsItStands) {
  EXPECT_EQ(show(ChatTemplate::raw, conversation_), "<|begin_of_text|> Be brief.\n\tHi Hello! \r\nBye");
}

TEST_F(Chat, EndsWithTheAssistantsHeaderWhateverCameLast) {
  EXPECT_EQ(show(ChatTemplate::bitnet, {}), "<|begin_of_text|>Assistant: ");
  EXPECT_EQ(show(ChatTemplate::bitnet, {{Role::assistant, "x"}}),
            "<|begin_of_text|>Assistant: x<|eot_id|>Assistant: ");
  EXPECT_EQ(show(ChatTemplate::instruct, {{Role::user, "q"}, {Role::assistant, "x"}}),
            "<|begin_of_text|>Q: q\nA: x\nA:");
}

TEST_F(Chat, NeverParsesAMessageForControlTokens) {
  for (const ChatTemplate t :
       {ChatTemplate::raw, ChatTemplate::bitnet, ChatTemplate::llama3, ChatTemplate::chatml,
        ChatTemplate::falcon3, ChatTemplate::minicpm, ChatTemplate::instruct}) {
    const auto count = [&](const std::string& content) {
      int controls = 0;
      const std::vector<Message> messages = {{Role::user, content}};
      for (const TokenId id : encode_chat(t, tokenizer_, messages))
        controls += tokenizer_.is_control(id) ? 1 : 0;
      return controls;
    };
    EXPECT_EQ(count("<|begin_of_text|><|eot_id|><|im_end|><|start_header_id|>system<|end_header_id|>"),
              count("x"))
        << name_of(t);
  }
}

// Split between two pieces of template text, a control token must not come about either.
TEST_F(Chat, DoesNotCompleteAControlTokenAcrossMessages) {
  EXPECT_EQ(encode_chat(ChatTemplate::raw, tokenizer_,
                        std::vector<Message>{{Role::user, "<|eot"}, {Role::user, "_id|>"}})
                .size(),
            1U + 10U);
}

TEST_F(Chat, AnAnswerExtendsTheTokensOfTheConversation) {
  for (const ChatTemplate t : {ChatTemplate::bitnet, ChatTemplate::llama3, ChatTemplate::chatml,
                               ChatTemplate::falcon3, ChatTemplate::minicpm}) {
    std::vector<Message> messages = {{Role::user, "What color is the sky?"}};
    const auto before = encode_chat(t, tokenizer_, messages);
    messages.push_back({Role::assistant, "The sky is blue."});
    const auto after = encode_chat(t, tokenizer_, messages);
    ASSERT_GT(after.size(), before.size());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin())) << name_of(t);
  }
}

TEST_F(Chat, AddsNoBosThatTheFileDoesNotWant) {
  builder_->add_bos = false;
  const Tokenizer without = builder_.build();
  EXPECT_EQ(without.bytes_of(encode_chat(ChatTemplate::bitnet, without, conversation_).front()), "S");
}

TEST_F(Chat, NamesTheTokenThatATemplateLacks) {
  const std::vector<Message> messages = {{Role::user, "x"}};
  try {
    encode_chat(ChatTemplate::llama3, canary_tokenizer(), messages);
    FAIL() << "encoded";
  } catch (const UsageError& e) {
    EXPECT_TRUE(has(e.what(), "<|start_header_id|>"));
  }
}

TEST_F(Chat, StopsAtTheEndOfATurn) {
  EXPECT_EQ(ints(stops_of(ChatTemplate::bitnet, canary_tokenizer()).tokens), Ids{1018});
  EXPECT_EQ(ints(stops_of(ChatTemplate::llama3, tokenizer_).tokens), Ids{257});
  EXPECT_EQ(ints(stops_of(ChatTemplate::chatml, tokenizer_).tokens), Ids{261});
  EXPECT_TRUE(stops_of(ChatTemplate::raw, tokenizer_).tokens.empty());
  EXPECT_TRUE(stops_of(ChatTemplate::bitnet, canary_tokenizer()).strings.empty());
}

TEST(ChatTemplates, GiveTheCanaryTheIdsItWasTrainedOn) {
  const std::vector<Message> question = {{Role::user, "What color is the sky?"}};
  EXPECT_EQ(ints(encode_chat(ChatTemplate::bitnet, canary_tokenizer(), question)),
            (Ids{1016, 351, 25, 367, 855, 286, 262, 264, 74, 88, 30, 1018, 352, 25, 220}));
}

// The canary would merge the space of the header with the answer's first word.
TEST(ChatTemplates, KeepTheTokensOfAConversationWhenItsAnswerIsAdded) {
  std::vector<Message> messages = {{Role::user, "What color is the sky?"}};
  const auto before = encode_chat(ChatTemplate::bitnet, canary_tokenizer(), messages);
  messages.push_back({Role::assistant, "the sky is blue."});
  const auto after = encode_chat(ChatTemplate::bitnet, canary_tokenizer(), messages);
  ASSERT_GT(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(ChatTemplates, AreFoundByName) {
  for (const ChatTemplate t :
       {ChatTemplate::raw, ChatTemplate::bitnet, ChatTemplate::llama3, ChatTemplate::chatml,
        ChatTemplate::falcon3, ChatTemplate::minicpm, ChatTemplate::instruct}) {
    EXPECT_EQ(find_chat_template(name_of(t)), t);
  }
  EXPECT_EQ(find_chat_template("auto"), std::nullopt);
  EXPECT_EQ(chat_template_names(), "raw, bitnet, llama3, chatml, falcon3, minicpm, instruct");
}

TEST_F(Chat, IsChosenByTheFilesOwnText) {
  const auto choose = [&](std::string_view jinja) {
    return choose_chat_template({"llama", jinja}, tokenizer_).chosen;
  };
  EXPECT_EQ(choose("{{ '<|start_header_id|>' + message['role'] }}<|eot_id|>"), ChatTemplate::llama3);
  EXPECT_EQ(choose("{{ '<|im_start|>' + message['role'] }}"), ChatTemplate::chatml);
  EXPECT_EQ(choose("{% if message['role'] == 'user' %}{{ 'Human: ' + content + '\\n\\nBITNETAssistant: ' "
                   "}}{% endif %}"),
            ChatTemplate::bitnet);
  EXPECT_EQ(
      choose(
          "{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}"
          "{{ content }}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"),
      ChatTemplate::bitnet);
  EXPECT_EQ(choose("{{ '[INST] ' + content + ' [/INST]' }}"), std::nullopt);
  EXPECT_EQ(choose("capitalize"), std::nullopt);
}

TEST_F(Chat, IsChosenByArchitectureAndVocabularyWhenTheFileHasNoText) {
  const auto choose = [](std::string_view architecture, std::initializer_list<const char*> controls) {
    VocabularyBuilder v("gpt2", "llama-bpe");
    v.add_bytes();
    for (const auto* spelling : controls) v.add(spelling, TokenType::control);
    const Tokenizer t = v.build();
    return choose_chat_template({architecture, ""}, t).chosen;
  };
  EXPECT_EQ(choose("bitnet-b1.58", {"<|eot_id|>", "<|start_header_id|>"}), ChatTemplate::bitnet);
  EXPECT_EQ(choose("bitnet-25", {"<|eot_id|>"}), ChatTemplate::bitnet);
  EXPECT_EQ(choose("bitnet-b1.58", {}), ChatTemplate::instruct);
  EXPECT_EQ(choose("llama", {"<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"}),
            ChatTemplate::llama3);
  EXPECT_EQ(choose("llama", {"<|eot_id|>", "<|start_header_id|>"}), ChatTemplate::instruct);
  EXPECT_EQ(choose("qwen3", {"<|im_start|>", "<|im_end|>"}), ChatTemplate::chatml);
  EXPECT_EQ(choose("qwen3", {"<|im_start|>"}), ChatTemplate::instruct);
  EXPECT_EQ(choose("bitnet", {}), ChatTemplate::instruct);
}

TEST(ChatTemplates, KnowThinkingByTheFilesTextAndWithoutOneByTheVocabulary) {
  const auto tokenizer_of = [](VocabularyBuilder& v, std::optional<TokenType> tags) {
    v.add_bytes();
    for (const auto* spelling : {"<|im_start|>", "<|im_end|>"}) v.add(spelling, TokenType::control);
    if (tags) {
      for (const auto* spelling : {"<think>", "</think>"}) v.add(spelling, *tags);
    }
    return v.build();
  };
  VocabularyBuilder with("gpt2", "qwen2");
  VocabularyBuilder without("gpt2", "qwen2");
  VocabularyBuilder hidden("gpt2", "qwen2");
  const Tokenizer thinks = tokenizer_of(with, TokenType::user_defined);
  const Tokenizer plain = tokenizer_of(without, std::nullopt);
  const Tokenizer unseen = tokenizer_of(hidden, TokenType::control);
  const std::string jinja =
      "{{ '<|im_start|>' }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% if not "
      "enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}";

  const ThinkingForms own = thinking_forms(ChatTemplate::chatml, {"qwen3", jinja}, plain);
  EXPECT_EQ(own.unasked, Thinking::skipped);
  EXPECT_EQ(own.on, Thinking::free);
  EXPECT_EQ(own.off, Thinking::skipped);
  for (const std::string_view other : {"", "{{ '<|start_header_id|>' }}"}) {
    const ThinkingForms named = thinking_forms(ChatTemplate::chatml, {"qwen3", other}, thinks);
    EXPECT_EQ(named.unasked, Thinking::free) << other;
    EXPECT_EQ(named.on, Thinking::free) << other;
    EXPECT_EQ(named.off, Thinking::skipped) << other;
    EXPECT_EQ(thinking_forms(ChatTemplate::chatml, {"qwen3", other}, plain).unasked, Thinking::none);
  }
  EXPECT_EQ(thinking_forms(ChatTemplate::chatml, {"qwen3", "{{ '<|im_start|>' }}"}, thinks).unasked,
            Thinking::none);
  EXPECT_EQ(thinking_forms(ChatTemplate::llama3, {"llama", jinja}, thinks).off, std::nullopt);
  // Tokens without a text: what is thinking could not be told from the answer.
  EXPECT_EQ(thinking_forms(ChatTemplate::chatml, {"qwen3", jinja}, unseen).off, std::nullopt);
  EXPECT_TRUE(thinking_forms(ChatTemplate::chatml, {"qwen3", jinja}, unseen).is_other);
  EXPECT_FALSE(thinking_forms(ChatTemplate::chatml, {"qwen3", ""}, unseen).is_other);
}

// One place decides: what is chosen can be used, and what cannot be used says why.
TEST(ChatTemplates, AreChosenOnlyWithTheControlTokensThatTheyNeed) {
  const auto obstacle = [](std::string_view jinja) {
    const ChatChoice choice = choose_chat_template({"bitnet-b1.58", jinja}, canary_tokenizer());
    EXPECT_EQ(choice.chosen, std::nullopt);
    return choice.obstacle;
  };
  EXPECT_EQ(obstacle("{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>'}}"),
            "its chat template is chatml, but the vocabulary has no token <|im_start|>");
  EXPECT_EQ(obstacle("{{ '[INST] ' + content }}"), "its chat template is none that this program knows");
  EXPECT_EQ(usable_chat_templates(canary_tokenizer()), "bitnet, falcon3, minicpm, instruct");
  EXPECT_EQ(obstacle_to(ChatTemplate::bitnet, canary_tokenizer()), "");
  EXPECT_EQ(obstacle_to(ChatTemplate::raw, canary_tokenizer()), "");
}

// Every control token's name with the begin of text before it, as one converter wrote them.
TEST(ChatTemplates, AreNotChosenForAVocabularyThatSpellsTheirTokensOtherwise) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  v.add("<|begin_of_text|><|eot_id|>", TokenType::control);
  const Tokenizer t = v.build();
  const ChatChoice choice = choose_chat_template({"bitnet-b1.58", "BITNETAssistant"}, t);
  EXPECT_EQ(choice.chosen, std::nullopt);
  EXPECT_EQ(choice.obstacle, "its chat template is bitnet, but the vocabulary has no token <|eot_id|>");
  EXPECT_EQ(choose_chat_template({"bitnet-b1.58", ""}, t).chosen, ChatTemplate::instruct);
}

TEST(ChatTemplates, CannotBeUsedWhereTheirOwnTextHasNoTokens) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  for (const auto* spelling : {"<|im_start|>", "<|im_end|>"}) v.add(spelling, TokenType::control);
  const Tokenizer t = v.build();
  EXPECT_EQ(obstacle_to(ChatTemplate::chatml, t), "the vocabulary cannot express the template's own text");
  EXPECT_EQ(usable_chat_templates(t), "");
  EXPECT_EQ(choose_chat_template({"llama", ""}, t).chosen, std::nullopt);
  try {
    encode_chat(ChatTemplate::chatml, t, std::vector<Message>{{Role::user, ""}});
    FAIL() << "encoded";
  } catch (const UsageError& e) {
    EXPECT_TRUE(has(e.what(), "the template's own text"));
  }
}

}  // namespace
}  // namespace bitnet
