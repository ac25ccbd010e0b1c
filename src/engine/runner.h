// A model with all that it takes to run passes through it: what sessions and schedulers are made of.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "bitnet/session.h"
#include "kernels/kernels.h"
#include "model/activations.h"
#include "model/forward.h"
#include "model/head/head_search.h"
#include "model/kv_cache.h"
#include "model/model_impl.h"

namespace bitnet {

// Room for keys and values, and for passes.
struct RunnerRoom {
  std::size_t positions = 0;                           // in the KV cache
  std::size_t pass_tokens = 0;                         // of one pass, at most
  std::size_t head_tokens = Activations::kHeadTokens;  // whose logits are computed together, at most
};

struct Runner {
  // Of the options those that are no matter of room and no backend's name.
  Runner(const Model& model, const SessionOptions& options, const kernels::Kernels& table,
         const RunnerRoom& room);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Of those that were computed last: [vocab].
  std::span<float> logits_row(std::size_t i) const {
    return act.logits.span().subspan(i * config.vocab, config.vocab);
  }

  // As Session::take_profile() and take_sparse_work().
  std::vector<WorkTime> take_profile();
  SparseWork take_sparse_work() { return sparse ? sparse->take_work() : SparseWork{}; }

  const Model::Impl& model;
  const Config& config;
  const kernels::Kernels& kernels;
  ThreadPool pool;
  KvCache cache;
  ActivationType activations;
  Activations act;
  Observer observer;                        // for traces and tests; empty otherwise
  std::optional<SparseFeedForward> sparse;  // of models that have zeros to leave out
  Profile profile;                          // filled when forward.profile points to it
  Forward forward;
  HeadSearch search;
};

}  // namespace bitnet
