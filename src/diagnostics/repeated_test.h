// A test of a model, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "base/thread_times.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "diagnostics/machine_limits.h"
#include "model/head/head_search.h"

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
  // Of decode: so many sequences, of other tokens each, run n_tokens each and share every pass; with neither
  // drafts nor a text that is quoted.
  std::size_t n_sequences = 1;

  static constexpr std::size_t kQuotedUntil = 16;

  // Of a repetition, of all sequences.
  std::size_t n_counted() const { return n_tokens * n_sequences; }

  bool operator==(const BenchmarkTest&) const = default;
};

// "pp512", "tg128", "tg128@d1024", "tg128@d1024 quoted draft:auto", "tg128x8@d1024" of eight sequences
std::string name_of(const BenchmarkTest& test);

// What the LM head's part in decoding took, on average over the tokens.
struct HeadWork {
  double bytes_per_token = 0;  // of the head, its copy and its screen
  double rows_in_full = 0;     // computed at the head's own precision
  std::uint64_t most_rows_in_full = 0;
};

struct BenchmarkResult {
  // Tokens per second of each repetition, of all sequences together.
  std::vector<double> rates;
  std::vector<std::optional<ThreadTimes>> threads;  // of each; of all threads of the process
  std::vector<double> read_bytes_per_second;        // beside each, see ReadPace; 0: not known
  std::vector<WorkTime> profile;  // of all repetitions together; empty without SessionOptions::profile
  HeadWork head;                  // of decode tests
  DraftCounts draft;              // likewise
  SparseWork sparse;              // of all repetitions together
  ActivationType activations = ActivationType::automatic;  // as they were
};

// Adds times that were taken in the same order; to none, they are those.
void add_times(std::vector<WorkTime>& total, const std::vector<WorkTime>& times);

// Adds what was left out.
void add_work(SparseWork& total, const SparseWork& work);

// A test that is measured one repetition at a time, so that several can take turns. Between parts of a
// repetition the threads read the weights for half as long as they computed, which no rate includes.
class RepeatedTest {
 public:
  virtual ~RepeatedTest() = default;
  RepeatedTest(const RepeatedTest&) = delete;
  RepeatedTest& operator=(const RepeatedTest&) = delete;

  // Once, before the first repetition; it isn't counted. Both return false when they were told to end.
  virtual bool warm_up() = 0;
  virtual bool repeat() = 0;
  // Of the repetitions so far.
  virtual BenchmarkResult take_result() = 0;

 protected:
  // What a part of a repetition took.
  struct Spent {
    double seconds = 0;
    double running = 0;  // of all threads together
  };
  // Time that threads read for, of the time that they computed. With half, the speed of reading explains all
  // but 1 % of what decode's speed varies by from run to run on a busy machine (6 % if nothing is made up
  // for).
  static constexpr double kReadingShare = 0.5;

  RepeatedTest(const Model& model, const BenchmarkTest& test, ThreadPool& pool);

  // The same tokens for every test, so that a part of them is a sequence's beginning whichever test made it;
  // others for another sequence.
  static std::vector<TokenId> random_tokens(std::size_t n, std::size_t vocab, std::uint64_t sequence = 0);
  // A repetition of n_tokens, of all sequences together, since `before`.
  void add_repetition(const std::optional<ThreadTimes>& before, const Spent& total, std::size_t n_tokens);
  // What the head took in n_tokens.
  HeadWork head_work(const HeadSearchCounts& counts, std::size_t n_tokens) const;

  const Model& model_;
  BenchmarkTest test_;
  ThreadPool& pool_;
  ReadPace pace_;
  BenchmarkResult result_;
};

}  // namespace bitnet
