#include "engine/session_choices.h"

#include <algorithm>
#include <string>

#include "base/cpu_count.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

constexpr std::size_t kDefaultContext = 4096;
// More than any model was made for; whether there is memory for it is another question.
constexpr std::size_t kMostContext = std::size_t{1} << 24;
constexpr unsigned kMaxThreads = 1024;

}  // namespace

std::size_t in_range(std::size_t value, std::size_t least, std::size_t most, const char* name) {
  if (value >= least && value <= most) return value;
  throw OptionError("", name,
                    " " + std::to_string(value) + " is not between " + std::to_string(least) + " and " +
                        std::to_string(most));
}

void NotFinite::raise() const {
  if (is_of_file) throw ModelError(what);
  throw RuntimeError(what);
}

NotFinite not_finite(const Model::Impl& model, std::span<const TokenId> tokens, const std::string& where) {
  const quant::Matrix& embedding = model.weights.token_embd;
  const quant::TypeInfo& type = quant::info(embedding.type);
  if (type.check.find_fault != nullptr) {
    for (const TokenId id : tokens) {
      const auto bad = type.check.find_fault(embedding, to_index(id), to_index(id) + 1);
      if (!bad) continue;
      return {printable(model.file.name(), kMaxPrintedPath) +
                  ": tensor token_embd.weight: " + std::string(type.check.unit) + " " + std::to_string(*bad) +
                  " " + std::string(type.check.fault) + "; " + std::string(type.check.hint),
              true};
    }
  }
  return {"the model's output is not finite " + where + "; the file is damaged or was converted wrongly"};
}

std::string position_text(std::size_t position) { return "at position " + std::to_string(position); }

std::size_t choose_ctx_size(const Config& config, std::size_t wanted) {
  if (wanted == 0) return std::min(config.context_length, kDefaultContext);
  return in_range(wanted, 1, kMostContext, "ctx_size");
}

unsigned choose_threads(unsigned wanted) {
  if (wanted > kMaxThreads) {
    throw OptionError("", "n_threads",
                      " " + std::to_string(wanted) + " is too many; at most " + std::to_string(kMaxThreads));
  }
  return wanted == 0 ? usable_cores() : wanted;
}

std::vector<int> choose_cpus(bool pin_threads, unsigned n_threads) {
  if (!pin_threads) return {};
  std::vector<int> cpus = usable_cpus();
  if (cpus.size() < n_threads) {
    throw OptionError("", "pin_threads",
                      ": " + std::to_string(n_threads) + " threads need as many CPUs, and this process has " +
                          std::to_string(cpus.size()) + "; use fewer threads");
  }
  cpus.resize(n_threads);
  return cpus;
}

ActivationType choose_activations(ActivationType wanted, const Model::Impl& model) {
  if (wanted == ActivationType::automatic) return model.info.activations;
  if (model.has_i2_s && (wanted == ActivationType::int8_128 || wanted == ActivationType::int8_32)) {
    throw OptionError("", "activations",
                      " in blocks of columns do not go with I2_S weights, whose models were trained with one "
                      "scale a token; leave the choice to the model, or use int8 or f32");
  }
  return wanted;
}

Rounding rounding_of(ActivationType activations, const Model::Impl& model) {
  switch (activations) {
    case ActivationType::int8_128:
      return {model.has_lanes, 128};
    case ActivationType::int8_32:
      return {model.has_lanes, 32};
    default:
      return {model.has_lanes, std::size_t{1} << 31};
  }
}

void check_tokens(const Config& config, std::size_t ctx_size, std::size_t position,
                  std::span<const TokenId> tokens) {
  if (tokens.empty()) throw UsageError("no tokens to run: the prompt is empty");
  if (tokens.size() > ctx_size - position) {
    const std::string before = position > 0 ? " after " + std::to_string(position) : "";
    throw OptionError(
        std::to_string(tokens.size()) + " tokens" + before + " do not fit a context of " +
            std::to_string(ctx_size) + "; shorten the prompt" +
            (ctx_size < config.context_length ? " or raise " : ": the model was made for no larger "),
        "ctx_size", "");
  }
  for (const TokenId id : tokens) {
    if (to_int(id) < 0 || to_index(id) >= config.vocab) {
      throw UsageError("token id " + std::to_string(to_int(id)) + " is outside the vocabulary of " +
                       std::to_string(config.vocab) + "; give ids of this model");
    }
  }
}

}  // namespace bitnet
