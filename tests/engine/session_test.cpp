#include "bitnet/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/error.h"
#include "engine/allocation_count.h"
#include "engine/kv_type.h"
#include "engine/same_bits.h"
#include "engine/session_impl.h"
#include "kernels/kernels.h"
#include "support/golden.h"

namespace bitnet {
namespace {

std::string canary_file() { return std::string(BITNET_MODELS) + "/canary.gguf"; }
std::string random_model(const std::string& name) {
  return std::string(BITNET_TEST_DATA) + "/models/" + name + ".gguf";
}

// The promise: the logits of a list of ids are the same bits, however they are computed.
TEST(SameBits, WhateverTheBackendThreadsAndChunks) {
  std::vector<std::string> paths = {canary_file()};
  for (const std::string& name : test::random_models()) paths.push_back(random_model(name));
  for (const std::string& path : paths) {
    const Model model = Model::load(path);
    const auto ids = some_ids(67, model.info().vocab);
    Session reference_session(model, {.n_threads = 1, .prefill_chunk = ids.size(), .backend = "scalar"});
    const Logits reference = all_logits(reference_session, ids);
    for (const kernels::Kernels* k : kernels::available()) {
      for (const unsigned threads : {1U, 2U, 3U}) {
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{64}, ids.size()}) {
          // Every combination on one model; on the others the one that shares nothing with the reference.
          if (path != canary_file() && (threads != 3 || chunk != 7)) continue;
          Session session(model,
                          {.n_threads = threads, .prefill_chunk = chunk, .backend = std::string(k->name)});
          EXPECT_TRUE(same_bits(all_logits(session, ids), reference))
              << path << ", " << k->name << ", " << threads << " threads, chunks of " << chunk;
        }
      }
    }
  }
}

// Of all backends, in chunks and threads, those of a scalar one that takes n tokens at once.
void expect_same_bits_of_every_model(std::size_t n, const SessionOptions& with) {
  for (const std::string& name : test::random_models()) {
    const Model model = Model::load(random_model(name));
    const auto ids = some_ids(n, model.info().vocab);
    SessionOptions options = with;
    options.n_threads = 1;
    options.prefill_chunk = ids.size();
    options.backend = "scalar";
    Session reference_session(model, options);
    const Logits reference = all_logits(reference_session, ids);
    options.n_threads = 3;
    options.prefill_chunk = 7;
    for (const kernels::Kernels* k : kernels::available()) {
      options.backend = std::string(k->name);
      Session session(model, options);
      EXPECT_TRUE(same_bits(all_logits(session, ids), reference)) << name << ", " << k->name;
    }
  }
}

TEST(SameBits, OfEveryModelWithUnroundedActivations) {
  expect_same_bits_of_every_model(20, {.activations = ActivationType::f32});
}

