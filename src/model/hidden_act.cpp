#include "model/hidden_act.h"

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

constexpr std::size_t k1bitllmVocab = 32002;
constexpr std::size_t k2b4tVocab = 128256;  // fine-tuned ones may have more tokens
constexpr std::size_t k2b4tLayers = 30;

// What the models that share their tensors' names differ in, the activation apart.
struct Traits {
  bool sentence_piece;  // rather than byte-level BPE
  bool grouped_heads;   // fewer key/value heads than query heads
  const Config& config;

  bool is_1bitllm() const {
    return sentence_piece && !grouped_heads && config.vocab == k1bitllmVocab &&
           (config.n_layers == 24 || config.n_layers == 26);
  }
  bool is_2b4t() const {
    return !sentence_piece && grouped_heads && config.vocab >= k2b4tVocab && config.n_layers == k2b4tLayers;
  }
  bool resembles(HiddenAct act) const {
    return act == HiddenAct::silu ? sentence_piece && !grouped_heads : !sentence_piece && grouped_heads;
  }
  std::string text() const {
    return std::string(sentence_piece ? "a SentencePiece vocabulary" : "a byte-level BPE vocabulary") +
           " of " + std::to_string(config.vocab) + " tokens, " + std::to_string(config.n_kv_heads) +
           " key/value heads for " + std::to_string(config.n_heads) + " heads and " +
           std::to_string(config.n_layers) + " layers";
  }
};

// What the layers are: with sub-norms there are two kinds of models to tell apart.
HiddenActInfo by_evidence(const Traits& traits, HiddenAct labelled) {
  const std::string label = "its architecture, " + traits.config.architecture + ", has it";
  const HiddenAct other = labelled == HiddenAct::silu ? HiddenAct::relu2 : HiddenAct::silu;
  const bool is_other = other == HiddenAct::silu ? traits.is_1bitllm() : traits.is_2b4t();
  if (is_other) {
    const char* const whose = other == HiddenAct::silu ? "1bitLLM's models, which have SiLU"
                                                       : "BitNet-b1.58-2B-4T, which has relu^2";
    return {other, Certainty::concluded,
            "though labelled " + traits.config.architecture + ", it has " + traits.text() + ": those of " +
                whose};
  }
  if (traits.resembles(other)) {
    return {
        labelled, Certainty::assumed,
        label + ", but " + traits.text() + " are rather those of models with " + std::string(name_of(other))};
  }
  return {labelled, Certainty::said, label};
}

}  // namespace

std::string_view name_of(HiddenAct act) { return act == HiddenAct::relu2 ? "relu2" : "silu"; }

std::optional<HiddenAct> find_hidden_act(std::string_view name) {
  for (const HiddenAct act : {HiddenAct::relu2, HiddenAct::silu}) {
    if (name == name_of(act)) return act;
  }
  return std::nullopt;
}

GateActivation gate_activation_of(HiddenAct act) {
  return act == HiddenAct::relu2 ? GateActivation::relu_squared : GateActivation::silu;
}

HiddenActInfo decide_hidden_act(const gguf::File& file, const Config& config,
                                std::optional<HiddenAct> asked) {
  if (asked) return {*asked, Certainty::said, "asked for when it was loaded"};
  const std::string key = config.architecture + ".hidden_activation";
  if (const auto value = file.get_string(key)) {
    const auto act = find_hidden_act(*value);
    if (!act) {
      throw ModelError(printable(file.name(), kMaxPrintedPath),
                       "key " + key + ": '" + printable(*value, kMaxPrintedName) +
                           "' is not implemented: there are relu2 and silu",
                       "this model cannot be run here; if the key is wrong, --hidden-act says what is right");
    }
    return {*act, Certainty::said, "its key " + key + " says so"};
  }
  const HiddenAct labelled =
      config.gate_activation == GateActivation::relu_squared ? HiddenAct::relu2 : HiddenAct::silu;
  const Traits traits{file.get_string("tokenizer.ggml.model") == "llama", config.n_kv_heads < config.n_heads,
                      config};
  if (config.sub_norms) return by_evidence(traits, labelled);
  return {labelled, Certainty::said, "its architecture, " + config.architecture + ", has it"};
}

}  // namespace bitnet
