// Two ways of computing a model's logits, compared on a small sample of tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/types.h"
#include "model/inspect/inspection.h"

namespace bitnet {

// What two ways gave at the same positions. Of positions at which every logit of both is finite.
struct LogitsDifference {
  std::size_t n_positions = 0;  // the following are of them; without any they are 0
  double max_abs = 0;           // largest difference between two logits
  double rms = 0;               // of all differences
  double deviation = 0;       // standard deviation of the first way's logits, each around its position's mean
  double lowest_cosine = 0;   // of the positions
  std::size_t same_best = 0;  // positions at which the highest logit is the same token's
  std::size_t same_best_set = 0;  // positions at which the n_best highest are of the same tokens
};

// Adds up the differences of one position after the other.
class LogitsComparison {
 public:
  explicit LogitsComparison(std::size_t n_best) : n_best_(n_best) {}

  // [vocab] each, which is at least n_best.
  void add(std::span<const float> first, std::span<const float> second);
  LogitsDifference result() const;

 private:
  std::size_t n_best_;
  LogitsDifference out_;
  double squared_difference_ = 0;
  double squared_deviation_ = 0;
  double n_logits_ = 0;
};

// In words, of at least one position: the largest difference, the mean one and what they are to be held
// against; where the best tokens are the same.
std::string describe(const LogitsDifference& d);
std::string same_best(const LogitsDifference& d, std::size_t n_best);
// Where there is none.
inline constexpr const char* kNothingToCompare =
    "there is nothing to compare: weights of this model, or what they add up to, are NaN or too large";
// What it means for greedy text that a way which `option` asks for gave these: ok where no best token is
// another, else a note, to which there may be an advice.
Finding finding_of(std::string topic, std::string_view option, const LogitsDifference& d, std::size_t n_best);

struct LogitsSample {
  bool is_text = false;        // else ids spread over the vocabulary
  std::vector<TokenId> ids{};  // no more than the model's context
};

// The same every time: the first tokens of a fixed text or, if the vocabulary cannot express that, ids spread
// over the vocabulary. At most `most`, which the text has in any vocabulary while it is no more than
// kLongestSample.
LogitsSample take_sample(const Model& model, std::size_t most);
inline constexpr std::size_t kLongestSample = 128;
inline constexpr std::size_t kBestCompared = 10;  // tokens, of a vocabulary that has as many
inline constexpr std::size_t kSampleChunk = 8;    // ids run between two questions whether to go on

}  // namespace bitnet