TEST(SameBits, InEveryCacheTypeWhateverTheBackendThreadsAndChunks) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(150, model.info().vocab);  // more than two blocks of keys
  std::vector<Logits> of_type;
  for (const KvType kv : kKvTypes) {
    Session whole(model, {.n_threads = 1, .prefill_chunk = ids.size(), .kv_type = kv, .backend = "scalar"});
    const Logits reference = all_logits(whole, ids);
    for (const Logits& other : of_type) EXPECT_FALSE(same_bits(reference, other)) << name_of(kv);
    of_type.push_back(reference);
    for (const kernels::Kernels* k : kernels::available()) {
      for (const auto& [threads, chunk] : {std::pair{1U, 1U}, std::pair{1U, 150U}, std::pair{2U, 7U},
                                           std::pair{3U, 64U}, std::pair{3U, 3U}}) {
        if (k->name == "scalar" && chunk != 7) continue;  // it takes long
        Session session(
            model,
            {.n_threads = threads, .prefill_chunk = chunk, .kv_type = kv, .backend = std::string(k->name)});
        EXPECT_TRUE(same_bits(all_logits(session, ids), reference))
            << name_of(kv) << ", " << k->name << ", " << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

// Sliding windows, single kv heads and odd shapes are among them.
TEST(SameBits, OfEveryModelWithAnInt8Cache) { expect_same_bits_of_every_model(67, {.kv_type = KvType::q8}); }

TEST(Session, PrefillThenDecodeEqualsOnePass) {
  const Model model = Model::load(canary_file());
  const std::size_t vocab = model.info().vocab;
  const auto ids = some_ids(30, vocab);
  Session whole(model, {.n_threads = 2});
  const Logits reference = all_logits(whole, ids);
  Session session(model, {.n_threads = 2, .prefill_chunk = 5});
  std::span<const float> logits = session.run(std::span(ids).first(12));
  for (std::size_t i = 12;; ++i) {
    ASSERT_TRUE(same_bits(logits, std::span(reference).subspan((i - 1) * vocab, vocab))) << i;
    EXPECT_EQ(to_index(session.position()), i);
    if (i == ids.size()) break;
    logits = session.run({&ids[i], 1});
  }
}

// Catches an engine that runs only the last prompt token, or drops its cache.
TEST(Session, EveryEarlierTokenChangesTheLogits) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(20, model.info().vocab);
  Session session(model, {.n_threads = 1});
  const auto first = session.run(ids);
  const Logits reference(first.begin(), first.end());
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    auto changed = ids;
    changed[i] = TokenId{(to_int(ids[i]) + 1) % static_cast<std::int32_t>(model.info().vocab)};
    session.rewind(Position{0});
    EXPECT_FALSE(same_bits(session.run(changed), reference)) << "token " << i << " was not seen";
  }
}

TEST(Session, RewindingGoesOnAsIfTheRestHadNeverBeen) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(24, model.info().vocab);
  Session fresh(model, {.n_threads = 1});
  const auto want = fresh.run(ids);
  Session session(model, {.n_threads = 1});
  session.run(std::span(ids).first(10));
  session.run(std::vector<TokenId>(7, TokenId{3}));
  session.rewind(Position{10});
  EXPECT_TRUE(same_bits(session.run(std::span(ids).subspan(10)), want));
  EXPECT_THROW(session.rewind(Position{25}), UsageError);
  EXPECT_THROW(session.rewind(Position{-1}), UsageError);
}

// A chunk may take seconds: it is left between layers, and what was begun of it leaves no trace.
TEST(Session, StopsInTheMiddleOfAChunkAndGoesOnFromItsStart) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(24, model.info().vocab);
  Session fresh(model, {.n_threads = 1});
  const auto want = fresh.run(ids);
  Session session(model, {.n_threads = 1});
  session.run(std::span(ids).first(10));
  std::vector<TokenId> others(8, TokenId{3});
  int n_asked = 0;
  EXPECT_FALSE(session.advance(others, [&] { return ++n_asked < 2; }));
  EXPECT_EQ(n_asked, 2);
  EXPECT_EQ(to_int(session.position()), 10);
  EXPECT_TRUE(session.run(others, [] { return false; }).empty());
  EXPECT_TRUE(same_bits(session.run(std::span(ids).subspan(10)), want));
}

TEST(Session, TellsHowFarItHasComeAfterEveryLayer) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(10, model.info().vocab);
  Session session(model, {.n_threads = 1, .prefill_chunk = 4});
  std::vector<double> told;
  EXPECT_TRUE(session.advance(ids, {}, [&](double n) { told.push_back(n); }));
  EXPECT_EQ(told.size(), 3 * model.info().n_layers);
  EXPECT_EQ(std::ranges::adjacent_find(told, std::greater_equal<>()), told.end());
  EXPECT_GT(told.front(), 0);
  EXPECT_EQ(told.at(model.info().n_layers - 1), 4);
  EXPECT_EQ(told.back(), 10);
}

