#include "model/inspect/known_defects.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>

#include "quant/lopsided.h"

namespace bitnet {
namespace {

constexpr std::string_view kEndOfTurn = "<|eot_id|>";
constexpr double kWidestScale = 4;  // that a median may have and still be like those of 2B-4T

bool has_shape_of_2b4t(const gguf::File& file) {
  const auto architecture = file.find("general.architecture");
  const std::string prefix =
      std::string((architecture ? architecture->as_string() : std::nullopt).value_or("")) + ".";
  const auto is = [&](const char* key, std::uint64_t value) {
    const auto found = file.find(prefix + key);
    return found && found->as_uint() == value;
  };
  return is("block_count", 30) && is("embedding_length", 2560) && is("feed_forward_length", 6912) &&
         is("attention.head_count", 20);
}

}  // namespace

std::optional<ScaleJudgement> judge_scales(const gguf::File& file, const std::vector<float>& scales) {
  std::vector<double> sound;
  for (const float scale : scales) {
    if (scale > 0 && std::isfinite(scale)) sound.push_back(static_cast<double>(scale));
  }
  if (sound.empty() || !has_shape_of_2b4t(file)) return std::nullopt;
  ScaleJudgement judgement;
  const auto middle = sound.begin() + static_cast<std::ptrdiff_t>(sound.size() / 2);
  std::ranges::nth_element(sound, middle);
  judgement.median = *middle;
  judgement.n = sound.size();
  judgement.n_below_1 =
      static_cast<std::size_t>(std::ranges::count_if(sound, [](double s) { return s < 1; }));
  if (judgement.median > 1 / kWidestScale && judgement.median < 1 &&
      judgement.n_below_1 * 10 > judgement.n * 9) {
    judgement.verdict = ScaleJudgement::Verdict::inverse;
  } else if (judgement.median >= 1 && judgement.median < kWidestScale) {
    judgement.verdict = ScaleJudgement::Verdict::right;
  }
  return judgement;
}

std::optional<std::uint64_t> count_shrunk(const quant::Matrix& w, std::size_t begin, std::size_t end,
                                          ThreadPool& pool) {
  constexpr std::size_t kElements = std::size_t{1} << 16;  // that a thread takes at a time
  if (!quant::lopsided::may_be(w.type)) return std::nullopt;
  std::atomic<std::uint64_t> n{0};
  std::atomic<bool> is_other{false};
  pool.parallel_for(end - begin, std::max<std::size_t>(1, kElements / w.cols),
                    [&](std::size_t first, std::size_t last) {
                      if (is_other.load()) return;
                      const auto found = quant::lopsided::count_shrunk(w, begin + first, begin + last);
                      if (found) {
                        n += *found;
                      } else {
                        is_other = true;
                      }
                    });
  if (is_other) return std::nullopt;
  return n.load();
}

bool is_obsolete_template(std::string_view jinja) {
  return jinja.find("BITNETAssistant") != std::string_view::npos;
}

std::optional<TokenId> end_of_turn_beside_eos(const Tokenizer& tokenizer) {
  const auto eot = tokenizer.find(kEndOfTurn);
  const auto eos = tokenizer.eos();
  return eos && eot && *eos != *eot ? eot : std::nullopt;
}

std::optional<std::string_view> pretokenizer_of(const Vocabulary& vocabulary) {
  if (vocabulary.model != "gpt2") return std::nullopt;
  const auto has = [&](std::string_view piece) {
    return std::ranges::find(vocabulary.pieces, piece) != vocabulary.pieces.end();
  };
  if (!has("<|begin_of_text|>") || !has(kEndOfTurn)) return std::nullopt;
  return "llama-bpe";
}

std::optional<std::string_view> pretokenizer_instead(const Vocabulary& vocabulary) {
  constexpr std::array<std::string_view, 4> kMistaken{"gpt-2", "gpt2", "smaug-bpe", "default"};
  constexpr std::string_view kOfGpt2 = "<|endoftext|>";  // whatever was added to its vocabulary
  if (vocabulary.pre_was_read) return std::nullopt;
  if (std::ranges::find(kMistaken, vocabulary.pre) == kMistaken.end()) return std::nullopt;
  if (std::ranges::find(vocabulary.pieces, kOfGpt2) != vocabulary.pieces.end()) return std::nullopt;
  return pretokenizer_of(vocabulary);
}

}  // namespace bitnet
