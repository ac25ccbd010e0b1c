// bitnet inspect as its user sees it. What it finds is tested in tests/model/inspection_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "cli/chat/terminal.h"
#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/pipe.h"
#include "support/small_model.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(CliInspect, ShowsTheCanaryInEightyColumns) {
  for (const bool all : {false, true}) {
    const ChildResult result = all ? run_bitnet({"inspect", "--tensors"}) : run_bitnet(Args{"inspect"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(has(result.err, "info: no model given: using the built-in canary model"));
    EXPECT_EQ(lines_of(result.err).size(), 1U);
    const std::vector<std::string> lines = lines_of(result.out);
    EXPECT_EQ(lines.front(), "built-in canary: healthy");
    for (const std::string& line : lines) EXPECT_LE(columns_of(line), 80U) << line;
    for (const char* part :
         {"Findings", "ok: layout: I2_S in the layout x86", "note: head: ", "Sizes by type", "I2_S",
          "Metadata", "general.architecture = \"bitnet-b1.58\"", "attn_q"}) {
      EXPECT_TRUE(has(result.out, part));
    }
    EXPECT_EQ(has(result.out, "blk.3.ffn_down.weight\n"), all);
  }
}

TEST(CliInspect, JsonHasItsDocumentedFields) {
  const auto json = parse_json(text_of({"inspect", kRandom, "--json"}));
  EXPECT_EQ(misfits("inspect", json), "");
  EXPECT_EQ(json.at("schema"), "bitnet.inspect");
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_EQ(json.at("file"), kRandom);
  EXPECT_EQ(json.at("file_bytes"), 2828832);
  EXPECT_EQ(json.at("gguf_version"), 3);
  EXPECT_EQ(json.at("alignment"), 32);
  EXPECT_EQ(json.at("files"), 1);
  EXPECT_GT(json.at("parameters"), 1000000);
  EXPECT_TRUE(json.at("name").is_string());
  EXPECT_EQ(json.at("architecture"), "llama");
  EXPECT_EQ(json.at("parsed"), true);
  EXPECT_EQ(json.at("loads"), true);
  EXPECT_TRUE(json.at("refusal").is_null());
  EXPECT_EQ(json.at("usable"), true);
  EXPECT_EQ(json.at("layout").at("verdict"), "unknown");
  EXPECT_GT(json.at("layout").at("pairs"), 0);
  EXPECT_GT(json.at("layout").at("evidence_x86"), 0);
  EXPECT_GT(json.at("layout").at("evidence_arm"), 0);
  for (const auto& f : json.at("findings")) {
    EXPECT_TRUE(f.at("level") == "ok" || f.at("level") == "note" || f.at("level") == "warning") << f;
    for (const char* field : {"topic", "what", "meaning"}) EXPECT_NE(f.at(field), "") << f;
    EXPECT_TRUE(f.contains("advice"));
  }
  std::size_t n_tensors = 0;
  for (const auto& s : json.at("sizes")) {
    EXPECT_GT(s.at("bytes"), 0);
    n_tensors += s.at("tensors").get<std::size_t>();
  }
  EXPECT_EQ(json.at("tensors").size(), n_tensors);
  std::uint64_t n_bytes = json.at("other_bytes");
  for (const auto& s : json.at("sizes")) n_bytes += s.at("bytes").get<std::uint64_t>();
  EXPECT_EQ(json.at("file_bytes"), n_bytes);
  for (const auto& t : json.at("tensors")) {
    EXPECT_TRUE(t.at("shape").is_array());
    EXPECT_GT(t.at("bytes"), 0);
    if (t.at("type") == "I2_S") {
      EXPECT_EQ(t.at("type_id"), 36);
      EXPECT_NEAR(t.at("zero_rate").get<double>() + t.at("plus_rate").get<double>() +
                      t.at("minus_rate").get<double>(),
                  1, 1e-9);
      EXPECT_EQ(t.at("invalid_codes"), 0);
      EXPECT_GT(t.at("scale"), 0);
    } else {
      EXPECT_LE(t.at("min"), t.at("max"));
      EXPECT_GT(t.at("rms"), 0);
      EXPECT_EQ(t.at("not_finite"), 0);
      EXPECT_TRUE(t.contains("zeros"));
    }
  }
  for (const auto& k : json.at("metadata"))
    EXPECT_TRUE(k.contains("key") && k.contains("type") && k.contains("value"));
}

TEST(CliInspect, TakesTheFileEitherWay) {
  EXPECT_EQ(text_of({"inspect", kRandom}), text_of({"inspect", "-m", kRandom}));
  EXPECT_EQ(run_bitnet({"inspect", "-q"}, {{"BITNET_MODEL", kRandom}}).out, text_of({"inspect", kRandom}));
}

// Of what is no model there is nothing to report; what is wrong is said once.
TEST(CliInspect, SaysOnceWhatIsWrongWithAFileThatIsNone) {
  const std::string hello = "hello";
  const TempFile file(std::as_bytes(std::span(hello)));
  for (const std::string& path : {file.path(), std::string("/nowhere.gguf"), std::string("/")}) {
    const ChildResult result = run_bitnet({"inspect", path});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("error: " + path + ": ")) << result.err;
    EXPECT_EQ(lines_of(result.err).size(), 1U);
    const auto json = parse_json(run_bitnet({"inspect", path, "--json"}).out);
    EXPECT_EQ(misfits("inspect", json), "");
    EXPECT_EQ(json.at("parsed"), false);
    EXPECT_EQ(json.at("loads"), false);
    EXPECT_EQ(json.at("usable"), false);
    EXPECT_TRUE(has(json.at("refusal").get<std::string>(), path));
  }
}

