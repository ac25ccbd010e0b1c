// bitnet tokenize and bitnet detokenize: text to ids and back, byte for byte.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <span>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

std::string out_of(Args args, const std::string& text) {
  ChildOptions options;
  options.args = std::move(args);
  options.stdin_text = text;
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

// Every byte, bytes that are no UTF-8, what control tokens look like, and line breaks at the end.
std::string awkward_text() {
  std::string text = "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80 <|eot_id|> \xE2\x96\x81";
  for (int b = 0; b < 256; ++b) text += static_cast<char>(b);
  return text + " \r\n\n";
}

TEST(Tokenize, PrintsTheIdsOnOneLine) {
  EXPECT_EQ(text_of({"tokenize", "-p", "What is 2+2?"}), "1016 322 286 220 17 10 17 30\n");
  EXPECT_EQ(text_of({"tokenize", "-p", "What is 2+2?", "--no-bos"}), "322 286 220 17 10 17 30\n");
  EXPECT_EQ(text_of({"tokenize", "-p", "", "--no-bos"}), "\n");
}

TEST(Tokenize, ReadsEveryByteOfAFileOrOfStdin) {
  const std::string text = "2\n";
  const TempFile file(std::as_bytes(std::span(text)));
  EXPECT_EQ(text_of({"tokenize", "-f", file.path()}), "1016 17 198\n");
  EXPECT_EQ(out_of({"tokenize", "-f", "-"}, text), "1016 17 198\n");
}

TEST(Tokenize, TakesManyTextsWithANulBehindEach) {
  using namespace std::string_literals;
  EXPECT_EQ(out_of({"tokenize", "-0", "-f", "-"},
                   "2\n\0\0"
                   "2\0"s),
            "1016 17 198\n1016\n1016 17\n");
  EXPECT_EQ(out_of({"tokenize", "--null", "--no-bos", "--count", "-f", "-"},
                   "What is 2+2?\0\0"
                   "2"s),
            "7\n0\n1\n");
  EXPECT_EQ(out_of({"tokenize", "-0", "-f", "-"}, ""), "");
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"tokenize", "-0", "--json", "-p", "a"}), 2), "--null"));
}

TEST(Tokenize, RecognisesControlTokensOnlyWithSpecial) {
  EXPECT_EQ(text_of({"tokenize", "-p", "<|eot_id|>", "--count"}), "10\n");
  EXPECT_EQ(text_of({"tokenize", "-p", "<|eot_id|>", "--special"}), "1016 1018\n");
}

TEST(Tokenize, ShowsPiecesAndPlacesALineEach) {
  EXPECT_EQ(text_of({"tokenize", "-p", "What is\t\xC3\xA9", "--pieces"}),
            "1016\t0\t0\t<|begin_of_text|>\n322\t0\t4\tWhat\n286\t4\t7\t is\n197\t7\t8\t\\t\n"
            "127\t8\t9\t\\xc3\n102\t9\t10\t\\xa9\n");
}

TEST(Tokenize, JsonHasItsDocumentedFields) {
  const Json all = parse_json(text_of({"tokenize", "-p", "2\xC3\xA9", "--json"}));
  EXPECT_EQ(misfits("tokens", all), "");
  EXPECT_EQ(all.size(), 11U);
  EXPECT_EQ(all.at("schema"), "bitnet.tokens");
  EXPECT_EQ(all.at("version"), 1);
  EXPECT_EQ(all.at("model"), "built-in canary");
  EXPECT_EQ(all.at("n_bytes"), 3);
  EXPECT_EQ(all.at("n_tokens"), 4);
  EXPECT_EQ(all.at("ids"), Json({1016, 17, 127, 102}));
  const Json token = {{"id", 17},     {"begin", 0},    {"end", 1},
                      {"piece", "2"}, {"bytes", "32"}, {"control", false}};
  ASSERT_EQ(all.at("tokens").size(), 4U);
  EXPECT_EQ(all.at("tokens").at(1), token);
  EXPECT_EQ(all.at("tokens").at(0).at("piece"), "<|begin_of_text|>");
  EXPECT_EQ(all.at("tokens").at(0).at("control"), true);
  EXPECT_TRUE(all.at("tokens").at(2).at("piece").is_null());
  EXPECT_EQ(all.at("tokens").at(2).at("bytes"), "c3");
  EXPECT_EQ(parse_json(text_of({"tokenize", "-p", "", "--no-bos", "--json"})).at("tokens"), Json::array());
}

