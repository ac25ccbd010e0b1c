// A prompt's keys and values in a file change nothing but the time it takes, whatever is in the file.
#include "bitnet/prompt_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/generate.h"
#include "engine/same_bits.h"
#include "kernels/kernels.h"
#include "model/model_impl.h"
#include "support/canary.h"
#include "support/small_model.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

namespace fs = std::filesystem;

std::vector<TokenId> ids_of(std::size_t n, std::int32_t salt = 0) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < n; ++i) {
    ids.push_back(TokenId{static_cast<std::int32_t>((i * 37 + i * i * 11 + 5) % 1000) + salt});
  }
  return ids;
}

struct Ran {
  std::vector<TokenId> tokens;
  std::vector<float> logits;  // from which they were chosen
  std::size_t n_cached = 0;
  std::size_t n_saved = 0;
  std::vector<std::string> warnings;
};

class PromptCacheTest : public ::testing::Test {
 protected:
  Ran run(const std::vector<TokenId>& prompt, bool with_cache = true, const SessionOptions& options = {},
          const Model& model = test::canary()) const {
    Session session(model, options);
    Sampler sampler({}, model.info().vocab);
    std::vector<TokenId> history;
    Ran ran;
    PromptCache cache(path, [&](const std::string& w) { ran.warnings.push_back(w); });
    GenerateOptions generation{.max_tokens = 4, .all_logits = true};
    generation.on_token = [&](const TokenStep& token) {
      ran.logits.insert(ran.logits.end(), token.logits.begin(), token.logits.end());
    };
    if (with_cache) generation.prompt_cache = &cache;
    const GenerateResult r =
        generate(model, session, sampler, history, prompt, generation, [](std::string_view) { return true; });
    EXPECT_EQ(r.n_prompt, prompt.size());
    EXPECT_EQ(r.n_cached, cache.loaded().n_tokens);
    ran.tokens = r.tokens;
    ran.n_cached = r.n_cached;
    ran.n_saved = cache.saved().n_tokens;
    return ran;
  }

  // The same run with the file gives the same bits as without; gives the one with it.
  Ran run_both(const std::vector<TokenId>& prompt, const SessionOptions& options = {},
               const Model& model = test::canary()) const {
    const Ran without = run(prompt, false, options, model);
    Ran with = run(prompt, true, options, model);
    EXPECT_EQ(with.tokens, without.tokens);
    EXPECT_TRUE(same_bits(with.logits, without.logits));
    return with;
  }

  std::string bytes() const { return test::content_of(path); }
  void put(const std::string& content) const { std::ofstream(path, std::ios::binary) << content; }

  test::TempDirectory directory;
  std::string path = directory.file("prompt.kv");
};

TEST_F(PromptCacheTest, KeepsAPromptAndGivesAllButItsLastToken) {
  const auto prompt = ids_of(150);
  const Ran first = run_both(prompt);
  EXPECT_EQ(first.n_cached, 0U);
  EXPECT_EQ(first.n_saved, 150U);
  EXPECT_TRUE(first.warnings.empty());
  const Ran second = run_both(prompt);
  EXPECT_EQ(second.n_cached, 149U);
  EXPECT_EQ(second.n_saved, 0U);  // nothing new
  EXPECT_TRUE(second.warnings.empty());
  EXPECT_EQ(directory.n_files(), 1);
}

// Blocks of the cache hold 64 positions.
TEST_F(PromptCacheTest, GivesTheSameBitsForEveryLengthOfFileAndPrompt) {
  for (const std::size_t n_file : {1U, 2U, 63U, 64U, 65U, 128U, 200U}) {
    for (const std::size_t n : {1U, 2U, 40U, 63U, 64U, 65U, 66U, 127U, 128U, 129U, 200U, 230U}) {
      fs::remove(path);
      run(ids_of(n_file));
      const Ran ran = run_both(ids_of(n));
      EXPECT_EQ(ran.n_cached, std::min<std::size_t>(n_file, n - 1)) << n_file << ", " << n;
      EXPECT_TRUE(ran.warnings.empty());
    }
  }
}

