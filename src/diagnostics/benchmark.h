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

#include "base/thread_times.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "diagnostics/machine_limits.h"
#include "engine/draft_index.h"
#include "model/profile.h"

namespace bitnet {

struct BenchmarkTest {
  enum class Kind : std::uint8_t {
    prefill,  // n_tokens at once, logits for the last
    decode,   // n_tokens one by one, logits for each
  };
  Kind kind = Kind::prefill;
  std::size_t n_tokens = 0;
  std::size_t depth = 0;  // tokens in the sequence before the first of them
  // Of decode: the tokens are those at the sequence's beginning again, but that one in kQuotedUntil differs,
  // as in an answer that quotes what it was given; otherwise they are random, and repeat nothing.
  bool is_quoted = false;
  DraftOptions draft{.max_tokens = 0};  // of decode

  static constexpr std::size_t kQuotedUntil = 16;

  bool operator==(const BenchmarkTest&) const = default;
};

// "pp512", "tg128", "tg128@d1024", "tg128@d1024 quoted draft:auto"
std::string name_of(const BenchmarkTest& test);

// What the LM head's part in decoding took, on average over the tokens.
struct HeadWork {
  double bytes_per_token = 0;  // of the head, its copy and its screen
  double rows_in_full = 0;     // computed at the head's own precision
  std::uint64_t most_rows_in_full = 0;
};

struct BenchmarkResult {
  std::vector<double> rates;                        // tokens per second of each repetition
  std::vector<std::optional<ThreadTimes>> threads;  // of each; of all threads of the process
  std::vector<double> read_bytes_per_second;        // beside each, see ReadPace; 0: not known
  std::vector<WorkTime> profile;  // of all repetitions together; empty without SessionOptions::profile
  HeadWork head;                  // of decode tests
  DraftCounts draft;              // likewise
  SparseWork sparse;              // of all repetitions together
};

// Adds times that were taken in the same order; to none, they are those.
void add_times(std::vector<WorkTime>& total, const std::vector<WorkTime>& times);

// Adds what was left out.
void add_work(SparseWork& total, const SparseWork& work);

// A test that is measured one repetition at a time, so that several can take turns. The tokens are random,
// not chosen by the model, drafts are held against them, and each repetition starts from the same place in
// the sequence. Every few milliseconds of decoding, and before and after a prefill, the threads read the
// weights for half as long as they computed, which no rate includes.
class Benchmark {
 public:
  // Decodes as with a head of the kind `head`: exact where the model has a screen, or the model's own. Asks
  // keep_going between chunks and between tokens. Throws UsageError when the session's context has no
  // room for the test. Session and model must outlive the object.
  Benchmark(Session& session, const Model& model, const BenchmarkTest& test, HeadKind head,
            std::function<bool()> keep_going = {});

  // Once, before the first repetition; it isn't counted. Both return false when keep_going said no.
  bool warm_up();
  bool repeat();

  // Of the repetitions so far.
  BenchmarkResult take_result();

 private:
  // What a part of a repetition took.
  struct Spent {
    double seconds = 0;
    double running = 0;  // of all threads together
  };

  std::size_t decode_pass(std::span<const TokenId> tokens);
  void read_head(std::size_t n_back);
  std::size_t run_stretch(std::span<const TokenId> tokens, Spent& spent);
  bool go_to_depth();

  Session& session_;
  const Model& model_;
  BenchmarkTest test_;
  HeadKind head_;
  std::function<bool()> keep_going_;
  std::vector<TokenId> tokens_;      // [depth + n_tokens]
  std::optional<DraftIndex> index_;  // of those that were run in this repetition, and before
  ReadPace pace_;
  double prefill_running_ = 0;  // of the last one
  BenchmarkResult result_;
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

  // A pass reads the layers and the cache once for all its tokens: so much of a pass is a token's, of those
  // that drafts had right. Of the head it is known what was read.
  void share_passes(double passes_per_token);
  // Counts the head with what was read of it instead of all its weights.
  void set_head_bytes(std::uint64_t bytes);
  // Takes off what decoding left out.
  void leave_out(const SparseWork& sparse);
  // Keys and values that attention reads for one token of a decode test, on average.
  double kv_bytes_read(const BenchmarkTest& test) const;
};
WorkPerToken work_per_token(const Model& model, KvType kv_type);

}  // namespace bitnet
