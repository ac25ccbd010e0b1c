// bitnet run --receipt: what stands in it, where it may go, and that it is the same everywhere.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "cli/json_schema.h"
#include "cli/runner.h"
#include "diagnostics/logits_digest.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const Args kStoryRun{"run", "-q", "-p", "Once upon a time", "-n", "12"};

class Receipt : public ::testing::Test {
 protected:
  // Of a run with these arguments, held against the schema.
  Json receipt_of(const Args& args) {
    text_of(with(args, {"--receipt", path}));
    Json receipt = parse_json(content_of(path));
    EXPECT_EQ(violations(load_schema("receipt"), receipt), "");
    EXPECT_EQ(directory.n_files(), 1);
    return receipt;
  }
  // What is to be the same everywhere.
  Json constant_part_of(const Args& args) {
    Json receipt = receipt_of(args);
    receipt.erase("machine");
    receipt.erase("timings");
    return receipt;
  }

  TempDirectory directory;
  std::string path = directory.file("receipt.json");
};

TEST_F(Receipt, TellsWhatRanAndWhatCameOfIt) {
  const Json receipt =
      receipt_of(with(kStoryRun, {"--stop", "xyz", "--temp", "0.7", "--seed", "1", "-t", "1"}));
  EXPECT_EQ(receipt.at("model").at("name"), "canary");
  EXPECT_EQ(receipt.at("model").at("bytes"), fs::file_size(kCanary));
  // sha256sum models/canary.gguf
  EXPECT_EQ(receipt.at("model").at("sha256"),
            "df38acc01591902921c899353b1ffef56ab3ed5eb72d15e9243b6c6396d19573");
  const Json& options = receipt.at("options");
  EXPECT_EQ(options.at("temperature"), 0.7);  // not that of its float
  EXPECT_EQ(options.at("seed"), 1);
  EXPECT_EQ(options.at("max_tokens"), 12);
  EXPECT_EQ(options.at("stop"), Json({"xyz"}));
  EXPECT_EQ(options.at("ctx_size"), 512);
  EXPECT_EQ(receipt.at("prompt").at("text"), "Once upon a time");
  EXPECT_EQ(receipt.at("output").at("ids").size(), 12U);
  EXPECT_EQ(receipt.at("output").at("reason"), "max_tokens");
  EXPECT_EQ(receipt.at("logits").at("rows"), 12);
  EXPECT_EQ(receipt.at("machine").at("threads"), 1);
  EXPECT_GT(receipt.at("machine").at("peak_memory_bytes"), 1'000'000);
  const Json& timings = receipt.at("timings");
  EXPECT_GT(timings.at("first_token_seconds"), timings.at("prefill_seconds"));
  EXPECT_GE(timings.at("token_seconds").at("p95"), timings.at("token_seconds").at("median"));
}

TEST_F(Receipt, IsTheSameHoweverAndWheneverItRan) {
  const Args args = with(kStoryRun, {"--temp", "0.8", "--top-p", "0.9"});
  const Json expected = constant_part_of(args);
  EXPECT_EQ(constant_part_of(args), expected);
  for (const char* threads : {"1", "2", "3"})
    EXPECT_EQ(constant_part_of(with(args, {"-t", threads})), expected);
  for (const char* chunk : {"1", "3"}) {
    EXPECT_EQ(constant_part_of(with(args, {"--prefill-chunk", chunk})), expected);
  }
  EXPECT_EQ(constant_part_of(with(args, {"--backend", "scalar"})), expected);
  EXPECT_EQ(constant_part_of(with(args, {"--weights", "repack", "-m", kCanary})), expected);
  EXPECT_EQ(constant_part_of(with(args, {"--jsonl", "--logprobs", "2"})), expected);
  EXPECT_NE(constant_part_of(with(args, {"--kv-type", "f32"})).at("logits"), expected.at("logits"));
}

