// What converters are known to get wrong, told by what is in a file: for those who report it and those who
// mend it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "bitnet/tokenizer.h"
#include "gguf/gguf.h"
#include "quant/tensor_type.h"
#include "tokenizer/vocabulary.h"

namespace bitnet {

// The scales of 2B-4T are about 1 to 2 (one that microsoft/BitNet#616 quotes is 1.555); those of a file that
// was converted by dividing by weight_scale are their inverse, about 0.5 to 1.
struct ScaleJudgement {
  enum class Verdict { inverse, right, neither };
  Verdict verdict = Verdict::neither;
  double median = 0;
  std::size_t n_below_1 = 0;
  std::size_t n = 0;
};
// Of the scales of a file's ternary tensors. nullopt: its shape is not that of 2B-4T, the only model whose
// scales are known to be inverted, or there are no scales that are finite and positive.
std::optional<ScaleJudgement> judge_scales(const gguf::File& file, const std::vector<float>& scales);

// How many values of rows [begin, end) are 7/8 or 15/16 of what they were, because ternary values were
// rounded to Q4_0 or Q5_0 (quant/lopsided.h). nullopt: these rows are of another type, or not all of such
// values.
std::optional<std::uint64_t> count_shrunk(const quant::Matrix& w, std::size_t begin, std::size_t end,
                                          ThreadPool& pool);

// "Human: ... BITNETAssistant:", which the published 2B-4T file carries and the model was not trained on.
bool is_obsolete_template(std::string_view jinja);

// <|eot_id|>, where that is another token than the file's EOS.
std::optional<TokenId> end_of_turn_beside_eos(const Tokenizer& tokenizer);

// The same text as tokenizer.ggml.pre, of a converter that read in the tokenizer how it cuts a text.
inline constexpr std::string_view kReadPreKey = "ternary.tokenizer.pre";

// What tokenizer.ggml.pre has to be where the vocabulary itself tells: llama-bpe for that of Llama 3, which
// BitNet-b1.58-2B-4T has too. nullopt: nothing tells.
std::optional<std::string_view> pretokenizer_of(const Vocabulary& vocabulary);
// The same where the file has a name that is known to be written beside such a vocabulary, and that splits
// text in another way or says nothing: gpt-2 by a change to bitnet.cpp's converter (microsoft/BitNet#508),
// smaug-bpe and default by some of llama.cpp's.
std::optional<std::string_view> pretokenizer_instead(const Vocabulary& vocabulary);

}  // namespace bitnet