TEST(CliInspect, ReportsWhatStandsBeforeTheDamage) {
  const std::string canary = content_of(BITNET_MODELS "/canary.gguf");
  const TempFile file(std::as_bytes(std::span(canary).first(canary.size() / 2)));
  const ChildResult result = run_bitnet({"inspect", file.path()});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(result.out.starts_with(file.path() + ": refused: ")) << result.out;
  EXPECT_TRUE(has(result.out, "error: file: "));
  EXPECT_TRUE(has(result.out, "before the damage is shown, no tensor is looked into"));
  EXPECT_TRUE(has(result.out, "general.architecture = \"bitnet-b1.58\""));
  EXPECT_TRUE(has(result.out, "  I2_S        28 tensors\n"));
  EXPECT_TRUE(has(result.out, "Their data was not looked into"));
  EXPECT_EQ(lines_of(result.err).size(), 1U);
}

TEST(CliInspect, SharesComeToAHundred) {
  SmallModel odd("llama", {.vocab = 301});
  odd.tensor("blk.0.attn_k.weight").type = 35;
  const TempFile refused(odd.to_gguf().build());
  for (const std::string& path : {std::string(BITNET_MODELS "/canary.gguf"), kRandom, refused.path()}) {
    const std::vector<std::string> lines = lines_of(run_bitnet({"inspect", path}).out);
    auto line = std::ranges::find(lines, "Sizes by type");
    ASSERT_NE(line, lines.end());
    double sum = 0;
    double mib = 0;
    std::string name;
    while (!(++line)->starts_with("  all ")) {
      const std::size_t unit = line->find(" MiB ");
      ASSERT_NE(unit, std::string::npos) << *line;
      mib += std::stod(line->substr(unit - 12, 12));
      sum += std::stod(line->substr(unit + 5));
      name = line->substr(2, line->find(' ', 2) - 2);
    }
    EXPECT_EQ(name, "header");
    EXPECT_NEAR(sum, 100, 1e-6) << path;
    EXPECT_NEAR(mib, std::stod(line->substr(line->find(" MiB ") - 12, 12)), 0.003);
    EXPECT_TRUE(has(*line, " 100.0 %"));
  }
  EXPECT_TRUE(has(text_of({"inspect", "-q"}), "46 tensors, 2.63 million parameters\n"));
}

// A report that is longer than the terminal ends with what it begins with.
TEST(CliInspect, SaysTheVerdictAtTheEndTooOnATerminal) {
  Terminal terminal;
  if (!terminal.exists()) GTEST_SKIP() << "no terminals here";
  ChildOptions options;
  options.args = {"inspect"};
  options.stdout_fd = terminal.descriptor();
  ChildProcess child(executable(), options);
  const std::string verdict = "built-in canary: healthy";
  EXPECT_TRUE(terminal.shows(verdict)) << terminal.unseen();
  EXPECT_TRUE(terminal.shows("general.architecture")) << terminal.unseen();
  EXPECT_TRUE(terminal.shows(verdict)) << terminal.unseen();
  EXPECT_EQ(child.wait().exit_code, 0);
  EXPECT_TRUE(lacks(text_of({"inspect"}).substr(1), verdict));
}

TEST(CliInspect, ShowsWhatTheInt8HeadDoesToTheLogits) {
  for (const bool named : {false, true}) {
    Args args{"inspect", "-q", "--head", "int8"};
    if (named) args.push_back(kRandom);
    const std::string text = text_of(args);
    for (const std::string& line : lines_of(text)) EXPECT_LE(columns_of(line), 80U) << line;
    for (const char* part :
         {": int8 head: the best token is the same at ",
          "\nLogits with --head int8 against the stored F16 head\n", "\n  positions            32 of ",
          "\n  same best token      at ", "\n  same best 10         at ", "\n  largest difference   ",
          " standard deviations\n", "\n  RMS difference       ", "\n  lowest cosine        0.999",
          "\n  memory               ", "\n  made in              "}) {
      EXPECT_TRUE(has(text, part));
    }
  }
  EXPECT_TRUE(lacks(text_of({"inspect", "-q"}), "--head int8"));
}