TEST_F(Receipt, HasTheDigestOfTheLogitsThatTheTokensWereChosenFrom) {
  const Json receipt = receipt_of(kStoryRun);
  const Model model = Model::load(kCanary);
  Session session(model, {.prefill_chunk = 2});
  std::vector<TokenId> ids;
  for (const char* part : {"prompt", "output"}) {
    for (const std::int32_t id : receipt.at(part).at("ids")) ids.push_back(TokenId{id});
  }
  const std::size_t n_prompt = receipt.at("prompt").at("ids").size();
  LogitsDigest digest;
  session.run_all(std::span(ids).first(ids.size() - 1), [&](Position at, std::span<const float> logits) {
    if (to_index(at) + 1 >= n_prompt) digest.add(logits);
  });
  EXPECT_EQ(std::stoull(receipt.at("logits").at("digest").get<std::string>(), nullptr, 16), digest.value());
}

TEST_F(Receipt, IsWholeWithoutTokensToTime) {
  const Json none = receipt_of({"run", "-q", "-p", "2+2=", "-n", "0"}).at("timings");
  EXPECT_TRUE(none.at("first_token_seconds").is_null());
  const Json one = receipt_of({"run", "-q", "-p", "2+2=", "-n", "1"}).at("timings");
  EXPECT_FALSE(one.at("first_token_seconds").is_null());
  EXPECT_TRUE(one.at("token_seconds").is_null());
}

TEST_F(Receipt, HoldsArgumentsThatAreNoUtf8) {
  const Json receipt = receipt_of(
      {"run", "-q", "-p", "\xff", "-n", "1", "--template", "auto", "--system", "\xfe", "--stop", "\xfd"});
  EXPECT_TRUE(receipt.at("prompt").at("text").is_null());
  EXPECT_EQ(receipt.at("options").at("system"), Json({{"bytes", "fe"}}));
  EXPECT_EQ(receipt.at("options").at("stop").at(0), Json({{"bytes", "fd"}}));
}

TEST_F(Receipt, LeavesTheTextAsItIs) {
  EXPECT_EQ(text_of(with(kStoryRun, {"--receipt", path})), text_of(kStoryRun));
  EXPECT_EQ(text_of(with(kStoryRun, {"--receipt", path, "--json"})), text_of(with(kStoryRun, {"--json"})));
}

TEST_F(Receipt, ThatCannotBeWrittenIsAnErrorBeforeAnythingIsGenerated) {
  const auto error = [](const std::string& file, int code) {
    return refusal(run_bitnet({"run", "-q", "-p", "2+2=", "--receipt", file}), code);
  };
  EXPECT_TRUE(
      has(error(directory.file("missing/receipt.json"), 1),
          "missing/receipt.json: cannot make the file: No such file or directory; choose another place"));
  EXPECT_TRUE(has(error("/proc/receipt.json", 1), "/proc/receipt.json: cannot make the file"));
  EXPECT_TRUE(has(error(directory.path(), 1), "Is a directory"));
  EXPECT_TRUE(has(error("", 2), "--receipt '': the value is empty; give a FILE"));
  EXPECT_TRUE(has(error("-", 2), "--receipt -: stdout is for the text"));
  fs::copy_file(kCanary, directory.file("model.gguf"));
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-q", "-p", "2+2=", "-m", directory.file("model.gguf"),
                                      "--receipt", directory.file("./model.gguf")}),
                          2),
                  "model.gguf is the model: name another file"));
  EXPECT_EQ(directory.n_files(), 1);
}

TEST_F(Receipt, IsRefusedByADirectoryThatIsReadOnly) {
  if (::geteuid() == 0) GTEST_SKIP() << "nothing is read-only for root";
  ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
  const std::string error = refusal(run_bitnet(with(kStoryRun, {"--receipt", path})), 1);
  EXPECT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  EXPECT_TRUE(has(error, path + ": cannot make the file: Permission denied"));
}