TEST_F(PromptCacheTest, GivesWhatAPromptThatDivergesHasInCommon) {
  run(ids_of(150));
  for (const std::size_t at : {0U, 1U, 64U, 100U, 148U, 149U}) {
    auto other = ids_of(150);
    other[at] = TokenId{1001};
    const std::string before = bytes();
    EXPECT_EQ(run_both(other).n_cached, at);
    put(before);
  }
}

TEST_F(PromptCacheTest, IsWrittenWhereMuchIsNewAndOtherwiseStays) {
  run(ids_of(100));
  const auto saved_with = [&](const std::vector<TokenId>& prompt) {
    const std::string before = bytes();
    const std::size_t n_saved = run(prompt).n_saved;
    EXPECT_EQ(bytes() == before, n_saved == 0);
    put(before);
    return n_saved;
  };
  EXPECT_EQ(saved_with(ids_of(50)), 0U);
  EXPECT_EQ(saved_with(ids_of(115)), 0U);    // 15 more are no reason
  EXPECT_EQ(saved_with(ids_of(116)), 116U);  // it goes on where the file ends
  auto other = ids_of(120);
  other[95] = TokenId{1001};
  EXPECT_EQ(saved_with(other), 0U);  // another question about the same text
  other[80] = TokenId{1001};
  EXPECT_EQ(saved_with(other), 120U);
}

TEST_F(PromptCacheTest, IsOfNoUseToAnotherModelAndThenItsOwn) {
  run(ids_of(50));
  const test::SmallModel small("llama");
  const test::AlignedBytes file = small.build();
  const Model other = Model::from_bytes(file.span(), "another");
  std::vector<TokenId> prompt = ids_of(50);
  for (TokenId& id : prompt) id = TokenId{to_int(id) % 300};
  const Ran ran = run_both(prompt, {}, other);
  EXPECT_EQ(ran.n_cached, 0U);
  ASSERT_EQ(ran.warnings.size(), 1U);
  EXPECT_TRUE(has(ran.warnings[0], "another model"));
  EXPECT_EQ(ran.n_saved, 50U);
  EXPECT_EQ(run_both(prompt, {}, other).n_cached, 49U);
}

// The same metadata and sizes; one weight differs.
TEST_F(PromptCacheTest, TellsModelsApartThatDifferInAWeight) {
  std::string content = test::content_of(std::string(BITNET_MODELS) + "/canary.gguf");
  const test::AlignedBytes a(std::as_bytes(std::span(content)));
  const Model one = Model::from_bytes(a.span(), "one");
  const auto* const embedding = one.impl().file.find_tensor("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  content[embedding->file_offset + 100000] ^= 1;
  const test::AlignedBytes b(std::as_bytes(std::span(content)));
  const Model two = Model::from_bytes(b.span(), "two");
  run(ids_of(100), true, {}, one);
  EXPECT_EQ(run_both(ids_of(100), {}, one).n_cached, 99U);
  EXPECT_EQ(run_both(ids_of(100), {}, two).n_cached, 0U);
}

TEST_F(PromptCacheTest, IsOfNoUseWithOtherOptionsThatChangeKeysAndValues) {
  SessionOptions f32;
  f32.kv_type = KvType::f32;
  SessionOptions q8;
  q8.kv_type = KvType::q8;
  SessionOptions unrounded;
  unrounded.activations = ActivationType::f32;
  for (const SessionOptions& options : {f32, q8, unrounded}) {
    fs::remove(path);
    run(ids_of(100));
    const Ran ran = run_both(ids_of(100), options);
    EXPECT_EQ(ran.n_cached, 0U);
    ASSERT_EQ(ran.warnings.size(), 1U);
    EXPECT_TRUE(has(ran.warnings[0], "other options"));
    EXPECT_EQ(run_both(ids_of(100), options).n_cached, 99U);
  }
  fs::remove(path);
  run(ids_of(100));
  const Model silu =
      Model::load(std::string(BITNET_MODELS) + "/canary.gguf", {.hidden_act = HiddenAct::silu});
  EXPECT_EQ(run_both(ids_of(100), {}, silu).n_cached, 0U);
}

TEST_F(PromptCacheTest, ServesEveryBackendNumberOfThreadsAndContext) {
  run(ids_of(130));
  for (const kernels::Kernels* k : kernels::available()) {
    const SessionOptions options{
        .ctx_size = 140, .n_threads = 3, .prefill_chunk = 7, .backend = std::string(k->name)};
    EXPECT_EQ(run_both(ids_of(130), options).n_cached, 129U) << k->name;
  }
}

// One byte of every part, one after another.
TEST_F(PromptCacheTest, NoticesDamageInEveryPartOfTheFile) {
  run(ids_of(130));
  const std::string whole = bytes();
  const Ran without = run(ids_of(130), false);
  const std::size_t n_head = 128 + 130 * 4 + 3 * 8;  // and zeros to the next multiple of 4096
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < n_head; at += at < 128 ? 3 : 37) places.push_back(at);
  for (std::size_t at = 4096; at < whole.size(); at += whole.size() / 20) places.push_back(at);
  places.push_back(whole.size() - 1);
  for (const std::size_t at : places) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    put(damaged);
    const Ran ran = run(ids_of(130));
    EXPECT_EQ(ran.tokens, without.tokens) << at;
    EXPECT_EQ(ran.logits, without.logits) << at;
    EXPECT_EQ(ran.n_cached, 0U) << at;
    EXPECT_EQ(ran.warnings.size(), 1U) << at;
    // What does not even begin as such a file is nobody's to write over.
    EXPECT_EQ(ran.n_saved, at < 16 ? 0U : 130U) << at;
    EXPECT_EQ(bytes(), at < 16 ? damaged : whole) << at;
  }
}

