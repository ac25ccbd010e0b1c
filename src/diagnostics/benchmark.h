// How fast a session runs, and how much work and memory traffic that speed stands for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "diagnostics/repeated_test.h"
#include "engine/draft_index.h"
#include "model/profile.h"

namespace bitnet {

// A test of one sequence. The tokens are random, not chosen by the model, drafts are held against them, and
// each repetition starts from the same place in the sequence. The threads read every few milliseconds of
// decoding, and before and after a prefill.
class Benchmark : public RepeatedTest {
 public:
  // Decodes as with a head of the kind `head`: exact where the model has a screen, or the model's own. Asks
  // keep_going between chunks and between tokens. Throws UsageError when the session's context has no
  // room for the test. Session and model must outlive the object.
  Benchmark(Session& session, const Model& model, const BenchmarkTest& test, HeadKind head,
            std::function<bool()> keep_going = {});

  bool warm_up() override;
  bool repeat() override;
  BenchmarkResult take_result() override;

 private:
  std::size_t decode_pass(std::span<const TokenId> tokens);
  void read_head(std::size_t n_back);
  std::size_t run_stretch(std::span<const TokenId> tokens, Spent& spent);
  bool go_to_depth();

  Session& session_;
  HeadKind head_;
  std::function<bool()> keep_going_;
  std::vector<TokenId> tokens_;      // [depth + n_tokens]
  std::optional<DraftIndex> index_;  // of those that were run in this repetition, and before
  double prefill_running_ = 0;       // of the last one
};

struct Statistics {
  double mean = 0;
  double deviation = 0;  // of a sample: over n - 1; 0 for a single value
  double median = 0;
};
// At least one value.
Statistics statistics_of(std::span<const double> values);

// What one token asks of the machine, by the model's shape alone.
struct WorkPerToken {
  std::uint64_t weight_bytes = 0;  // layers, norms and LM head, each read once for a pass over one token
  std::uint64_t kv_bytes = 0;      // of one position in the cache, all layers, likewise
  std::uint64_t layer_macs = 0;    // multiply-adds of the layers' matrix products
  std::uint64_t head_macs = 0;     // of the LM head's; in prefill only the last token has them

  // The matrix products among it by kind of work, in the order of Work; 0 for what multiplies no matrix.
  struct Amount {
    std::uint64_t weight_bytes = 0;
    std::uint64_t macs = 0;
  };
  std::array<Amount, kWorkNames.size()> products{};

  // A pass reads the layers once for all its tokens, and the cache too where they are of one sequence: so
  // much of a pass is a token's, of those that drafts had right. Of the head it is known what was read.
  void share_passes(double passes_per_token, bool is_of_one_sequence);
  // Counts the head with what was read of it instead of all its weights.
  void set_head_bytes(std::uint64_t bytes);
  // Takes off what decoding left out.
  void leave_out(const SparseWork& sparse);
  // Keys and values that attention reads for one token of a decode test, on average.
  double kv_bytes_read(const BenchmarkTest& test) const;
};
WorkPerToken work_per_token(const Model& model, KvType kv_type);

}  // namespace bitnet