TEST(Session, RefusesWhatDoesNotFitAndStaysAsItWas) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(16, model.info().vocab);
  Session session(model, {.ctx_size = 16, .n_threads = 1});
  session.run(std::span(ids).first(10));
  EXPECT_THROW(session.run(std::span(ids).first(7)), UsageError);
  EXPECT_THROW(session.run({}), UsageError);
  EXPECT_THROW(session.run(std::vector{TokenId{-1}}), UsageError);
  EXPECT_THROW(session.run(std::vector{TokenId{1024}}), UsageError);
  EXPECT_EQ(to_int(session.position()), 10);
  Session fresh(model, {.ctx_size = 16, .n_threads = 1});
  EXPECT_TRUE(same_bits(session.run(std::span(ids).subspan(10)), fresh.run(ids)));
  EXPECT_THROW(session.run(std::vector{TokenId{1}}), UsageError);  // full to the last place, and not beyond
}

TEST(Session, RefusesOptionsOutOfRange) {
  const Model model = Model::load(canary_file());
  EXPECT_THROW(Session(model, {.ctx_size = (std::size_t{1} << 24) + 1}), UsageError);
  EXPECT_THROW(Session(model, {.n_threads = 100000}), UsageError);
  EXPECT_THROW(Session(model, {.prefill_chunk = 0}), UsageError);
  EXPECT_THROW(Session(model, {.prefill_chunk = 1U << 20}), UsageError);
  EXPECT_THROW(Session(model, {.backend = "avx1024"}), UsageError);
}

TEST(Session, GoesOnBeyondTheContextThatTheModelWasMadeForAndChangesNothingWithinIt) {
  const Model model = Model::load(canary_file());
  const std::size_t made_for = model.info().context_length;
  const auto ids = some_ids(made_for + 8, model.info().vocab);
  const auto within = std::span(ids).first(made_for);
  Session longer(model, {.ctx_size = made_for + 8});
  Session plain(model, {.ctx_size = made_for});
  EXPECT_TRUE(same_bits(longer.run(within), plain.run(within)));
  for (const float logit : longer.run(std::span(ids).subspan(made_for))) ASSERT_TRUE(std::isfinite(logit));
}

TEST(Session, PrefillStopsWhenAskedAfterTheLastChunkThatCameToItsEnd) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(30, model.info().vocab);
  Session session(model, {.n_threads = 1, .prefill_chunk = 10});
  int asked = 0;
  EXPECT_TRUE(session.run(ids, [&] { return ++asked < 2; }).empty());
  EXPECT_EQ(to_int(session.position()), 0);
  EXPECT_TRUE(session.run(ids, [&] { return to_int(session.position()) < 20; }).empty());
  EXPECT_EQ(to_int(session.position()), 20);
  Session whole(model, {.n_threads = 1});
  EXPECT_TRUE(same_bits(session.run(std::span(ids).subspan(20)), whole.run(ids)));
}

// What was stopped in the middle has left its traces where logits are computed from.
TEST(Session, HasNoLogitsAfterAPrefillThatWasStopped) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(30, model.info().vocab);
  Session session(model, {.n_threads = 1});
  session.run(std::span(ids).first(10));
  EXPECT_FALSE(session.advance(std::span(ids).subspan(10), [] { return false; }));
  EXPECT_EQ(to_int(session.position()), 10);
  EXPECT_THROW(session.logits(), UsageError);
}

// Neither the history again at every step, nor the head for tokens whose logits nobody asked for.
TEST(TokenPath, RunsEachTokenThroughTheLayersOnceAndTheHeadOnlyWhereAsked) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(100, model.info().vocab);
  Session session(model, {.n_threads = 1, .prefill_chunk = 16});
  std::size_t layer_tokens = 0;
  std::size_t head_tokens = 0;
  session.impl().observer = [&](std::string_view name, std::size_t, const float*, std::size_t n,
                                std::size_t) {
    if (name == "result_norm") head_tokens += n;
    if (name == "attn_out" || name == "l_out") layer_tokens += n;
  };
  session.run(std::span(ids).first(60));
  EXPECT_EQ(layer_tokens,
            2 * model.info().n_layers * 60);  // seen after attention and after the feed-forward network
  EXPECT_EQ(head_tokens, 1U);
  for (std::size_t i = 60; i < 100; ++i) {
    layer_tokens = head_tokens = 0;
    session.run({&ids[i], 1});
    ASSERT_EQ(layer_tokens, 2 * model.info().n_layers);
    ASSERT_EQ(head_tokens, 1U);
  }
}

