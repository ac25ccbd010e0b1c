// What is behind a Scheduler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bitnet/scheduler.h"
#include "engine/kv_blocks.h"
#include "engine/runner.h"
#include "engine/sequence.h"

namespace bitnet {

struct Scheduler::Impl {
  // Throws as the scheduler does.
  Impl(const Model& model, const SchedulerOptions& options);

  // A sequence and the blocks with its keys and values, in order: of all its tokens that are run, and perhaps
  // one or more that are to be.
  struct Running {
    std::unique_ptr<Sequence> sequence;
    std::vector<KvBlocks::Block> blocks;
    std::size_t n_remembered = 0;  // of the blocks
    std::size_t n_planned = 0;     // tokens in the next pass
    bool is_over = false;
  };

  // What a sequence that begins need not run: full blocks, and what a further one has of the next.
  struct Beginning {
    std::vector<KvBlocks::Block> blocks;
    std::optional<KvBlocks::Block> source;  // that the rest is copied from
    std::size_t n_copied = 0;               // tokens of it
    std::size_t n_coming = 0;               // tokens that older sequences have in common with it, run or not

    std::size_t n_tokens() const { return blocks.size() * KvBlocks::kTokens + n_copied; }
  };

  void end_cancelled();
  void admit();
  std::size_t blocks_wanted(const Running& r) const;
  void plan();
  Beginning find_beginning(const Running& r, std::span<const Running> older);
  void take_beginning(Running& r, const Beginning& beginning);
  bool make_room(std::size_t index, std::size_t n_tokens);
  void give_up_blocks(Running& r);
  void put_back_youngest();
  void run_pass();
  void remember_full_blocks(Running& r);
  struct Choice {
    Running* of;
    std::uint32_t row;          // of the activations
    bool is_of_prompt = false;  // nothing is chosen: a token of the prompt follows
  };
  void choose();
  void choose_by_search(std::span<const Choice> group);
  void choose_from_all(std::span<const Choice> group);
  void took(Running& r, bool is_over);
  void retire();

  const Model& model;
  std::size_t ctx_size;
  SchedulerOptions options;
  Runner runner;
  KvBlocks kv;
  SequenceId last_id = 0;
  std::deque<std::unique_ptr<Sequence>> waiting;  // in the order of their ids, as are those that run
  std::vector<Running> running;
  std::vector<SequenceId> cancelled;
  std::vector<std::unique_ptr<Sequence>> ended;  // whose end is still to be told
  SchedulerCounts counts;

  // The next pass.
  std::vector<TokenId> tokens;
  std::vector<PassPart> parts;
  std::vector<Choice> from_all;
  std::vector<Choice> by_search;
};

}  // namespace bitnet