TEST(Detokenize, BringsBackEveryByte) {
  const std::string text = awkward_text();
  EXPECT_EQ(out_of({"detokenize", "-f", "-"}, out_of({"tokenize", "-f", "-"}, text)), text);
  EXPECT_EQ(out_of({"detokenize", "-f", "-", "--special"},
                   out_of({"tokenize", "-f", "-", "--special", "--no-bos"}, text)),
            text);
}

TEST(Detokenize, TakesIdsInAnyUsualForm) {
  for (const Args& ids : {Args{"322", "286"}, Args{"322 286"}, Args{"322,286"}, Args{"[322, 286]"}}) {
    Args args{"detokenize"};
    args.insert(args.end(), ids.begin(), ids.end());
    EXPECT_EQ(text_of(args), "What is");
  }
  for (const char* ids : {"322 286\n", "322\r\n286\r\n", "[322,286]", " [ 322 ,\n 286 ]\n"}) {
    EXPECT_EQ(out_of({"detokenize", "-f", "-"}, ids), "What is");
  }
  EXPECT_EQ(out_of({"detokenize", "-f", "-"}, "[]"), "");
}

TEST(Detokenize, ShowsControlTokensOnlyWithSpecial) {
  EXPECT_EQ(text_of({"detokenize", "1016", "17", "1018"}), "2");
  EXPECT_EQ(text_of({"detokenize", "1016", "17", "1018", "--special"}), "<|begin_of_text|>2<|eot_id|>");
}

TEST(Detokenize, JsonHasItsDocumentedFields) {
  Json all = parse_json(text_of({"detokenize", "17", "17", "--json"}));
  EXPECT_EQ(misfits("text", all), "");
  for (const char* field : {"program", "commit"}) EXPECT_EQ(all.erase(field), 1U) << field;
  EXPECT_EQ(all, Json({{"schema", "bitnet.text"},
                       {"version", 1},
                       {"model", "built-in canary"},
                       {"n_tokens", 2},
                       {"special", false},
                       {"text", "22"},
                       {"bytes", "3232"}}));
  const Json half = parse_json(text_of({"detokenize", "127", "--json"}));
  EXPECT_EQ(misfits("text", half), "");
  EXPECT_TRUE(half.at("text").is_null());
  EXPECT_EQ(half.at("bytes"), "c3");
}

TEST(Detokenize, RefusesWhatIsNoTokenId) {
  const auto from_stdin = [](const std::string& ids) {
    ChildOptions options;
    options.args = {"detokenize", "-f", "-"};
    options.stdin_text = ids;
    return run_bitnet(options);
  };
  for (const char* ids : {"17 x", "1e3", "17;18", "-1", "99999999999", "[17", "{\"ids\":[17]}", "17 \xFF"}) {
    EXPECT_TRUE(has(refusal(from_stdin(ids), 3), "stdin: '")) << ids;
  }
  EXPECT_TRUE(has(refusal(from_stdin("17 1024"), 2), "1024 is outside the vocabulary of 1024"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"detokenize", "x"}), 2), "'x'"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"detokenize"}), 2), "-f -"));
}

TEST(Tokenize, RefusesAWrongCommandLine) {
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"tokenize"}), 2), "-f -"));
  refusal(run_bitnet(Args{"tokenize", "-p", "a", "-f", "b"}), 2);
  refusal(run_bitnet(Args{"tokenize", "-p", "a", "--json", "--pieces"}), 2);
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"tokenize", "-f", "/nowhere/text"}), 3), "/nowhere/text"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"tokenize", "-p", "a", "-m", "/nowhere/m.gguf"}), 3), "/nowhere"));
}

TEST(Tokenize, EndsWhereStdoutIsFull) {
  for (const Args& args : {Args{"tokenize", "-p", "a"}, Args{"tokenize", "-p", "a", "--json"},
                           Args{"tokenize", "-p", "a", "--pieces"}, Args{"detokenize", "17"}}) {
    ChildOptions options;
    options.args = args;
    options.stdout_fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (options.stdout_fd < 0) GTEST_SKIP() << "no /dev/full here";
    EXPECT_TRUE(has(refusal(run_bitnet(options), 1), "No space left on device"));
    ::close(options.stdout_fd);
  }
}

}  // namespace
}  // namespace bitnet::test