TEST(Activations, UnquantizedOnesGiveTheSameBitsEverywhereAndStayNearTheQuantized) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(20, model.info().vocab);
  Session quantized(model, {.n_threads = 1});
  const Logits int8 = all_logits(quantized, ids);
  Session reference_session(model, {.n_threads = 1, .activations = ActivationType::f32, .backend = "scalar"});
  const Logits reference = all_logits(reference_session, ids);
  for (const kernels::Kernels* k : kernels::available()) {
    Session session(model, {.n_threads = 3,
                            .prefill_chunk = 3,
                            .activations = ActivationType::f32,
                            .backend = std::string(k->name)});
    EXPECT_TRUE(same_bits(all_logits(session, ids), reference)) << k->name;
  }
  double dot = 0;
  double a = 0;
  double b = 0;
  for (std::size_t i = 0; i < int8.size(); ++i) {
    dot += static_cast<double>(int8[i]) * reference[i];
    a += static_cast<double>(int8[i]) * int8[i];
    b += static_cast<double>(reference[i]) * reference[i];
  }
  const double cosine = dot / std::sqrt(a * b);
  EXPECT_GT(cosine, 0.99);
  EXPECT_LT(cosine, 1.0);  // it is another computation, and not the same one by another name
}

TEST(TokenPath, AllocatesNothingAfterWarmUp) {
  const Model model = Model::load(canary_file());
  const auto ids = some_ids(200, model.info().vocab);
  for (const KvType kv : kKvTypes) {
    Session session(model, {.n_threads = 3, .prefill_chunk = 32, .kv_type = kv});
    session.run(std::span(ids).first(40));
    session.run({&ids[40], 1});
    const std::size_t before = test::allocation_count();
    for (std::size_t i = 41; i < 120; ++i) session.run({&ids[i], 1});
    session.run(std::span(ids).subspan(120));
    EXPECT_EQ(test::allocation_count(), before);
  }
}

TEST(Session, HasNoLogitsWhereNoTokenWasRun) {
  const Model model = Model::load(canary_file());
  Session session(model);
  EXPECT_THROW(session.logits(), UsageError);
  EXPECT_THROW(session.candidates({}), UsageError);
  const auto ids = some_ids(3, model.info().vocab);
  session.run(ids);
  EXPECT_NO_THROW(session.logits());
  session.rewind(Position{3});  // forgets nothing
  EXPECT_NO_THROW(session.logits());
  for (const Position kept : {Position{2}, Position{0}}) {
    session.rewind(kept);
    EXPECT_THROW(session.logits(), UsageError);  // those at hand follow a token that is forgotten
    EXPECT_THROW(session.candidates({}), UsageError);
  }
  session.advance(ids);
  EXPECT_NO_THROW(session.candidates({}));
}

TEST(Session, GivesTheLogitsAfterEveryTokenOfThePass) {
  for (const HeadKind head : {HeadKind::exact, HeadKind::screened}) {
    const Model model = Model::load(canary_file(), {.head = head});
    const std::size_t vocab = model.info().vocab;
    const auto ids = some_ids(24, vocab);
    Session one_by_one(model, {.n_threads = 1});
    const Logits reference = all_logits(one_by_one, ids);
    Session session(model, {.n_threads = 2, .prefill_chunk = 14});
    EXPECT_EQ(session.max_pass(), 14U);
    session.advance(std::span(ids).first(10));
    session.advance(std::span(ids).subspan(10));
    for (std::size_t n_back = 14; n_back-- > 0;) {
      const auto row = std::span(reference).subspan((ids.size() - 1 - n_back) * vocab, vocab);
      ASSERT_TRUE(same_bits(session.logits(n_back), row)) << n_back;
      const auto best = std::ranges::max_element(row);
      const auto found = session.candidates({}, n_back);
      ASSERT_EQ(found.size(), 1U);
      EXPECT_EQ(to_int(found[0].id), best - row.begin());
      EXPECT_EQ(found[0].logit, *best);
      ASSERT_TRUE(same_bits(session.logits(n_back), row)) << n_back << ", after a search";
    }
    EXPECT_THROW(session.logits(14), UsageError);
    EXPECT_THROW(session.candidates({}, 14), UsageError);
  }
}

