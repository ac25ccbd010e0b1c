#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/model.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;
using test::lacks;

struct Outcome {
  std::string text;
  bool stopped = false;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& os, const Outcome& o) {
  return os << '"' << o.text << '"' << (o.stopped ? " stopped" : " ran out");
}

Outcome stream(const std::vector<std::string>& stops, const std::vector<std::string>& chunks) {
  StopStrings filter(stops);
  Outcome o;
  for (const std::string& chunk : chunks) {
    if (filter.push(chunk, o.text)) {
      o.stopped = true;
      return o;
    }
  }
  o.stopped = filter.flush(o.text);
  return o;
}

class StopTokens : public ::testing::Test {
 protected:
  std::vector<TokenId> tokens_of(const std::string& stop, bool show_special = false) const {
    return control_tokens_of({stop}, model_.tokenizer(), show_special);
  }
  const Model model_ = Model::load(std::string(BITNET_MODELS) + "/canary.gguf");
};

TEST_F(StopTokens, AreThoseThatAStopStringSpells) {
  EXPECT_EQ(tokens_of("<|eot_id|>"), std::vector<TokenId>{TokenId{1018}});
  EXPECT_EQ(tokens_of("<|reserved_0|>", true), std::vector<TokenId>{TokenId{1019}});
  for (const auto* text : {"", " the", "eot_id", "<|eot_id|", "<|EOT_ID|>", "\xFF"}) {
    EXPECT_TRUE(tokens_of(text).empty()) << text;
  }
}

TEST_F(StopTokens, CannotStandBesideTextUnlessTheyAreShown) {
  for (const auto* stop : {"<|eot_id|>\n", "\n<|eot_id|>", "<|eot_id|><|eot_id|>"}) {
    EXPECT_TRUE(tokens_of(stop, true).empty());
    try {
      tokens_of(stop);
      ADD_FAILURE() << stop;
    } catch (const UsageError& e) {
      const std::string message = e.what();
      EXPECT_TRUE(has(message, "give <|eot_id|> alone"));
      EXPECT_TRUE(lacks(message, "\n"));
    }
  }
}

TEST(StopStrings, PassesAllTextOnWithoutAStopString) {
  StopStrings none({});
  std::string out;
  EXPECT_FALSE(none.push("any text", out));
  EXPECT_EQ(out, "any text");
}

TEST(StopStrings, EndsBeforeTheStopString) {
  EXPECT_EQ(stream({"User:"}, {"Hello. User: and more"}), (Outcome{"Hello. ", true}));
}

TEST(StopStrings, FindsAStopStringThatIsSpreadOverChunks) {
  EXPECT_EQ(stream({"User:"}, {"Hello. U", "s", "", "er", ":x"}), (Outcome{"Hello. ", true}));
}

TEST(StopStrings, HoldsBackOnlyWhatCouldBeginOne) {
  StopStrings filter({"<end>", "\n\n"});
  std::string out;
  filter.push("one <en", out);
  EXPECT_EQ(out, "one ");
  filter.push("d", out);
  EXPECT_EQ(out, "one ");
  filter.push(" <", out);
  EXPECT_EQ(out, "one <end ");
  filter.push("\n", out);
  EXPECT_EQ(out, "one <end <");
  filter.push("x", out);
  EXPECT_EQ(out, "one <end <\nx");
}

TEST(StopStrings, FallsBackToAShorterBeginning) {
  // After "aab" failed at its third letter, its second may begin it still.
  EXPECT_EQ(stream({"aab"}, {"a", "a", "a", "b"}), (Outcome{"a", true}));
  EXPECT_EQ(stream({"abab!"}, {"ababab!"}), (Outcome{"ab", true}));
}