TEST_F(PromptCacheTest, NoticesAFileThatIsCutShortOrTooLong) {
  run(ids_of(130));
  const std::string whole = bytes();
  for (const std::size_t n : {0U, 1U, 15U, 16U, 127U, 128U, 300U, 700U, 5000U}) {
    put(whole.substr(0, n));
    const Ran ran = run_both(ids_of(130));
    EXPECT_EQ(ran.n_cached, 0U) << n;
    EXPECT_EQ(ran.warnings.size(), n == 0 ? 0U : 1U) << n;
    EXPECT_EQ(bytes(), whole) << n;
  }
  put(whole.substr(0, whole.size() - 1));
  EXPECT_EQ(run_both(ids_of(130)).n_cached, 0U);
  put(whole + "x");
  EXPECT_EQ(run_both(ids_of(130)).n_cached, 0U);
}

TEST_F(PromptCacheTest, BelievesNoNumberOfTokens) {
  run(ids_of(130));
  const std::string whole = bytes();
  constexpr std::size_t kPlace = 16 + 8 + 32;  // of the number in the header
  std::uint64_t n = 0;
  std::memcpy(&n, whole.data() + kPlace, sizeof n);
  ASSERT_EQ(n, 130U);
  for (const std::uint64_t wrong :
       {std::uint64_t{0}, std::uint64_t{129}, std::uint64_t{131}, std::uint64_t{1} << 20U,
        std::uint64_t{1} << 40U, std::uint64_t{1} << 62U, ~std::uint64_t{0}}) {
    std::string damaged = whole;
    std::memcpy(damaged.data() + kPlace, &wrong, sizeof wrong);
    put(damaged);
    const Ran ran = run_both(ids_of(130));
    EXPECT_EQ(ran.n_cached, 0U) << wrong;
    EXPECT_EQ(ran.warnings.size(), 1U) << wrong;
  }
}

TEST_F(PromptCacheTest, LeavesFilesOfOthersAsTheyAre) {
  const std::string others = "Dear diary, this is no prompt cache.";
  put(others);
  const Ran ran = run_both(ids_of(40));
  ASSERT_EQ(ran.warnings.size(), 1U);
  EXPECT_TRUE(has(ran.warnings[0], "left as it is"));
  EXPECT_EQ(bytes(), others);
}

TEST_F(PromptCacheTest, RunsOnWhereThePathIsNoPlaceForAFile) {
  const std::string pipe = directory.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& place :
       {directory.path(), pipe, std::string("/dev/null"), directory.file("no/such/place.kv"),
        directory.path() + "/" + std::string(300, 'x')}) {
    path = place;
    const Ran ran = run_both(ids_of(40));
    EXPECT_EQ(ran.n_cached, 0U) << place;
    EXPECT_EQ(ran.warnings.size(), 1U) << place;
    EXPECT_EQ(ran.n_saved, 0U) << place;
  }
  EXPECT_EQ(directory.n_files(), 1);  // the pipe
}

