// A small model that speaks chatml and may think.
#pragma once

#include <string>
#include <string_view>

#include "support/small_model.h"

namespace bitnet::test {

// As Qwen3's text asks for it: on unless asked otherwise, with nothing put before the answer.
inline constexpr std::string_view kThinksUnlessAsked =
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor "
    "%}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";
// As later ones do: the thinking is begun for it.
inline constexpr std::string_view kBeginsToThink =
    "{{- '<|im_start|>' }}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}"
    "{%- else %}{{- '<think>\\n' }}{%- endif %}{%- endif %}";

// Its answers are noise, the same noise every time. `jinja`: its chat template.
inline SmallModel thinking_model(std::string_view jinja = kThinksUnlessAsked) {
  SmallModel m("llama");
  m.set("tokenizer.chat_template", std::string(jinja));
  m.set("llama.context_length", std::uint32_t{512});
  m.set("tokenizer.ggml.pre", "qwen2").set("tokenizer.ggml.add_bos_token", false);
  m.spell(290, "<|im_start|>", TokenType::control).spell(291, "<|im_end|>", TokenType::control);
  return m.spell(292, "<think>", TokenType::user_defined).spell(293, "</think>", TokenType::user_defined);
}

}  // namespace bitnet::test