TEST(StopStrings, TakesTheOneThatBeginsEarliest) {
  EXPECT_EQ(stream({"bc", "abcd"}, {"xabcd"}), (Outcome{"x", true}));
  EXPECT_EQ(stream({"bc", "abcd"}, {"xabc", "d"}), (Outcome{"x", true}));
  EXPECT_EQ(stream({"bc", "abcd"}, {"xabc", "e"}), (Outcome{"xa", true}));
  EXPECT_EQ(stream({"b", "ab"}, {"xab"}), (Outcome{"x", true}));
}

TEST(StopStrings, FlushGivesBackWhatWasHeld) {
  EXPECT_EQ(stream({"stop"}, {"please sto"}), (Outcome{"please sto", false}));
}

TEST(StopStrings, FlushFindsAStopStringThatWaitedForALongerOne) {
  EXPECT_EQ(stream({"bc", "abcd"}, {"xabc"}), (Outcome{"xa", true}));
}

TEST(StopStrings, IgnoresTextAfterTheStop) {
  StopStrings filter({"!"});
  std::string out;
  EXPECT_TRUE(filter.push("a!b", out));
  EXPECT_TRUE(filter.push("c", out));
  EXPECT_TRUE(filter.flush(out));
  EXPECT_EQ(out, "a");
}

TEST(StopStrings, StartsAnewAfterFlush) {
  StopStrings filter({"ab"});
  std::string out;
  EXPECT_TRUE(filter.push("ab", out));
  filter.flush(out);
  EXPECT_FALSE(filter.push("xa", out));
  filter.flush(out);
  EXPECT_FALSE(filter.push("b", out));
  EXPECT_EQ(out, "xab");
}

TEST(StopStrings, RefusesAnEmptyStopString) { EXPECT_THROW(StopStrings({"a", ""}), UsageError); }

Outcome search(const std::vector<std::string>& stops, const std::string& text) {
  std::size_t first = std::string::npos;
  for (const std::string& s : stops) first = std::min(first, text.find(s));
  return {text.substr(0, first), first != std::string::npos};
}

// The longest suffix that is a proper beginning of a stop string, tried from the longest down.
std::size_t longest_open_suffix(const std::vector<std::string>& stops, const std::string& text) {
  for (std::size_t n = text.size(); n > 0; --n) {
    for (const std::string& s : stops) {
      if (n < s.size() && s.starts_with(text.substr(text.size() - n))) return n;
    }
  }
  return 0;
}

TEST(StopStrings, EveryWayOfCuttingAShortTextGivesWhatASearchFinds) {
  std::mt19937 random(3);
  const auto word = [&random](std::size_t shortest, std::size_t longest) {
    std::string s(shortest + random() % (longest - shortest + 1), ' ');
    for (char& c : s) c = static_cast<char>('a' + random() % 2);
    return s;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> stops(1 + random() % 3);
    for (std::string& s : stops) s = word(1, 5);
    const std::string text = word(0, 9);
    const Outcome expected = search(stops, text);
    // Bit i of the mask cuts after letter i.
    for (unsigned mask = 0; mask < (1U << text.size()); ++mask) {
      std::vector<std::string> chunks(1);
      for (std::size_t i = 0; i < text.size(); ++i) {
        chunks.back() += text[i];
        if ((mask >> i & 1U) != 0) chunks.emplace_back();
      }
      ASSERT_EQ(stream(stops, chunks), expected) << "text " << text << ", cuts " << mask;
    }
  }
}

TEST(StopStrings, NeverHoldsBackMoreThanTheLongestOpenSuffix) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> stops(1 + random() % 3);
    for (std::string& s : stops) {
      s.resize(2 + random() % 5);
      for (char& c : s) c = static_cast<char>('a' + random() % 3);
    }
    StopStrings filter(stops);
    std::string text;
    std::string out;
    for (int i = 0; i < 60; ++i) {
      const std::string letter(1, static_cast<char>('a' + random() % 3));
      text += letter;
      if (filter.push(letter, out)) break;
      ASSERT_EQ(text.size() - out.size(), longest_open_suffix(stops, text)) << text;
    }
  }
}

}  // namespace
}  // namespace bitnet