TEST_F(PromptCacheTest, TriesOnlyOnceToWriteWhereItCannot) {
  Session session(test::canary());
  Sampler sampler({}, test::canary().info().vocab);
  int n_warnings = 0;
  PromptCache cache(directory.file("no/such/place.kv"), [&](const std::string&) { ++n_warnings; });
  const GenerateOptions options{.max_tokens = 1, .prompt_cache = &cache};
  for (int i = 0; i < 3; ++i) {
    session.rewind(Position{0});
    std::vector<TokenId> history;
    generate(test::canary(), session, sampler, history, ids_of(40), options,
             [](std::string_view) { return true; });
  }
  EXPECT_EQ(n_warnings, 1);
}

// One writes over and over while the other reads: each finds a whole file, or none.
TEST_F(PromptCacheTest, IsSharedByTwoThatRunAtOnce) {
  run(ids_of(100));
  const Ran expected = run(ids_of(100, 7), false);
  std::atomic<bool> is_over = false;
  std::thread other([&] {
    for (int i = 0; !is_over; ++i) {
      const Ran ran = run(ids_of(100, i % 2 == 0 ? 7 : 0), true, {.n_threads = 1});
      EXPECT_TRUE(ran.warnings.empty());
    }
  });
  for (int i = 0; i < 25; ++i) {
    const Ran ran = run(ids_of(100, 7), true, {.n_threads = 1});
    EXPECT_TRUE(ran.warnings.empty());
    EXPECT_EQ(ran.tokens, expected.tokens);
    EXPECT_EQ(ran.logits, expected.logits);
  }
  is_over = true;
  other.join();
  EXPECT_EQ(directory.n_files(), 1);
}

TEST_F(PromptCacheTest, IsNotWrittenByAPromptThatWasInterrupted) {
  Session session(test::canary(), {.prefill_chunk = 16});
  Sampler sampler({}, test::canary().info().vocab);
  std::vector<TokenId> history;
  PromptCache cache(path);
  GenerateOptions options{.max_tokens = 1, .prompt_cache = &cache};
  options.keep_going = [&] { return to_int(session.position()) < 32; };
  const GenerateResult r = generate(test::canary(), session, sampler, history, ids_of(100), options,
                                    [](std::string_view) { return true; });
  EXPECT_EQ(r.reason, StopReason::interrupted);
  EXPECT_FALSE(fs::exists(path));
}

// What the file has in common with a conversation is taken from it, wherever the conversation stands.
TEST_F(PromptCacheTest, BeginsConversations) {
  const Model& model = test::canary();
  const std::string system = "You are a kind and patient teacher who answers every question in a few words.";
  std::optional<PromptCache> cache(path);
  const auto talk = [&](bool with_cache, std::vector<std::size_t>* n_cached) {
    Session session(model);
    Conversation conversation(model, session, ChatTemplate::bitnet);
    Sampler sampler({}, model.info().vocab);
    TurnOptions options{.max_tokens = 20, .prompt_cache = with_cache ? &*cache : nullptr};
    conversation.set_system(system);
    std::string all;
    const auto say = [&](const std::string& message) {
      const TurnResult r = conversation.say(message, sampler, options, [&](std::string_view piece) {
        all += piece;
        return true;
      });
      if (n_cached != nullptr) n_cached->push_back(r.generation.n_cached);
      all += "\n";
    };
    say("What is 3+4?");
    say("What color is the sky?");
    const std::vector<Message> messages = conversation.messages();
    conversation.set_system("");
    conversation.clear();
    say("What is 3+4?");
    conversation.restore(messages);
    say("What is 2+2?");
    return all;
  };
  const std::string without = talk(false, nullptr);
  std::vector<std::size_t> first;
  EXPECT_EQ(talk(true, &first), without);
  EXPECT_EQ(first.at(0), 0U);
  EXPECT_EQ(first.at(1), 0U);  // the session itself holds it
  std::vector<std::size_t> second;
  EXPECT_EQ(talk(true, &second), without);
  EXPECT_GT(second.at(0), model.tokenizer().encode(system).size());
}

}  // namespace
}  // namespace bitnet
