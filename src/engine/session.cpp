#include "bitnet/session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "engine/session_choices.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"

namespace bitnet {

Session::Impl::Impl(const Model& model, const SessionOptions& options, const kernels::Kernels& table)
    : Impl(model, options, table, choose_ctx_size(model.impl().config, options.ctx_size)) {}

Session::Impl::Impl(const Model& model, const SessionOptions& options, const kernels::Kernels& table,
                    std::size_t n_positions)
    : Runner(model, options, table,
             {.positions = n_positions,
              .pass_tokens = std::min(in_range(options.prefill_chunk, 1, kMostPassTokens, "prefill_chunk"),
                                      n_positions)}),
      ctx_size(n_positions) {}

std::size_t Session::Impl::row_of(std::size_t n_back) const {
  if (!has_last) {
    throw UsageError(position == 0
                         ? "no token was run that logits could follow; run the prompt first"
                         : "no token was run since rewind(); run one, the last that was kept will do");
  }
  if (n_back > last_row) {
    throw UsageError("the logits that are at hand follow the last " + std::to_string(last_row + 1) +
                     " tokens, which were run in one pass, and not the one " + std::to_string(n_back) +
                     " before the last");
  }
  return last_row - n_back;
}

template <typename Done, typename Within>
void Session::Impl::run_chunks(std::span<const TokenId> tokens, Done done, Within within) {
  check_tokens(config, ctx_size, position, tokens);
  const PinnedThread pinned = pool.pin_caller();
  for (std::size_t first = 0; first < tokens.size(); first += act.max_tokens) {
    const std::size_t n = std::min(act.max_tokens, tokens.size() - first);
    const auto go_on = [&](std::size_t n_layers) { return within(first, n, n_layers); };
    has_last = false;
    n_computed = 0;
    n_found = 0;
    if (!forward.run(tokens.subspan(first, n), position, go_on)) return;
    position += n;
    last_row = n - 1;
    has_last = true;
    if (!done(first, n)) return;
  }
}

HeadSearch::Found Session::Impl::search_from(std::size_t row, std::size_t n_rows,
                                             const CandidateQuery& query) {
  // One that names no tokens will be asked after the others too.
  const bool is_for_all = query.also.empty();
  const bool is_the_same =
      is_for_all && query.n_best == found_query.n_best && query.within == found_query.within;
  if (is_the_same && row >= first_found && row - first_found < n_found) return found[row - first_found];
  const PinnedThread pinned = pool.pin_caller();
  const std::size_t n = is_for_all ? std::min(n_rows, kSearchedRows) : 1;
  n_computed = 0;
  const float* x = forward.head_input(row, n);
  const WorkTimer timer(forward.profile, Work::head);
  std::array<HeadQuery, kSearchedRows> asked;
  for (std::size_t i = 0; i < n; ++i) asked[i] = {query, x + i * config.hidden, logits_row(i)};
  search.find(std::span(asked).first(n), std::span(found).first(n));
  first_found = row;
  n_found = is_for_all ? n : 0;
  found_query = {.n_best = query.n_best, .within = query.within};
  return found[0];
}

Session::Session(const Model& model, const SessionOptions& options)
    : Session(std::make_unique<Impl>(model, options, kernels::find(options.backend))) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::span<const float> Session::run(std::span<const TokenId> tokens,
                                    const std::function<bool()>& keep_going) {
  return advance(tokens, keep_going) ? logits() : std::span<const float>{};
}

bool Session::advance(std::span<const TokenId> tokens, const std::function<bool()>& keep_going,
                      const std::function<void(double)>& on_progress) {
  const auto n_layers = static_cast<double>(impl_->config.n_layers);
  const auto tell = [&](double n_tokens) {
    if (on_progress) on_progress(n_tokens);
  };
  const auto is_wanted = [&] { return !keep_going || keep_going(); };
  bool complete = false;
  impl_->run_chunks(
      tokens,
      [&](std::size_t first, std::size_t n) {
        complete = first + n == tokens.size();
        tell(static_cast<double>(first + n));
        return complete || is_wanted();
      },
      [&](std::size_t first, std::size_t n, std::size_t done) {
        tell(static_cast<double>(first) + static_cast<double>(n * done) / n_layers);
        return is_wanted();
      });
  return complete;
}

std::span<const float> Session::logits(std::size_t n_back) {
  Impl& s = *impl_;
  const std::size_t row = s.row_of(n_back);
  if (row < s.first_computed || row - s.first_computed >= s.n_computed) {
    const PinnedThread pinned = s.pool.pin_caller();
    s.n_computed = 0;
    const std::size_t n_rows = std::min(n_back + 1, Activations::kHeadTokens);
    s.forward.logits(row, n_rows);
    s.first_computed = row;
    s.n_computed = n_rows;
  }
  return s.logits_row(row - s.first_computed);
}

std::span<const Candidate> Session::candidates(const CandidateQuery& query, std::size_t n_back) {
  if (query.n_best == 0) throw UsageError("no candidates asked for: n_best must be at least 1");
  Impl& s = *impl_;
  const std::size_t row = s.row_of(n_back);
  if (head() == HeadKind::screened) {
    if (const HeadSearch::Found found = s.search_from(row, n_back + 1, query)) return *found;
  }
  return s.search.choose_from_all(query, logits(n_back));
}

void Session::run_all(std::span<const TokenId> tokens, const LogitsSink& sink) {
  const std::size_t start = impl_->position;
  const auto hand_over = [&](std::size_t first, std::size_t n) {
    for (std::size_t t = 0; t < n; t += Activations::kHeadTokens) {
      const std::size_t rows = std::min(Activations::kHeadTokens, n - t);
      impl_->forward.logits(t, rows);
      impl_->first_computed = t;
      impl_->n_computed = rows;
      for (std::size_t r = 0; r < rows; ++r) {
        sink(Position{static_cast<std::int32_t>(start + first + t + r)}, impl_->logits_row(r));
      }
    }
    return true;
  };
  impl_->run_chunks(tokens, hand_over, [](std::size_t, std::size_t, std::size_t) { return true; });
}

Position Session::position() const { return Position{static_cast<std::int32_t>(impl_->position)}; }

void Session::rewind(Position position) {
  if (to_int(position) < 0 || to_index(position) > impl_->position) {
    throw UsageError("cannot go on from position " + std::to_string(to_int(position)) +
                     ": the sequence has " + std::to_string(impl_->position) + " tokens");
  }
  impl_->has_last &= to_index(position) == impl_->position;
  impl_->position = to_index(position);
}

bool Session::Impl::take_back(std::size_t n) noexcept {
  if (n == 0) return true;
  if (!has_last || n > last_row) return false;
  position -= n;
  last_row -= n;
  return true;
}

void Session::take_back(std::size_t n) {
  if (!impl_->take_back(n)) {
    throw UsageError("cannot take back " + std::to_string(n) + " tokens: the last pass ran " +
                     std::to_string(impl_->has_last ? impl_->last_row + 1 : 0) +
                     ", and one of them must stay; rewind() goes back further");
  }
}

std::size_t Session::max_pass() const { return impl_->act.max_tokens; }
std::size_t Session::ctx_size() const { return impl_->ctx_size; }
unsigned Session::n_threads() const { return impl_->pool.n_threads(); }
std::string_view Session::backend() const { return impl_->kernels.name; }
HeadKind Session::head() const { return impl_->model.info.head.kind; }
ActivationType Session::activations() const { return impl_->activations; }
std::size_t Session::kv_bytes() const { return impl_->cache.reserved_bytes(); }

std::vector<WorkTime> Session::take_profile() { return impl_->take_profile(); }

SparseWork Session::take_sparse_work() { return impl_->take_sparse_work(); }

std::string backend_names() { return kernels::names(); }

}  // namespace bitnet
