#include "bitnet/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "base/all_finite.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "engine/logprobs.h"
#include "engine/session_choices.h"
#include "engine/session_impl.h"

namespace bitnet {
namespace {

constexpr std::size_t kTokensBetweenQuestions = 32;  // whether to go on

}  // namespace

double Score::mean() const { return logprob / static_cast<double>(n_tokens); }

double Score::bits_per_byte() const {
  if (n_bytes == 0) return std::numeric_limits<double>::quiet_NaN();
  return -logprob / std::numbers::ln2 / static_cast<double>(n_bytes);
}

double Score::perplexity() const { return std::exp(-mean()); }

Score score(const Model& model, Session& session, std::span<const TokenId> ids, const ScoreOptions& options) {
  if (options.first == 0)
    throw OptionError("", "first", " 0: the first token has none before it; give 1 or more");
  Score total;
  if (ids.size() <= options.first) return total;
  // All of them before anything is run; the last, which is not run, too.
  const Config& config = session.impl().config;
  check_tokens(config, session.ctx_size(), to_index(session.position()), ids.last(1));
  check_tokens(config, session.ctx_size(), to_index(session.position()), ids.first(ids.size() - 1));
  const std::size_t before = to_index(session.position());
  if (options.first > 1 && !session.advance(ids.first(options.first - 1), options.keep_going)) return total;

  Logprobs logprobs(0, model.info().vocab);
  const auto take = [&](Position position, std::span<const float> logits) {
    const std::size_t index = to_index(position) - before + 1;
    logprobs.set(logits);
    const double logprob = logprobs.of(ids[index]);
    if (!std::isfinite(logprob) || !all_finite(logits)) {
      not_finite(session.impl().model, ids.first(index), position_text(to_index(position))).raise();
    }
    ++total.n_tokens;
    total.n_bytes += model.tokenizer().bytes_of(ids[index], /*with_special=*/false).size();
    total.logprob += logprob;
    if (options.on_token) options.on_token({index, ids[index], logprob, logits});
  };
  const std::span<const TokenId> run = ids.first(ids.size() - 1);
  for (std::size_t at = options.first - 1; at < run.size();) {
    if (options.keep_going && !options.keep_going()) return total;
    const std::span<const TokenId> piece =
        run.subspan(at, std::min(kTokensBetweenQuestions, run.size() - at));
    session.run_all(piece, take);
    at += piece.size();
  }
  return total;
}

}  // namespace bitnet
