#include "tokenizer/recognise_thinking.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tokenizer/jinja.h"

namespace bitnet {
namespace {

// The end of a chat template, behind its messages; `asked` follows the assistant's header.
std::string ending(const std::string& asked) {
  return "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content.split('</think>')[-1] + "
         "'<|im_end|>\\n' }}{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- "
         "'<|im_start|>assistant\\n' "
         "}}\n" +
         asked + "\n{%- endif %}\n";
}

void expect_forms(const std::string& jinja, Thinking unasked, std::optional<Thinking> on,
                  std::optional<Thinking> off) {
  const ThinkingForms forms = recognise_thinking(jinja);
  EXPECT_EQ(forms.unasked, unasked) << jinja;
  EXPECT_EQ(forms.on, on) << jinja;
  EXPECT_EQ(forms.off, off) << jinja;
}

// The ways in which published templates ask: Qwen3; Qwen3.6; the small ones of Qwen3.5; MiniCPM5.
TEST(RecognisedThinking, IsWhatTheTextWritesBeforeTheAnswer) {
  expect_forms(ending("{%- if enable_thinking is defined and enable_thinking is false %}\n"
                      "{{- '<think>\\n\\n</think>\\n\\n' }}\n{%- endif %}"),
               Thinking::free, Thinking::free, Thinking::skipped);
  expect_forms(ending("{%- if enable_thinking is defined and enable_thinking is false %}\n"
                      "{{- '<think>\\n\\n</think>\\n\\n' }}\n{%- else %}\n{{- '<think>\\n' }}\n{%- endif %}"),
               Thinking::begun, Thinking::begun, Thinking::skipped);
  expect_forms(ending("{%- if enable_thinking is defined and enable_thinking is true %}\n"
                      "{{- '<think>\\n' }}\n{%- else %}\n{{- '<think>\\n\\n</think>\\n\\n' }}\n{%- endif %}"),
               Thinking::skipped, Thinking::begun, Thinking::skipped);
  expect_forms(ending("{%- if enable_thinking is defined %}{%- if enable_thinking is false %}"
                      "{{- '<think>\\n\\n</think>\\n\\n' }}{%- elif enable_thinking is true %}"
                      "{{- '<think>\\n' }}{%- endif %}{%- endif %}"),
               Thinking::free, Thinking::begun, Thinking::skipped);
  expect_forms(ending("{{- '<think>\\n\\n</think>\\n\\n' if not enable_thinking | default(true) else '' }}"),
               Thinking::free, Thinking::free, Thinking::skipped);
}

TEST(RecognisedThinking, MayHaveNoChoice) {
  expect_forms(ending("{{- '<think>\\n' }}"), Thinking::begun, Thinking::begun, std::nullopt);
  expect_forms(ending(""), Thinking::free, Thinking::free, std::nullopt);
  expect_forms("{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}", Thinking::none,
               std::nullopt, std::nullopt);
}

// Better none than a prompt that the model was not trained on.
TEST(RecognisedThinking, IsNoneWhereTheTextIsNotUnderstood) {
  for (const std::string asked :
       {"{%- if not enable_thinking %}{{- '<think></think>' }}{%- else %}{{- '<think> ' }}{%- endif %}",
        "{%- for x in y %}{{- '<think>\\n' }}{%- endfor %}", "{%- if f(x) %}{%- endif %}",
        "{{- '<think>\\n' | upper }}", "{{- {'a': 1} }}", "{{- true }}", "{%- if %}{%- endif %}"}) {
    EXPECT_TRUE(recognise_thinking(ending(asked)).is_other) << asked;
    expect_forms(ending(asked) + "{# <think> #}", Thinking::none, std::nullopt, std::nullopt);
  }
  expect_forms("<think>", Thinking::none, std::nullopt, std::nullopt);
  EXPECT_FALSE(recognise_thinking("{% if add_generation_prompt %}{% endif %}").is_other);
  expect_forms("<think>{% if add_generation_prompt %}assistant\n", Thinking::none, std::nullopt,
               std::nullopt);
}

TEST(RecognisedThinking, TakesTheTextBetweenTheTagsToo) {
  expect_forms(
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is false %}<think>\n"
      "\n</think>\n\n{% endif %}{% endif %}",
      Thinking::free, Thinking::free, Thinking::skipped);
}

TEST(RecognisedThinking, MayBeCutOffOrNestedWithoutEnd) {
  const std::string whole =
      ending("{%- if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}");
  for (std::size_t n = 0; n <= whole.size(); ++n) recognise_thinking(whole.substr(0, n));
  const std::string deep(100000, '(');
  expect_forms(ending("{{- " + deep + " }}"), Thinking::none, std::nullopt, std::nullopt);
  std::string ifs = "<think>{% if add_generation_prompt %}";
  for (int i = 0; i < 10000; ++i) ifs += "{% if x %}";
  expect_forms(ifs, Thinking::none, std::nullopt, std::nullopt);
  std::string chain = "{{ '' ";
  for (int i = 0; i < 10000; ++i) chain += "if x else '' ";
  expect_forms(ending(chain + "}}"), Thinking::none, std::nullopt, std::nullopt);
}

std::string value_of(const std::string& expression, std::optional<bool> enable_thinking = std::nullopt) {
  const auto value = evaluate_jinja(expression, enable_thinking);
  if (!value) return "not understood";
  switch (value->kind) {
    case JinjaValue::Kind::undefined:
      return "undefined";
    case JinjaValue::Kind::boolean:
      return value->is_true ? "true" : "false";
    case JinjaValue::Kind::text:
      return "'" + value->text + "'";
  }
  return "";
}

TEST(JinjaExpression, IsWorthWhatJinjaSays) {
  EXPECT_EQ(value_of("enable_thinking"), "undefined");
  EXPECT_EQ(value_of("enable_thinking", false), "false");
  EXPECT_EQ(value_of("enable_thinking is defined and enable_thinking", true), "true");
  EXPECT_EQ(value_of("enable_thinking is not defined or enable_thinking"), "true");
  EXPECT_EQ(value_of("not enable_thinking is true", false), "true");
  EXPECT_EQ(value_of("enable_thinking == false", false), "true");
  EXPECT_EQ(value_of("enable_thinking != false"), "true");
  EXPECT_EQ(value_of("enable_thinking is none"), "false");
  EXPECT_EQ(value_of("not not add_generation_prompt"), "true");
  EXPECT_EQ(value_of("(tools or enable_thinking) | default('x')"), "'x'");
  EXPECT_EQ(value_of("enable_thinking | default(true, true)"), "true");
  EXPECT_EQ(value_of("message.content.x"), "undefined");
  EXPECT_EQ(value_of("'a\\n\\'' + \"b\" ~ 'c'"), "'a\n'bc'");
  EXPECT_EQ(value_of("'a' if enable_thinking else 'b'", true), "'a'");
  EXPECT_EQ(value_of("'a' if enable_thinking"), "undefined");
}

TEST(JinjaExpression, MayBeOneThatIsNotUnderstood) {
  for (const char* expression : {"", "a b", "f(x)", "a[0]", "'a' + b", "a | upper", "a is odd", "'a", "(a",
                                 "a +", "a.", "a |", "{}", "a is", "a ==", "not", "a if", "a if b else"}) {
    EXPECT_EQ(value_of(expression), "not understood") << expression;
  }
}

}  // namespace
}  // namespace bitnet