TEST(CliInspect, JsonHasTheInt8HeadIfAskedFor) {
  EXPECT_FALSE(parse_json(text_of({"inspect", "-q", "--json"})).contains("int8_head"));
  const auto json = parse_json(text_of({"inspect", "-q", "--json", "--head", "int8"}));
  EXPECT_EQ(violations(load_schema("inspect"), json), "");
  EXPECT_EQ(json.at("findings").back().at("topic"), "int8 head");
  const auto& head = json.at("int8_head");
  EXPECT_EQ(head.at("stored_type"), "F16");
  EXPECT_EQ(head.at("stored_bytes"), 1024 * 256 * 2);
  EXPECT_EQ(head.at("copy_bytes"), 1024 * 260);
  EXPECT_GT(head.at("seconds"), 0);
  EXPECT_EQ(head.at("sample"), "text");
  EXPECT_EQ(head.at("positions"), 32);
  EXPECT_EQ(head.at("compared"), 32);
  EXPECT_LE(head.at("same_best"), 32);
  EXPECT_EQ(head.at("n_best"), 10);
  EXPECT_LE(head.at("same_best_set"), 32);
  EXPECT_GT(head.at("rms_difference"), 0);
  EXPECT_GT(head.at("max_difference"), head.at("rms_difference"));
  EXPECT_GT(head.at("deviation"), head.at("max_difference"));
  EXPECT_GT(head.at("lowest_cosine"), 0.99);
  EXPECT_LT(head.at("lowest_cosine"), 1);
}

TEST(CliInspect, ShowsWhatTheInt8CacheDoesToLogitsIfAskedFor) {
  const std::string text = text_of({"inspect", "-q", "--kv-type", "q8"});
  for (const std::string& line : lines_of(text)) EXPECT_LE(columns_of(line), 80U) << line;
  for (const char* part :
       {": q8 cache: the best token is the same at ", "\nLogits with --kv-type q8 against the f16 cache\n",
        "\n  positions            128 of a text\n", " of the f16 cache's logits\n",
        " bytes a position, f16 "}) {
    EXPECT_TRUE(has(text, part));
  }
  EXPECT_TRUE(lacks(text, "--head int8 against"));
  const auto json = parse_json(text_of({"inspect", "-q", "--json", "--kv-type", "q8", "--head", "int8"}));
  EXPECT_EQ(violations(load_schema("inspect"), json), "");
  EXPECT_EQ(json.at("findings").back().at("topic"), "q8 cache");
  EXPECT_TRUE(json.at("int8_head").is_object());
  const auto& cache = json.at("q8_cache");
  EXPECT_LT(cache.at("q8_bytes"), cache.at("f16_bytes"));
  EXPECT_EQ(cache.at("sample"), "text");
  EXPECT_EQ(cache.at("compared"), 128);
  EXPECT_GT(cache.at("rms_difference"), 0);
  EXPECT_LT(cache.at("lowest_cosine"), 1);
  EXPECT_TRUE(has(refusal(run_bitnet({"inspect", "--kv-type", "f16"}), 2), "nothing to measure"));
  EXPECT_TRUE(has(refusal(run_bitnet({"inspect", "--kv-type", "q4"}), 2), "f16, f32, q8"));
}

TEST(CliInspect, SaysOfATernaryHeadThatItIsUsedAsItIs) {
  SmallModel small("llama");
  SmallTensor tensor{"output.weight", {128, 300}, kI2S, {}};
  tensor.draw(5);
  small.add(std::move(tensor));
  const TempFile file(small.to_gguf().build());
  const std::string text = text_of({"inspect", file.path(), "--head", "int8"});
  EXPECT_TRUE(has(text, "ok: int8 head: the head is ternary (I2_S)\n"));
  EXPECT_TRUE(lacks(text, "\nLogits"));
  const auto json = parse_json(text_of({"inspect", file.path(), "--json", "--head", "int8"}));
  EXPECT_EQ(violations(load_schema("inspect"), json), "");
  const auto& head = json.at("int8_head");
  EXPECT_EQ(head.at("copy_bytes"), 0);
  EXPECT_EQ(head.at("positions"), 0);
  for (const char* field : {"sample", "same_best", "same_best_set", "max_difference", "rms_difference",
                            "deviation", "lowest_cosine"}) {
    EXPECT_TRUE(head.at(field).is_null()) << field;
  }
}

TEST(CliInspect, HasNoHeadToShowOfAFileThatIsRefused) {
  const std::string hello = "GGUF";
  const TempFile file(std::as_bytes(std::span(hello)));
  const ChildResult result = run_bitnet({"inspect", file.path(), "--json", "--head", "int8"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(parse_json(result.out).at("int8_head").is_null());
}

TEST(CliInspect, RefusesHeadsThatChangeNothing) {
  EXPECT_TRUE(has(refusal(run_bitnet({"inspect", "--head", "screened"}), 2), "bit for bit"));
  EXPECT_TRUE(has(refusal(run_bitnet({"inspect", "--head", "exact"}), 2), "pass --head int8"));
  EXPECT_TRUE(has(refusal(run_bitnet({"inspect", "--head", "int9"}), 2), "'int9' is unknown"));
}

TEST(CliInspect, HelpFitsAScreen) {
  const std::vector<std::string> lines = lines_of(text_of({"inspect", "--help"}));
  EXPECT_LE(lines.size(), 50U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace bitnet::test