TEST_F(Receipt, OnAFullDiskIsAnErrorAfterTheText) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  const ChildResult result = run_bitnet({"run", "-q", "-p", "2+2=", "-n", "2", "--receipt", "/dev/full"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(has(result.err, "error: /dev/full: cannot write the file: No space left on device"));
}

TEST_F(Receipt, OfARunThatFailedIsNotWrittenAndTheOldOneStays) {
  std::ofstream(path) << "old";
  Pipe pipe;
  pipe.close_reader();
  ChildOptions options;
  options.args = with(kStoryRun, {"--receipt", path});
  options.stdout_fd = pipe.writer();
  EXPECT_EQ(run_bitnet(options).exit_code, 128 + SIGPIPE);
  EXPECT_EQ(content_of(path), "old");
  EXPECT_EQ(directory.n_files(), 1);
}

TEST_F(Receipt, CanBeRunAgain) {
  const Json receipt =
      receipt_of(with(kStoryRun, {"--temp", "0.8", "--stop", "\xff", "--head", "int8", "-t", "1"}));
  EXPECT_EQ(text_of({"verify", "-q", "--receipt", path, "-t", "2"}),
            path + " holds: the same 12 tokens, the same bits of their logits\n");
  const auto fails = [&](const std::function<void(Json&)>& change, int code, const std::string& part) {
    Json changed = receipt;
    change(changed);
    std::ofstream(path) << changed;
    EXPECT_TRUE(has(refusal(run_bitnet({"verify", "-q", "--receipt", path}), code), part));
  };
  fails([](Json& r) { r.at("output").at("ids").at(3) = 1; }, 4, "token 3 of the text is ");
  fails([](Json& r) { r.at("output").at("ids").erase(11); }, 4, "and in the receipt none");
  fails([](Json& r) { r.at("options").at("head") = "stored"; }, 4, "the logits' digest is ");
  fails([](Json& r) { r.at("options").at("max_tokens") = 3; }, 4, "token 3 of the text is none");
  fails([](Json& r) { r.at("output").at("text") = "no"; }, 4, "the text is another one");
  fails([](Json& r) { r.at("output").at("reason") = "stop_token"; }, 4, "the text ended by max_tokens");
  fails([](Json& r) { r.at("model").at("sha256") = "00"; }, 4, "is another model");
  // Also where its options make no sense with that model.
  const std::string other = directory.file("other.gguf");
  ASSERT_EQ(run_bitnet({"convert", "-q", kCanary, "-o", other, "--type", "tq2_0"}).exit_code, 0);
  std::ofstream(path) << receipt;
  ASSERT_FALSE(receipt.at("options").at("i2s_layout").is_null());
  EXPECT_TRUE(
      has(refusal(run_bitnet({"verify", "-q", "--receipt", path, "-m", other}), 4), "is another model"));
  fails([](Json& r) { r.at("schema") = "bitnet.run"; }, 3, "is no saved receipt");
  fails([](Json& r) { r.at("options").erase("seed"); }, 3, "lacks a field");
  for (const char* bytes : {"xy", "+f", "c", "ff0", "0x"}) {
    fails([&](Json& r) { r.at("options").at("stop") = {{{"bytes", bytes}}}; }, 3, "no hexadecimal digits");
  }
  fails([](Json& r) { r.at("options").at("seed") = -1; }, 3, "number -1 is no whole one");
  fails([](Json& r) { r.at("options").at("max_tokens") = 1e300; }, 3, "number 1e+300 is no whole one");
  fails([](Json& r) { r.at("output").at("ids").at(3) = 1.5; }, 3, "number 1.5 is no whole one");
  fails([](Json& r) { r.at("prompt").at("ids").at(0) = -1; }, 3, "token id -1 is less than 0");
  fails([](Json& r) { r.at("prompt").at("ids").at(0) = 99999999999; }, 3, "is no whole one");
  fails([](Json& r) { r.at("options").at("top_p") = 7; }, 3, "--top-p 7 is out of range");
  fails([](Json& r) { r.at("options").at("head") = "best"; }, 3, "--head 'best' is unknown");
  fails([](Json& r) { r.at("prompt").at("ids") = Json::array(); }, 2, "the prompt is empty");
}

TEST_F(Receipt, SchemaIsBrokenByWhatBreaksAReader) {
  const Json receipt = receipt_of(kStoryRun);
  const Json schema = load_schema("receipt");
  for (const auto& [name, value] : receipt.items()) {
    Json changed = receipt;
    changed.erase(name);
    EXPECT_NE(violations(schema, changed), "") << name;
    if (!value.is_object()) continue;
    for (const auto& [field, inner] : value.items()) {
      changed = receipt;
      changed.at(name).erase(field);
      EXPECT_NE(violations(schema, changed), "") << name << "." << field;
      EXPECT_TRUE(schema.at("properties").at(name).at("properties").contains(field)) << field;
    }
  }
}

}  // namespace
}  // namespace bitnet::test
