// One way of running the prompts of the suite (verify_suite.h).
#pragma once

#include <cstddef>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "bitnet/types.h"
#include "diagnostics/verify_suite.h"
#include "kernels/kernels.h"

namespace bitnet {

struct VerifySetup {
  const kernels::Kernels& table;
  unsigned n_threads;
  std::size_t chunk;
  KvType kv_type;
};

inline constexpr std::size_t kWholePrompt = 512;  // as a chunk: no prompt of the suite is longer

SessionOptions session_options(const VerifySetup& setup);
Session make_session(const Model& model, const VerifySetup& setup);

std::vector<TokenId> encode(const Model& model, const SuitePrompt& prompt);

}  // namespace bitnet
