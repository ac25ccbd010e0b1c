#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "base/all_finite.h"
#include "base/cpu_count.h"
#include "base/seconds_since.h"
#include "base/thread_pool.h"
#include "bitnet/session.h"
#include "diagnostics/benchmark.h"
#include "diagnostics/kernel_checks.h"
#include "diagnostics/verify.h"
#include "engine/session_choices.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

using kernels::Kernels;

// Multiply-adds of the passes on the first table, which does some 10^9 a second.
constexpr std::uint64_t kPassMacs = 8'000'000'000;
constexpr std::size_t kMostTokens = 24;
constexpr std::size_t kFewestTokens = 3;

// The highest of all logits, as a sampler asks for them.
constexpr CandidateQuery kBest{.n_best = 40, .within = 2.0F};

// Whether those found are what sorting all logits gives, to the last bit.
bool are_the_best(std::span<const Candidate> found, std::span<const float> logits) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i)
    all.push_back({TokenId{static_cast<std::int32_t>(i)}, logits[i]});
  std::ranges::stable_sort(all, std::ranges::greater{}, &Candidate::logit);
  const float least = all.front().logit - *kBest.within;
  std::size_t n = std::min(kBest.n_best, all.size());
  while (n < all.size() && all[n].logit >= least) ++n;
  all.resize(n);
  std::ranges::sort(all, {}, [](const Candidate& c) { return to_int(c.id); });
  return std::ranges::equal(found, all, [](const Candidate& a, const Candidate& b) {
    return a.id == b.id && std::bit_cast<std::uint32_t>(a.logit) == std::bit_cast<std::uint32_t>(b.logit);
  });
}

class ModelCheck {
 public:
  ModelCheck(const Model& model, KernelTables tables, unsigned n_threads, const VerifyHooks& hooks)
      : model_(model), tables_(tables), n_threads_(n_threads), hooks_(hooks) {}

  VerifyReport run() {
    report_.complete = compare_kernels() && compare_passes();
    return std::move(report_);
  }

 private:
  bool goes_on(double fraction) const {
    if (hooks_.on_progress) hooks_.on_progress(fraction);
    return !hooks_.keep_going || hooks_.keep_going();
  }

