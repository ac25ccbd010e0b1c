#include "engine/runner.h"

#include "engine/kv_type.h"
#include "engine/session_choices.h"

namespace bitnet {

Runner::Runner(const Model& model, const SessionOptions& options, const kernels::Kernels& table,
               const RunnerRoom& room)
    : model(model.impl()),
      config(model.impl().config),
      kernels(table),
      pool(choose_threads(options.n_threads),
           choose_cpus(options.pin_threads, choose_threads(options.n_threads))),
      cache(config, room.positions, cache_type(options.kv_type)),
      activations(choose_activations(options.activations, model.impl())),
      act(config, room.pass_tokens, rounding_of(activations, model.impl()), room.head_tokens),
      forward{config,
              model.impl().weights,
              kernels,
              pool,
              cache,
              act,
              observer,
              activations,
              options.profile ? &profile : nullptr,
              model.impl().rows_of_embedding(),
              model.impl().rows_of_head()},
      search(model.impl().weights.output, model.impl().head_screen ? &*model.impl().head_screen : nullptr,
             kernels, pool, model.impl().rows_of_head()) {
  const SparseMode mode = model.impl().info.sparse.mode;
  if (mode == SparseMode::off || activations == ActivationType::f32) return;
  forward.sparse = &sparse.emplace(config, model.impl().weights, model.impl().columns, mode, kernels, pool);
}

std::vector<WorkTime> Runner::take_profile() {
  std::vector<WorkTime> times;
  if (forward.profile == nullptr) return times;
  for (std::size_t i = 0; i < kWorkNames.size(); ++i) times.push_back({kWorkNames[i], profile.seconds[i]});
  profile = {};
  return times;
}

}  // namespace bitnet
