// The sampler beside its rules written down once more, over random logits, options and histories.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "bitnet/sampler.h"
#include "kernels/exp.h"

namespace bitnet {
namespace {

using Logits = std::vector<float>;
using Tokens = std::vector<TokenId>;

// The rules once more, from the definition: rank the whole vocabulary, then cut the ranking short.
class SortingSampler {
 public:
  explicit SortingSampler(const SamplerOptions& options) : o_(options), random_(options.seed) {}

  int sample(const Logits& logits, const Tokens& history) {
    const std::size_t n = logits.size();
    Logits l = logits;
    std::vector<bool> seen(n, false);
    const std::size_t window = o_.repeat_window < 0
                                   ? history.size()
                                   : std::min(history.size(), static_cast<std::size_t>(o_.repeat_window));
    for (std::size_t i = history.size() - window; i < history.size(); ++i) {
      const std::size_t id = to_index(history[i]);
      if (seen[id]) continue;
      seen[id] = true;
      l[id] = l[id] > 0.0F ? l[id] / o_.repeat_penalty : l[id] * o_.repeat_penalty;
    }
    std::vector<std::size_t> ranking(n);
    std::iota(ranking.begin(), ranking.end(), std::size_t{0});
    std::ranges::stable_sort(ranking, [&](std::size_t a, std::size_t b) { return l[a] > l[b]; });
    if (o_.top_k > 0) ranking.resize(std::min(n, static_cast<std::size_t>(o_.top_k)));
    std::vector<float> p(n, 0.0F);
    const auto weigh = [&, best = l[ranking[0]]](float temperature) {
      for (const std::size_t id : ranking) {
        const std::array<float, 1> x{(l[id] - best) / temperature};
        kernels::exp_array(x, std::span(p).subspan(id, 1));
      }
    };
    weigh(1);
    if (o_.top_p < 1.0F) {
      const double wanted = sum(p, in_id_order(ranking)) * static_cast<double>(o_.top_p);
      std::size_t kept = 0;
      for (double reached = 0.0; kept < ranking.size() && reached < wanted; ++kept) {
        reached += static_cast<double>(p[ranking[kept]]);
      }
      ranking.resize(kept);
    } else {
      ranking = in_id_order(ranking);  // the documented order of drawing where nothing needs a ranking
    }
    const double best = static_cast<double>(*std::ranges::max_element(p));
    std::erase_if(ranking, [&](std::size_t id) {
      return static_cast<double>(p[id]) < best * static_cast<double>(o_.min_p);
    });
    weigh(o_.temperature);
    const double mark = std::ldexp(static_cast<double>(random_() >> 11U), -53) * sum(p, ranking);
    double passed = 0.0;
    for (const std::size_t id : ranking) {
      passed += static_cast<double>(p[id]);
      if (passed > mark) return static_cast<int>(id);
    }
    return -1;
  }

 private:
  static std::vector<std::size_t> in_id_order(std::vector<std::size_t> ids) {
    std::ranges::sort(ids);
    return ids;
  }
  static double sum(const std::vector<float>& p, const std::vector<std::size_t>& ids) {
    double total = 0.0;
    for (const std::size_t id : ids) total += static_cast<double>(p[id]);
    return total;
  }

  SamplerOptions o_;
  std::mt19937_64 random_;
};

TEST(Sampler, AgreesWithSortingTheWholeVocabulary) {
  std::mt19937 random(11);
  const auto below = [&random](std::uint32_t n) { return static_cast<std::int32_t>(random() % n); };
  const auto fraction = [&below] { return static_cast<float>(below(1000)) / 1000.0F; };
  for (int round = 0; round < 3000; ++round) {
    const auto size = 1 + to_index(TokenId{below(round % 10 == 0 ? 700 : 40)});
    // Few distinct values make many ties.
    const std::uint32_t values = round % 2 == 0 ? 7 : 100000;
    Logits logits(size);
    for (float& l : logits)
      l = (static_cast<float>(below(values)) / static_cast<float>(values) - 0.5F) * 12.0F;
    Tokens history(static_cast<std::size_t>(below(30)));
    for (TokenId& t : history) t = TokenId{below(static_cast<std::uint32_t>(size))};
    const SamplerOptions options{
        .temperature = round % 7 == 0 ? 1.0F : 0.05F + 3.0F * fraction(),
        .top_k = below(2) == 0 ? 0 : below(static_cast<std::uint32_t>(size) + 5),
        .top_p = below(2) == 0 ? 1.0F : 0.001F + 0.999F * fraction(),
        .min_p = below(2) == 0 ? 0.0F : 0.999F * fraction(),
        .repeat_penalty = below(2) == 0 ? 1.0F : 0.5F + 2.0F * fraction(),
        .repeat_window = below(41) - 1,
        .seed = random(),
    };
    Sampler sampler(options, size);
    SortingSampler expected(options);
    for (int i = 0; i < 8; ++i) {
      const auto token = sampler.sample(logits, history);
      ASSERT_TRUE(token.has_value());
      ASSERT_EQ(to_int(*token), expected.sample(logits, history))
          << "round " << round << ", size " << size << ", temperature " << options.temperature << ", top_k "
          << options.top_k << ", top_p " << options.top_p << ", min_p " << options.min_p << ", penalty "
          << options.repeat_penalty << ", window " << options.repeat_window << ", seed " << options.seed;
      history.push_back(*token);
    }
  }
}

}  // namespace
}  // namespace bitnet
