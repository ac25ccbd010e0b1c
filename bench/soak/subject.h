// A model, what is asked of it, and what fresh runs answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/sampler.h"
#include "bitnet/scheduler.h"
#include "bitnet/score.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace bitnet::soak {

// The options on which logits depend.
struct Precision {
  KvType kv_type = KvType::f16;
  ActivationType activations = ActivationType::automatic;
  bool operator==(const Precision&) const = default;
};

struct Case {
  std::vector<TokenId> prompt;  // at least two
  SamplerOptions sampler;
  std::size_t max_tokens = 0;
  Precision precision;
};

// What came of a case.
struct Answer {
  std::vector<TokenId> tokens;
  std::string text;
  std::uint64_t logits = 0;  // a digest of those that the tokens were chosen from; 0: they were not asked for

  // Tokens, text, and the logits if both have them.
  bool agrees_with(const Answer& other) const;
  // Likewise, of one that was left halfway.
  bool begins(const Answer& whole) const;
};

// What a user says, turn by turn, and what was answered.
struct Talk {
  std::vector<std::string> questions;
  std::vector<std::string> answers;
};

// A text, its tokens, and what comes back of them.
struct Spelling {
  std::string text;
  std::vector<TokenId> ids;
  std::string decoded;
  std::string shown;  // through a Detokenizer
};

// Chains floats and the like to one number.
class Digest {
 public:
  void add(std::span<const float> values);
  void add(double value);
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 1;
};

// Runs what a case asks for behind the first `n_held` tokens of its prompt, which the session has.
Answer answer_of(const Model& model, Session& session, const Case& c, std::size_t n_held,
                 GenerateOptions options);
std::uint64_t score_of(const Model& model, Session& session, const Case& c);
Spelling spell(const Tokenizer& tokenizer, std::string text);
// A turn of a talk has this many tokens at most.
inline constexpr std::size_t kTurnTokens = 24;

class Subject {
 public:
  // Makes the fresh runs. `seed` decides what is asked.
  Subject(const std::string& path, std::uint64_t seed);

  std::string path;
  Model model;
  std::size_t ctx_size;  // that all cases fit in
  std::vector<Case> cases;
  std::vector<Answer> answers;        // of each
  std::vector<std::uint64_t> scores;  // of each prompt
  std::optional<ChatForm> form;       // none: the file names no template, and there are no talks
  std::vector<Talk> talks;
  std::vector<Spelling> spellings;  // none of a model that takes no text

  // For the whole time, and used by whoever comes.
  std::mutex scheduler_mutex;
  Scheduler scheduler;
  std::mutex session_mutex;
  Session session;
  std::vector<TokenId> held;  // by the session, at least

 private:
  void make_cases(std::uint64_t seed);
  void make_talks();
  Answer fresh_answer(const Case& c) const;
};

}  // namespace bitnet::soak
