// Many sequences running through one model together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/export.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/sampler.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

struct SchedulerOptions {
  std::size_t ctx_size = 0;     // most tokens in a sequence; 0: the model's own, at most 4096
  std::size_t n_sequences = 8;  // that run at once, at most (1 to 1024); others wait
  // Tokens whose keys and values are kept, of all sequences and of beginnings that may be wanted again. At
  // least one whole context; 0: as many as n_sequences whole contexts have, at most 16384 or one context.
  std::size_t kv_tokens = 0;
  std::size_t pass_tokens = 256;  // that one pass runs, at most (1 to 4096)
  // Of them, prompts' tokens beside sequences that have begun to answer: what each of their tokens waits for.
  std::size_t prompt_tokens_beside = 64;
  // A prompt that begins as another did takes its keys and values from there.
  bool share_prefixes = true;
  // As in SessionOptions.
  unsigned n_threads = 0;
  bool pin_threads = false;
  KvType kv_type = KvType::f16;
  ActivationType activations = ActivationType::automatic;
  std::string backend = "auto";
};

using SequenceId = std::uint64_t;

// How a sequence came to its end.
struct SequenceEnd {
  GenerateResult result;    // n_cached: tokens of the prompt whose keys and values were there
  double wait_seconds = 0;  // from add() to the first pass
  // That the model's output isn't finite, or what a function of the request threw; the reason is then
  // interrupted. Empty: none.
  std::string error;
};

// A prompt, and what to do with what comes after it.
struct SequenceRequest {
  std::vector<TokenId> prompt{};
  SamplerOptions sampler{};
  // As in GenerateOptions.
  std::size_t max_tokens = static_cast<std::size_t>(-1);
  std::vector<TokenId> stop_tokens{};
  std::vector<std::string> stop_strings{};
  bool show_special = false;
  bool all_logits = false;
  // All are called by Scheduler::step(), and each may be empty.
  //
  // For each token of the prompt but the first, in order and once, before anything else: with the logits
  // [vocab] that it might have been chosen from, during the call. Nothing of the prompt is then taken from
  // other sequences.
  std::function<void(TokenId id, std::span<const float> logits)> on_prompt_token{};
  // For each token in this order: on_text for what became certain with it, if anything did, then on_token.
  // on_text returning false ends the sequence. on_end comes last, once, whatever happens; what it throws
  // passes through step().
  TextSink on_text{};
  std::function<void(const TokenStep&)> on_token{};
  std::function<void(const SequenceEnd&)> on_end{};
};

// What was done so far.
struct SchedulerCounts {
  std::uint64_t n_passes = 0;
  std::uint64_t n_prompt_tokens = 0;  // run, those of sequences that were put back again
  std::uint64_t n_cached_tokens = 0;  // of prompts, whose keys and values were there
  std::uint64_t n_generated_tokens = 0;
  std::uint64_t n_put_back = 0;  // sequences that lost their memory to older ones for a while
};

// Runs sequences together that come and go as they like: a pass reads the weights once for all of them.
//
// Tokens, text and logits of a sequence are the bits that it has alone in a Session, whatever runs beside it,
// whatever it shares and however often it is put back. Sequences are admitted in the order in which they were
// added. One whose keys and values find no room is put back, the youngest first, and later goes on where it
// was.
//
// For one thread at a time, like a Session. Functions of a request are called on the thread that calls
// step(), and may call add() and cancel().
class Scheduler {
 public:
  // The model must outlive it. Throws OptionError for options out of range, RuntimeError when memory or
  // threads cannot be had.
  explicit Scheduler(const Model& model, const SchedulerOptions& options = {});
  explicit Scheduler(const Model&& model, const SchedulerOptions& options = {}) = delete;
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;
  ~Scheduler();  // calls no on_end

  // Queues a sequence; ids are never used twice. Throws UsageError for a prompt that is empty, holds ids
  // outside the vocabulary or does not fit the context and for stop strings that cannot be, OptionError for
  // sampler options out of range.
  SequenceId add(SequenceRequest request);
  // Ends a sequence, as interrupted, in the next step(). Does nothing for one that has ended.
  void cancel(SequenceId id);
  // One pass for all that can take part, and all that follows from it. False: there is no sequence left.
  bool step();

  std::size_t n_running() const;  // sequences
  std::size_t n_waiting() const;  // that were added, or put back, and are not running
  const SchedulerCounts& counts() const;
  std::size_t ctx_size() const;
  std::size_t n_sequences() const;
  std::size_t kv_tokens() const;
  std::size_t kv_tokens_used() const;  // of running sequences; what is kept for later isn't counted
  std::size_t kv_bytes() const;        // reserved for all kv_tokens
  unsigned n_threads() const;
  std::string_view backend() const;
  ActivationType activations() const;  // never automatic
  HeadKind head() const;               // of the model

  struct Impl;  // internal
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet
