// One sequence of tokens running through a model.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/candidates.h"
#include "bitnet/export.h"
#include "bitnet/model.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// How keys and values are kept. q8: int8 with a scale for each head and position, about half of f16's bytes;
// logits then differ a little from those of the other two.
enum class KvType { f16, f32, q8 };

// "f16", "f32", "q8"
constexpr std::string_view name_of(KvType type) {
  constexpr std::array<std::string_view, 3> kNames{"f16", "f32", "q8"};
  return kNames[static_cast<std::size_t>(type)];
}

struct SessionOptions {
  // Most tokens in the sequence; 0: the model's own, at most 4096. It may be more than the model was made
  // for, and what the model writes there is another question.
  std::size_t ctx_size = 0;
  unsigned n_threads = 0;  // 0: the physical cores this process may use
  // Each thread stays on a core of its own, the one that calls run for as long as the call lasts. For a
  // machine that does nothing else; on a busy one it makes threads wait for each other.
  bool pin_threads = false;
  std::size_t prefill_chunk =
      256;  // tokens run through the layers together; changes speed and memory, no result
  KvType kv_type = KvType::f16;
  ActivationType activations = ActivationType::automatic;
  bool profile = false;          // take the time of each kind of work
  std::string backend = "auto";  // instruction set of the kernels, by name; changes speed, no result
};

// The time spent on one kind of work: "attention", "head", ...
struct WorkTime {
  std::string_view work;
  double seconds = 0;
};

// Owns the KV cache and every buffer of the forward pass, all made here; running tokens allocates nothing. Of
// a model that was loaded with HeadKind::screened candidates() may once have more of the head's copy made,
// for all sessions: some tenths of a second, and memory that was set aside at loading. For one model, one
// list of token ids, one kv_type and one kind of activations the logits are the same bits, whatever the other
// options, the chunks in which the tokens come, and the machine.
//
// A session is for one thread at a time: no two of its functions may run at once, const ones included. Each
// has a pool of n_threads of its own (the calling thread is one of them), waiting while nobody calls; so
// several sessions of one model may run in as many threads at once, sharing its weights, and should then be
// given as many cores together as there are. No session waits for another.
class Session {
 public:
  // The model must outlive the session. Throws OptionError for options out of range, RuntimeError when memory
  // or threads cannot be had.
  explicit Session(const Model& model, const SessionOptions& options = {});
  // A model that would be gone before the session is used.
  explicit Session(const Model&& model, const SessionOptions& options = {}) = delete;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Appends tokens (at least one) to the sequence and returns the logits that follow the last: [vocab], valid
  // until the next call. Throws UsageError, before anything is changed, for an id outside the vocabulary or
  // when the tokens don't fit the context. Between chunks and between layers it asks `keep_going`, if given;
  // on false it returns an empty span at once, and position() tells how many whole chunks were run.
  std::span<const float> run(std::span<const TokenId> tokens, const std::function<bool()>& keep_going = {});

  // The same in two steps. advance() returns whether it came to the end; after it either of the others, or
  // both, for the last token. They throw UsageError where there is none: before the first token, and after
  // rewind() until the next. `on_progress` is told after every layer of how many of the tokens the work done
  // would be: more each time, up to all of them.
  bool advance(std::span<const TokenId> tokens, const std::function<bool()>& keep_going = {},
               const std::function<void(double n_tokens)>& on_progress = {});
  // `n_back`: those that follow the token so many before the last, if it was run in the same pass. Of several
  // wanted take the earliest first: the head is then read once for several.
  std::span<const float> logits(std::size_t n_back = 0);  // [vocab]
  // Only the highest logits: of a model with a screened head this reads a part of the head, of others all of
  // it. Ascending ids, each once; the same bits as in logits(). Where any logit of the vocabulary isn't
  // finite, the one candidate returned isn't either. Throws UsageError when n_best is 0.
  std::span<const Candidate> candidates(const CandidateQuery& query, std::size_t n_back = 0);
  // Forgets the last n tokens, as rewind() does, but the logits that follow the others of the last pass can
  // still be had: for tokens that were guesses. Throws UsageError if the pass had no more than n.
  void take_back(std::size_t n);
  // Tokens that advance() runs in one pass at most; of more, the last pass has the rest.
  std::size_t max_pass() const;

  // run(), handing over the logits after every one of the tokens in order.
  using LogitsSink = std::function<void(Position, std::span<const float> logits)>;
  void run_all(std::span<const TokenId> tokens, const LogitsSink& sink);

  // Tokens in the sequence: the position that the next one gets.
  Position position() const;
  // Forgets what stands from `position` on, so that the sequence can go on differently from there.
  // Throws UsageError for a position beyond the sequence.
  void rewind(Position position);

  std::size_t ctx_size() const;
  unsigned n_threads() const;
  std::string_view backend() const;
  ActivationType activations() const;  // never automatic
  HeadKind head() const;               // of the model
  std::size_t kv_bytes() const;        // reserved for the whole context

  // Times since the last call, in the order of the graph; empty without SessionOptions::profile.
  std::vector<WorkTime> take_profile();
  // What was left out since the last call; all 0 where that is not done (SparseInfo).
  SparseWork take_sparse_work();

  struct Impl;  // internal
  explicit Session(std::unique_ptr<Impl> impl);
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Instruction sets this build has and this CPU can run, "auto" first: for messages and help.
BITNET_API std::string backend_names();

}  // namespace bitnet
