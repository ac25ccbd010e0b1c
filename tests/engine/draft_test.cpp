// Tokens that were guessed and run ahead change nothing but the time it takes.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "engine/same_bits.h"
#include "engine/session_impl.h"
#include "support/canary.h"
#include "support/golden.h"
#include "support/samplers.h"

namespace bitnet {
namespace {

constexpr DraftOptions kOff{.max_tokens = 0};

// Always drafts of the same length, shorter and longer ones, one that leaves it to the clock.
const std::vector<DraftOptions>& all_drafts() {
  static const std::vector<DraftOptions> all{{.max_tokens = 1, .adaptive = false},
                                             {.max_tokens = 4, .adaptive = false},
                                             {.max_tokens = 15, .adaptive = false},
                                             {}};
  return all;
}

std::string text_of(const DraftOptions& draft) {
  return std::to_string(draft.max_tokens) + (draft.adaptive ? " at most" : "");
}

// All that a caller of generate() can see, twice in a row with one sampler and one session.
struct Seen {
  std::vector<TokenId> tokens;
  std::vector<TokenId> watched;
  std::vector<float> logits;  // of the watched
  std::string text;
  std::vector<StopReason> reasons;
  std::vector<TokenId> history;
  std::vector<std::int32_t> positions;
  std::vector<std::size_t> steps;
  std::vector<bool> has_last;
  std::vector<float> last_logits;
  DraftCounts counts;
};

struct Setting {
  SamplerOptions sampler{};
  SessionOptions session{.n_threads = 1};
  GenerateOptions options{};
  std::vector<TokenId> prompt{};
};

Seen run(const Model& model, const Setting& setting, const DraftOptions& draft,
         const std::function<void(GenerateOptions&, Seen&)>& arrange = {}) {
  Session session(model, setting.session);
  Sampler sampler(setting.sampler, model.info().vocab);
  Seen seen;
  std::vector<TokenId> prompt = setting.prompt;
  for (int turn = 0; turn < 2; ++turn) {
    if (to_index(session.position()) + prompt.size() > session.ctx_size()) break;
    GenerateOptions options = setting.options;
    options.draft = draft;
    options.on_token = [&](const TokenStep& token) {
      seen.watched.push_back(token.id);
      seen.logits.insert(seen.logits.end(), token.logits.begin(), token.logits.end());
    };
    if (arrange) arrange(options, seen);
    const GenerateResult r =
        generate(model, session, sampler, seen.history, prompt, options, [&](std::string_view piece) {
          seen.text += piece;
          return true;
        });
    seen.tokens.insert(seen.tokens.end(), r.tokens.begin(), r.tokens.end());
    seen.reasons.push_back(r.reason);
    seen.positions.push_back(to_int(session.position()));
    seen.steps.push_back(r.n_decode_steps);
    seen.counts.n_passes += r.draft.n_passes;
    seen.counts.n_drafted += r.draft.n_drafted;
    seen.counts.n_accepted += r.draft.n_accepted;
    seen.has_last.push_back(session.impl().has_last);
    if (session.impl().has_last) {
      const auto last = session.logits();
      seen.last_logits.insert(seen.last_logits.end(), last.begin(), last.end());
    }
    // The last token may have been chosen and not run.
    prompt.assign(seen.history.begin() + to_int(session.position()), seen.history.end());
    seen.history.resize(to_index(session.position()));
    prompt.insert(prompt.end(), setting.prompt.begin(), setting.prompt.end());
  }
  return seen;
}

void expect_same(const Seen& with, const Seen& without, const std::string& what) {
  EXPECT_EQ(with.tokens, without.tokens) << what;
  EXPECT_EQ(with.watched, without.watched) << what;
  EXPECT_EQ(with.text, without.text) << what;
  EXPECT_EQ(with.reasons, without.reasons) << what;
  EXPECT_EQ(with.history, without.history) << what;
  EXPECT_EQ(with.positions, without.positions) << what;
  EXPECT_EQ(with.steps, without.steps) << what;
  EXPECT_EQ(with.has_last, without.has_last) << what;
  EXPECT_TRUE(same_bits(with.logits, without.logits)) << what;
  EXPECT_TRUE(same_bits(with.last_logits, without.last_logits)) << what;
}

// Of every length of draft. Gives what came without one.
Seen expect_drafts_change_nothing(const Model& model, const Setting& setting, const std::string& what,
                                  const std::function<void(GenerateOptions&, Seen&)>& arrange = {}) {
  const Seen without = run(model, setting, kOff, arrange);
  EXPECT_EQ(without.counts.n_drafted, 0U);
  for (const DraftOptions& draft : all_drafts()) {
    expect_same(run(model, setting, draft, arrange), without, what + ", drafts of " + text_of(draft));
  }
  return without;
}

// What is to be continued says everything twice.
std::vector<TokenId> repetitive_prompt() {
  const std::string story = "Once upon a time there was a little girl named Lily. ";
  return test::canary().tokenizer().encode(story + story + "Once upon", {.add_bos = true});
}

TEST(Draft, ChangesNoTokenOfAnySampler) {
  for (const HeadKind head : {HeadKind::exact, HeadKind::screened}) {
    const Model model = Model::load(std::string(BITNET_MODELS) + "/canary.gguf", {.head = head});
    for (const SamplerOptions& sampler : test::samplers_of_all_kinds()) {
      const Setting setting{.sampler = sampler,
                            .session = {.n_threads = 2},
                            .options = {.max_tokens = 60},
                            .prompt = repetitive_prompt()};
      expect_drafts_change_nothing(model, setting, "sampler " + std::to_string(sampler.seed));
    }
  }
}

TEST(Draft, ChangesNoBitOfTheLogitsThatOnTokenSees) {
  Setting setting{.options = {.max_tokens = 50, .all_logits = true}, .prompt = repetitive_prompt()};
  for (const float temperature : {0.0F, 0.8F}) {
    setting.sampler.temperature = temperature;
    expect_drafts_change_nothing(test::canary(), setting, "temperature " + std::to_string(temperature));
  }
}

// Random weights soon write the same over and over, so that drafts are right: every kind of layer sees them.
TEST(Draft, ChangesNothingOfRandomModelsThatRepeatThemselves) {
  DraftCounts all;
  for (const std::string& name : test::random_models()) {
    const Model model = Model::load(std::string(BITNET_TEST_DATA) + "/models/" + name + ".gguf");
    const Setting setting{.options = {.max_tokens = 40}, .prompt = {TokenId{5}, TokenId{9}, TokenId{5}}};
    const Seen without = expect_drafts_change_nothing(model, setting, name);
    const Seen with = run(model, setting, all_drafts()[1]);
    all.n_accepted += with.counts.n_accepted;
    all.n_drafted += with.counts.n_drafted;
  }
  EXPECT_GT(all.n_accepted, 100U);
  EXPECT_GT(all.n_drafted, all.n_accepted);
}

TEST(Draft, RunsFewerPassesWhereGuessesAreRight) {
  const Setting setting{.options = {.max_tokens = 60}, .prompt = repetitive_prompt()};
  const Seen without = run(test::canary(), setting, kOff);
  const Seen with = run(test::canary(), setting, {.max_tokens = 8, .adaptive = false});
  EXPECT_GT(with.counts.n_accepted, 20U);
  EXPECT_EQ(with.counts.n_passes + with.counts.n_accepted, without.counts.n_passes);
}

TEST(Draft, EndsWhereTheTextWouldWithoutIt) {
  for (std::size_t n = 1; n < 24; ++n) {
    const Setting setting{.options = {.max_tokens = n}, .prompt = repetitive_prompt()};
    const Seen without = expect_drafts_change_nothing(test::canary(), setting, std::to_string(n) + " tokens");
    EXPECT_EQ(without.reasons.at(0), StopReason::max_tokens);
  }
  for (std::size_t more = 1; more < 24; ++more) {
    Setting setting{.prompt = repetitive_prompt()};
    setting.session.ctx_size = setting.prompt.size() + more;
    const Seen without =
        expect_drafts_change_nothing(test::canary(), setting, std::to_string(more) + " left");
    EXPECT_EQ(without.reasons.at(0), StopReason::context_full);
  }
}

TEST(Draft, EndsAtStopTokensAndStrings) {
  Setting setting{.options = {.max_tokens = 60}, .prompt = repetitive_prompt()};
  const Seen whole = run(test::canary(), setting, kOff);
  for (std::size_t i = 1; i < 30; ++i) {
    setting.options.stop_tokens = {whole.tokens[i]};
    const Seen without = expect_drafts_change_nothing(test::canary(), setting, "token " + std::to_string(i));
    EXPECT_EQ(without.reasons.at(0), StopReason::stop_token);
    setting.options.stop_tokens.clear();
  }
  for (std::size_t i = 4; i + 9 < 60; ++i) {
    setting.options.stop_strings = {whole.text.substr(i, 9)};
    const Seen without = expect_drafts_change_nothing(test::canary(), setting, "text " + std::to_string(i));
    EXPECT_EQ(without.reasons.at(0), StopReason::stop_string);
  }
}

TEST(Draft, IsInterruptedWhereTheTextWouldBeWithoutIt) {
  const Setting setting{.options = {.max_tokens = 60}, .prompt = repetitive_prompt()};
  for (const std::size_t n : {1U, 2U, 5U, 11U, 23U}) {
    const auto after_tokens = [n](GenerateOptions& options, Seen& seen) {
      const std::size_t most = seen.watched.size() + n;
      options.keep_going = [&seen, most] { return seen.watched.size() < most; };
    };
    const Seen without =
        expect_drafts_change_nothing(test::canary(), setting, std::to_string(n) + " tokens", after_tokens);
    EXPECT_EQ(without.reasons.at(0), StopReason::interrupted);
    EXPECT_EQ(without.tokens.size(), 2 * n);
  }
}

TEST(Draft, LeavesTheSessionInOrderWhenACallerThrows) {
  for (const DraftOptions& draft : {kOff, DraftOptions{.max_tokens = 8, .adaptive = false}}) {
    for (const std::size_t n : {3U, 10U, 19U}) {
      Session session(test::canary());
      Sampler sampler({}, test::canary().info().vocab);
      std::vector<TokenId> history;
      const std::vector<TokenId> prompt = repetitive_prompt();
      GenerateOptions options{.max_tokens = 60, .draft = draft};
      std::size_t n_seen = 0;
      options.on_token = [&](const TokenStep&) {
        if (++n_seen == n) throw std::runtime_error("enough");
      };
      EXPECT_THROW(generate(test::canary(), session, sampler, history, prompt, options,
                            [](std::string_view) { return true; }),
                   std::runtime_error);
      EXPECT_EQ(history.size(), prompt.size() + n);
      EXPECT_EQ(to_index(session.position()), prompt.size() + n - 1);
      EXPECT_NO_THROW(session.logits());
    }
  }
}

TEST(Draft, IsRefusedOfMoreTokensThanThereMayBe) {
  Session session(test::canary());
  Sampler sampler({}, test::canary().info().vocab);
  std::vector<TokenId> history;
  const GenerateOptions options{.max_tokens = 1, .draft = {.max_tokens = DraftOptions::kMostTokens + 1}};
  EXPECT_THROW(generate(test::canary(), session, sampler, history, repetitive_prompt(), options,
                        [](std::string_view) { return true; }),
               OptionError);
}

// An embedding program may give a history that is none of this model's.
TEST(Draft, CopiesNoIdFromOutsideTheVocabulary) {
  std::vector<TokenId> history{TokenId{7}, TokenId{8}, TokenId{-1}, TokenId{1 << 20}};
  Session session(test::canary());
  Sampler sampler({}, test::canary().info().vocab);
  session.advance(std::vector<TokenId>{TokenId{7}, TokenId{8}, TokenId{9}, TokenId{9}});
  const GenerateOptions options{.max_tokens = 30, .draft = {.max_tokens = 15, .adaptive = false}};
  const std::vector<TokenId> prompt{TokenId{7}, TokenId{8}};
  EXPECT_NO_THROW(generate(test::canary(), session, sampler, history, prompt, options,
                           [](std::string_view) { return true; }));
}

TEST(Draft, GivesTheSameConversation) {
  const auto talk = [](const DraftOptions& draft) {
    const Model& model = test::canary();
    Session session(model);
    Conversation conversation(model, session, ChatTemplate::bitnet);
    Sampler sampler({.temperature = 0.7F, .top_p = 0.95F}, model.info().vocab);
    TurnOptions options{.max_tokens = 40, .draft = draft};
    std::string all;
    for (const char* message : {"What is 3+4?", "What is 3+4?", "What color is the sky?", "What is 3+4?"}) {
      conversation.say(message, sampler, options, [&](std::string_view piece) {
        all += piece;
        return true;
      });
      all += "|" + std::to_string(conversation.n_tokens()) + "\n";
    }
    return all;
  };
  const std::string without = talk(kOff);
  for (const DraftOptions& draft : all_drafts()) EXPECT_EQ(talk(draft), without) << text_of(draft);
}

}  // namespace
}  // namespace bitnet
