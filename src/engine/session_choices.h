// What the options of a session, or of a scheduler, come to for a model. Each throws OptionError for a value
// that cannot be had.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bitnet/types.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/model_impl.h"

namespace bitnet {

inline constexpr std::size_t kMostPassTokens = 4096;

std::size_t choose_ctx_size(const Config& config, std::size_t wanted);
unsigned choose_threads(unsigned wanted);
// One for each thread; none when they are not to be bound.
std::vector<int> choose_cpus(bool pin_threads, unsigned n_threads);
ActivationType choose_activations(ActivationType wanted, const Model::Impl& model);
Rounding rounding_of(ActivationType activations, const Model::Impl& model);

// `value`, if it is in [least, most]; otherwise throws OptionError of that name.
std::size_t in_range(std::size_t value, std::size_t least, std::size_t most, const char* name);

// Throws UsageError where tokens cannot follow `position` others: there are none, they don't fit, or one is
// outside the vocabulary.
void check_tokens(const Config& config, std::size_t ctx_size, std::size_t position,
                  std::span<const TokenId> tokens);

// What is said of logits with a NaN or an infinity among them, which follow these tokens: `where` they are,
// or, as the loader would have said it, which value of the embedding makes them so. Of that not all is looked
// through when a model is loaded.
struct NotFinite {
  std::string what;
  bool is_of_file = false;

  [[noreturn]] void raise() const;  // ModelError, if it is, or RuntimeError
};
NotFinite not_finite(const Model::Impl& model, std::span<const TokenId> tokens, const std::string& where);
std::string position_text(std::size_t position);  // "at position 3"

}  // namespace bitnet