  // Every kernel of every table but the first, in the checks' order.
  bool compare_kernels() {
    const std::vector<KernelCheck> checks = kernel_checks(model_.impl());
    std::array<VerifyRow, kKernelNames.size()> empty{};
    std::vector<std::array<VerifyRow, kKernelNames.size()>> rows(tables_.size(), empty);
    ThreadPool pool(std::min(n_threads_, usable_cores()));
    const std::size_t n_others = tables_.size() - 1;
    // Checks are many and alike: a batch of them is a step, and each thread takes whole checks.
    const std::size_t batch = std::max<std::size_t>(4 * pool.n_threads(), 16);
    for (std::size_t at = 0; at < checks.size(); at += batch) {
      if (!goes_on(kKernelsShare * static_cast<double>(at) / static_cast<double>(checks.size())))
        return false;
      const auto some = std::span(checks).subspan(at, std::min(batch, checks.size() - at));
      std::vector<std::vector<std::string>> found(some.size());  // [check][table]
      std::vector<double> seconds(some.size());
      pool.parallel_for(some.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const auto start = std::chrono::steady_clock::now();
          found[i] = some[i].compare(tables_);
          seconds[i] = seconds_since(start);
        }
      });
      for (std::size_t i = 0; i < some.size(); ++i) {
        for (std::size_t t = 1; t <= n_others; ++t) {
          VerifyRow& row = rows[t][static_cast<std::size_t>(some[i].kernel)];
          ++row.n_checks;
          row.seconds += seconds[i] / static_cast<double>(n_others);
          if (found[i][t].empty() || ++row.n_failed > 1) continue;
          report_.failures.push_back({std::string(tables_[t]->name), 0, 0, some[i].where, found[i][t]});
        }
      }
    }
    for (std::size_t t = 1; t <= n_others; ++t) {
      for (std::size_t k = 0; k < kKernelNames.size(); ++k) {
        VerifyRow& row = rows[t][k];
        if (row.n_checks == 0) continue;
        row.backend = tables_[t]->name;
        row.check = kKernelNames[k];
        report_.rows.push_back(std::move(row));
      }
    }
    return true;
  }

  // Logits of a few tokens, run together, then of some more, one by one; of the latter also what the screened
  // head finds without computing all of them.
  bool compare_passes() {
    const WorkPerToken work = work_per_token(model_, KvType::f16);
    const std::uint64_t affordable = kPassMacs / std::max<std::uint64_t>(1, work.layer_macs + work.head_macs);
    std::size_t n = std::clamp<std::size_t>(affordable, kFewestTokens, kMostTokens);
    n = std::min(n, model_.info().context_length);
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < n; ++i) {
      ids.push_back(TokenId{static_cast<std::int32_t>((i * i * 7919 + i * 31 + 1) % model_.info().vocab)});
    }
    const std::size_t n_prefill = n - n / 3;
    const std::size_t vocab = model_.info().vocab;
    std::vector<float> reference;
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      const Kernels& table = *tables_[t];
      VerifyRow row{std::string(table.name),
                    "prefill of " + std::to_string(n_prefill) + ", decode of " + std::to_string(n / 3)};
      const auto start = std::chrono::steady_clock::now();
      SessionOptions options;
      options.ctx_size = n;
      options.n_threads = n_threads_;
      Session session(std::make_unique<Session::Impl>(model_, options, table));
      std::size_t differs_at = n;
      VerifyRow search{row.backend, "best logits by the screened head"};
      const auto look = [&](Position p, std::span<const float> logits) {
        if (t == 0) {
          require_finite(std::span(ids).first(to_index(p) + 1), logits);
          reference.insert(reference.end(), logits.begin(), logits.end());
        } else if (first_difference(logits, std::span(reference).subspan(to_index(p) * vocab, vocab))) {
          differs_at = std::min(differs_at, to_index(p));
        }
      };
      // The first table, which may take seconds for a token, runs them all one by one.
      const std::size_t n_together = t == 0 ? 0 : n_prefill;
      if (n_together > 0) session.run_all(std::span(ids).first(n_together), look);
      for (std::size_t i = n_together; i < n; ++i) {
        const double passes = static_cast<double>(t) + static_cast<double>(i) / static_cast<double>(n);
        if (!goes_on(kKernelsShare + (1 - kKernelsShare) * passes / static_cast<double>(tables_.size()))) {
          return false;
        }
        session.advance(std::span(ids).subspan(i, 1));
        look(Position{static_cast<std::int32_t>(i)}, session.logits());
        if (t == 0 || session.head() != HeadKind::screened) continue;
        ++search.n_checks;
        const auto expected = std::span(reference).subspan(i * vocab, vocab);
        search.n_failed += are_the_best(session.candidates(kBest), expected) ? 0U : 1U;
      }
      row.seconds = seconds_since(start);
      if (t == 0) continue;
      row.n_checks = n;
      if (differs_at < n) {
        row.n_failed = n - differs_at;
        report_.failures.push_back({row.backend, session.n_threads(), options.prefill_chunk,
                                    "token " + std::to_string(differs_at) + " of " + std::to_string(n),
                                    "its logits are not those of " + std::string(tables_.front()->name)});
      }
      if (search.n_failed > 0) {
        report_.failures.push_back(
            {search.backend, session.n_threads(), 0, "the highest logits",
             "the screened head finds others than are among all of " + std::string(tables_.front()->name)});
      }
      report_.rows.push_back(std::move(row));
      if (search.n_checks > 0) report_.rows.push_back(std::move(search));
    }
    return true;
  }

  // What comes of values that are no numbers is each instruction set's to say, and nothing to compare. Where
  // kernels differ already they may be the cause.
  void require_finite(std::span<const TokenId> ids, std::span<const float> logits) const {
    if (!report_.failures.empty()) return;
    if (all_finite(logits)) return;
    not_finite(model_.impl(), ids, position_text(ids.size() - 1)).raise();
  }

  static constexpr double kKernelsShare = 0.5;  // of the time, about

  const Model& model_;
  KernelTables tables_;
  unsigned n_threads_;
  const VerifyHooks& hooks_;
  VerifyReport report_;
};

}  // namespace

VerifyReport verify_model(const Model& model, KernelTables tables, unsigned n_threads,
                          const VerifyHooks& hooks) {
  return ModelCheck(model, tables, n_threads, hooks).run();
}

}  // namespace bitnet