TEST(Session, TakesBackTokensOfThePassAndKeepsTheLogitsOfTheOthers) {
  const Model model = Model::load(canary_file());
  const std::size_t vocab = model.info().vocab;
  const auto ids = some_ids(20, vocab);
  Session one_by_one(model, {.n_threads = 1});
  const Logits reference = all_logits(one_by_one, ids);
  const auto row = [&](std::size_t i) { return std::span(reference).subspan(i * vocab, vocab); };
  Session session(model, {.n_threads = 1});
  session.advance(std::span(ids).first(6));
  std::vector<TokenId> guesses(ids.begin() + 6, ids.begin() + 9);
  guesses.resize(7, TokenId{3});
  session.advance(guesses);
  session.logits(6);
  session.take_back(4);
  EXPECT_EQ(to_int(session.position()), 9);
  EXPECT_TRUE(same_bits(session.logits(), row(8)));
  EXPECT_TRUE(same_bits(session.logits(1), row(7)));
  EXPECT_TRUE(same_bits(session.run(std::span(ids).subspan(9)), row(19)));
  EXPECT_THROW(session.take_back(11), UsageError);
  session.take_back(0);
  session.take_back(10);
  EXPECT_TRUE(same_bits(session.logits(), row(9)));
  EXPECT_THROW(session.take_back(1), UsageError);
  session.rewind(Position{5});
  EXPECT_THROW(session.take_back(1), UsageError);
  EXPECT_EQ(to_int(session.position()), 5);
}

TEST(Session, NeedsAModelThatOutlivesIt) {
  static_assert(std::is_constructible_v<Session, const Model&, SessionOptions>);
  static_assert(!std::is_constructible_v<Session, Model>);
  static_assert(!std::is_constructible_v<Session, Model, SessionOptions>);
  static_assert(!std::is_constructible_v<Session, const Model&&, SessionOptions>);
  static_assert(std::is_constructible_v<Conversation, const Model&, Session&, ChatTemplate>);
  static_assert(!std::is_constructible_v<Conversation, Model, Session&, ChatTemplate>);
}

TEST(Session, NamesTheOptionThatIsOutOfRange) {
  const Model model = Model::load(canary_file());
  const auto option_of = [&](const SessionOptions& options) -> std::string {
    try {
      const Session session(model, options);
    } catch (const OptionError& e) {
      EXPECT_EQ(e.what()[0] == '-', false) << e.what();  // nothing of a command line
      return std::string(e.option());
    }
    return "none";
  };
  EXPECT_EQ(option_of({.ctx_size = 100000000}), "ctx_size");
  EXPECT_EQ(option_of({.n_threads = 99999}), "n_threads");
  EXPECT_EQ(option_of({.n_threads = 1024, .pin_threads = true}), "pin_threads");
  EXPECT_EQ(option_of({.prefill_chunk = 0}), "prefill_chunk");
  EXPECT_EQ(option_of({.backend = "abacus"}), "backend");
  Session session(model, {.ctx_size = 4});
  try {
    session.run(some_ids(5, model.info().vocab));
    ADD_FAILURE() << "five tokens in a context of four";
  } catch (const OptionError& e) {
    EXPECT_EQ(e.message_with("--ctx-size"),
              "5 tokens do not fit a context of 4; shorten the prompt or raise --ctx-size");
  }
}

}  // namespace
}  // namespace bitnet
