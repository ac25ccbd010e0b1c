#include "tokenizer/recognise_template.h"

#include <gtest/gtest.h>

#include <string>

namespace bitnet {
namespace {

const std::string kBitnet =
    "{% for message in messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | "
    "trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% "
    "endif %}";
const std::string kChatml =
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n'}}{% endfor "
    "%}";

TEST(RecognisedTemplate, IsNotWhatAnotherCommentMentions) {
  EXPECT_EQ(recognise_template("{# not <|im_start|> #}" + kBitnet), ChatTemplate::bitnet);
  EXPECT_EQ(recognise_template("{#- unlike\n<|start_header_id|>, {{ see }} -#}" + kChatml),
            ChatTemplate::chatml);
  EXPECT_EQ(recognise_template("{# <|im_start|> #}"), std::nullopt);
  EXPECT_EQ(recognise_template("{# <|im_start|> and no end"), std::nullopt);
  EXPECT_EQ(recognise_template(kChatml + "{# <|start_header_id|> #}"), ChatTemplate::chatml);
}

TEST(RecognisedTemplate, IsNotWhatAConditionAsksFor) {
  EXPECT_EQ(recognise_template("{%- if '<|im_start|>' in m['content'] -%}{% endif %}" + kBitnet),
            ChatTemplate::bitnet);
  EXPECT_EQ(recognise_template("{% if x %}{% elif m == \"<|start_header_id|> %} \" %}{% endif %}" + kChatml),
            ChatTemplate::chatml);
  EXPECT_EQ(recognise_template("{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"),
            ChatTemplate::chatml);
  EXPECT_EQ(recognise_template("{% set iffy = '<|im_start|>' %}{{ iffy }}"), ChatTemplate::chatml);
}

TEST(RecognisedTemplate, SeesThatACommentsSignStandsInAString) {
  EXPECT_EQ(recognise_template("{{ '{# ' + x }}" + kChatml + "{{ ' #}' }}"), ChatTemplate::chatml);
  EXPECT_EQ(recognise_template("{{ 'it\\'s }} {# ' }}" + kChatml), ChatTemplate::chatml);
}

TEST(RecognisedTemplate, MayBeCutOffAnywhere) {
  const std::string whole = "{# c #}{% if 'a' %}{{ \"b\\\"\" }}" + kChatml;
  for (std::size_t n = 0; n <= whole.size(); ++n) recognise_template(whole.substr(0, n));
  EXPECT_EQ(recognise_template("{"), std::nullopt);
  EXPECT_EQ(recognise_template("{{"), std::nullopt);
  EXPECT_EQ(recognise_template("{%if"), std::nullopt);
}

TEST(RecognisedTemplate, IsFalcon3sByTheLineBreaksAroundTheContent) {
  // One expression for all roles, and one for each.
  EXPECT_EQ(
      recognise_template("{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '\\n' }}"
                         "{% endfor %}{{ '<|assistant|>\\n' }}"),
      ChatTemplate::falcon3);
  EXPECT_EQ(
      recognise_template("{%- if message['role'] == 'user' %}\n{{- '<|user|>\\n' + message['content'] + "
                         "'\\n' }}\n{%- else %}\n{{- '<|assistant|>\\n' + message['content'] + eos_token "
                         "}}\n{%- endif %}\n{{- '<|assistant|>\\n' }}"),
      ChatTemplate::falcon3);
}

TEST(RecognisedTemplate, IsMiniCpmsByItsTagForTheUser) {
  EXPECT_EQ(recognise_template("{% for m in messages %}{% if m['role'] == 'user' %}{{ '<用户>' + "
                               "m['content'].strip() + '<AI>' }}{% else %}{{ m['content'].strip() }}"
                               "{% endif %}{% endfor %}"),
            ChatTemplate::minicpm);
  EXPECT_EQ(recognise_template("{{ '<AI>' }}"), std::nullopt);
  EXPECT_EQ(recognise_template("{{ '<用户>' }}" + kChatml), ChatTemplate::chatml);
}

// They begin alike, and end the user's turn with a token.
TEST(RecognisedTemplate, IsNotFalcon3sWhereOtherFamiliesUseTheSameTags) {
  EXPECT_EQ(recognise_template("{{ '<|user|>\\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}"),
            std::nullopt);
  EXPECT_EQ(
      recognise_template("{{ '<|user|>\\n' + message['content'] + '<|end|>\\n' }}{{ '<|assistant|>\\n' }}"),
      std::nullopt);
  EXPECT_EQ(
      recognise_template("{{ '<|' + m['role'] + '|>\\n' + m['content'] + '</s>\\n' }}{{ '<|assistant|>' }}"),
      std::nullopt);
  EXPECT_EQ(recognise_template("[gMASK]<sop><|user|>\n{{ m['content'] }}<|assistant|>"), std::nullopt);
  EXPECT_EQ(recognise_template("<|assistant|>"), std::nullopt);
  EXPECT_EQ(recognise_template("'<|' '<|assistant|> role"), std::nullopt);
}

}  // namespace
}  // namespace bitnet
