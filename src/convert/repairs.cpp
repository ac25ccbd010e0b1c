#include "convert/repairs.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/half.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "model/hidden_act.h"
#include "model/inspect/known_defects.h"
#include "model/read_vocabulary.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::convert {
namespace {

constexpr std::string_view kPre = "tokenizer.ggml.pre";
constexpr std::string_view kTemplate = "tokenizer.chat_template";
constexpr std::string_view kEos = "tokenizer.ggml.eos_token_id";

// "Role: content<|eot_id|>" for every message, then "Assistant: ": what BitNet-b1.58-2B-4T was trained on.
constexpr std::string_view kBitnetTemplate =
    "{% for message in messages %}"
    "{{ message['role'] | capitalize + ': ' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";

bool is_known_pretokenizer(const std::string& name) {
  try {
    const Pretokenizer known(name);
    return true;
  } catch (const ModelError&) {
    return false;
  }
}

// `vocabulary` is made usable too.
void mend_pretokenizer(Vocabulary& vocabulary, gguf::KeyValues& keys, std::vector<Repair>& repairs) {
  const bool is_mistaken = pretokenizer_instead(vocabulary).has_value();
  if (!vocabulary.pre.empty() && is_known_pretokenizer(vocabulary.pre) && !is_mistaken) return;
  const auto right = pretokenizer_of(vocabulary);
  if (!right) return;
  repairs.push_back(
      {"pre-tokenizer", std::string(kPre) +
                            (vocabulary.pre.empty() ? " was missing"
                                                    : " was '" + printable(vocabulary.pre, kMaxPrintedName) +
                                                          "', which is not that of such a vocabulary") +
                            ": it is " + std::string(*right) + ", as the vocabulary is that of Llama 3"});
  vocabulary.pre = *right;
  keys.set(kPre, *right);
}

void mend_chat(const gguf::File& file, const Tokenizer& tokenizer, gguf::KeyValues& keys,
               std::vector<Repair>& repairs) {
  const auto jinja = file.find(kTemplate);
  if (!jinja || !is_obsolete_template(jinja->as_string().value_or(""))) return;
  keys.set(kTemplate, kBitnetTemplate);
  repairs.push_back({"chat template", std::string(kTemplate) +
                                          " was an obsolete one (\"Human: ... BITNETAssistant:\"): it is the "
                                          "one that the model was trained on"});
  const auto end = end_of_turn_beside_eos(tokenizer);
  if (!end) return;
  repairs.push_back({"end of turn", std::string(kEos) + " was " + std::to_string(to_int(*tokenizer.eos())) +
                                        ": it is " + std::to_string(to_int(*end)) +
                                        ", <|eot_id|>, with which a turn of that template ends"});
  const auto id = static_cast<std::uint32_t>(to_int(*end));
  if (!keys.set_integer_in_place(kEos, id)) keys.set(kEos, id);
}

void mend_hidden_act(const gguf::File& file, const Config& config, gguf::KeyValues& keys,
                     std::vector<Repair>& repairs) {
  const HiddenActInfo info = decide_hidden_act(file, config, std::nullopt);
  if (info.certainty != Certainty::concluded) return;
  const std::string key = config.architecture + ".hidden_activation";
  keys.set(key, name_of(info.act));
  repairs.push_back(
      {"activation", key + " was missing: it is " + std::string(name_of(info.act)) + ", " + info.reason});
}

}  // namespace

std::vector<Repair> mend_keys(const gguf::File& file, const Config& config, std::optional<HiddenAct> told,
                              gguf::KeyValues& keys) {
  std::vector<Repair> repairs;
  try {
    Vocabulary vocabulary = read_vocabulary(file);
    mend_pretokenizer(vocabulary, keys, repairs);
    mend_chat(file, Tokenizer(std::move(vocabulary)), keys, repairs);
  } catch (const ModelError&) {
    // What is wrong with it is for those to say who load it.
  }
  if (!told) mend_hidden_act(file, config, keys, repairs);
  return repairs;
}

float inverse_scale(float scale) {
  const float inverse = 1.0F / scale;
  const float rounded = bf16_to_f32(f32_to_bf16(inverse));
  return 1.0F / rounded == scale ? rounded : inverse;
}

}  // namespace bitnet::convert
