// bitnet bench: what it prints. Speeds are nobody's business here.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "cli/bench/short_bench.h"
#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/pipe.h"

namespace bitnet::test {
namespace {

TEST(Bench, ProfilesEachKindOfWorkWhenAsked) {
  EXPECT_FALSE(saved_run().at("results").at(0).contains("profile"));
  const ChildResult result = run_bitnet(with(kShortBench, {"-o", "json", "--profile"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "threads 1, pp4: attention"));
  EXPECT_TRUE(has(result.err, "threads 1, tg2: all ternary products"));
  const Json run = parse_json(result.out);
  for (const Json& row : run.at("results")) {
    double seconds = 0;
    std::map<std::string, Json> works;
    for (const Json& work : row.at("profile")) {
      works[work.at("work")] = work;
      if (work.at("work") != "all ternary products") seconds += work.at("seconds_per_token").get<double>();
    }
    // Little else is done between the first token and the last. The mean is of times: that of rates would be
    // a time which a single slow repetition exceeds.
    double total = 0;
    const Json& rates = row.at("tokens_per_second_samples");
    for (const Json& rate : rates) total += 1 / rate.get<double>() / static_cast<double>(rates.size());
    EXPECT_GT(seconds, 0);
    EXPECT_LT(seconds, 2 * total);
    const bool decode = row.at("kind") == "decode";
    for (const char* product : {"q, k, v product", "gate, up product", "all ternary products"}) {
      EXPECT_NE(works.at(product).at("gigabytes_per_second").is_null(), decode) << product;
      EXPECT_EQ(works.at(product).at("gigamacs_per_second").is_null(), decode) << product;
    }
    EXPECT_TRUE(works.at("residual").at("gigabytes_per_second").is_null());
    EXPECT_TRUE(works.at("residual").at("gigamacs_per_second").is_null());
    EXPECT_TRUE(works.at("head").at("gigamacs_per_second").is_null());
  }
}

TEST(Bench, JsonHasItsDocumentedFields) {
  const Json& run = saved_run();
  EXPECT_EQ(run.at("schema"), "bitnet.bench");
  EXPECT_EQ(run.at("version"), 1);
  EXPECT_TRUE(run.at("program").get<std::string>().starts_with("bitnet "));
  EXPECT_FALSE(run.at("machine").at("cpu").get<std::string>().empty());
  EXPECT_GE(run.at("machine").at("cores"), 1);
  ASSERT_EQ(run.at("machine").at("limits").size(), 1U);
  const Json& limits = run.at("machine").at("limits").at(0);
  EXPECT_EQ(limits.at("backend"), run.at("results").at(0).at("backend"));
  EXPECT_EQ(limits.at("threads"), 1);
  EXPECT_GT(limits.at("read_bytes_per_second"), 0);
  const bool knows_peak = !limits.at("int8_macs_per_second").is_null();

  ASSERT_EQ(run.at("results").size(), 2U);
  for (const Json& row : run.at("results")) {
    EXPECT_EQ(row.at("model"), "synthetic:tiny");
    EXPECT_EQ(row.at("architecture"), "bitnet-b1.58");
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_NE(row.at("backend"), "auto");
    EXPECT_EQ(row.at("kv_type"), "f16");
    EXPECT_EQ(row.at("prefill_chunk"), 256);
    EXPECT_EQ(row.at("weights"), "mmap");
    EXPECT_EQ(row.at("pin"), false);
    EXPECT_EQ(row.at("depth"), 0);
    EXPECT_EQ(row.at("tokens_per_second_samples").size(), 2U);
    const double sum = row.at("tokens_per_second_samples").at(0).get<double>() +
                       row.at("tokens_per_second_samples").at(1).get<double>();
    EXPECT_NEAR(row.at("tokens_per_second").get<double>(), sum / 2, 1e-6 * sum);
    EXPECT_NEAR(row.at("tokens_per_second_median").get<double>(), sum / 2, 1e-6 * sum);
    EXPECT_GE(row.at("tokens_per_second_deviation"), 0);
    EXPECT_GT(row.at("weight_bytes_per_token"), 0);
    EXPECT_LE(row.at("weight_bytes_per_token"), row.at("model_bytes"));
    EXPECT_EQ(row.at("head_macs_per_token"), 320 * 256);
    EXPECT_EQ(row.at("layer_macs_per_token"), 2 * 256 * (256 + 128 + 128 + 256 + 3 * 512));
    EXPECT_GE(row.at("load_seconds"), 0);
    EXPECT_GE(row.at("peak_memory_bytes"), 0);
    EXPECT_GT(row.at("read_bytes_per_second"), 0);
    for (const char* samples : {"processor_seconds_samples", "processor_wait_seconds_samples",
                                "read_bytes_per_second_samples", "int8_macs_per_second_samples"}) {
      EXPECT_EQ(row.at(samples).size(), 2U) << samples;
    }
  }
  const Json& prefill = run.at("results").at(0);
  EXPECT_EQ(prefill.at("test"), "pp4");
  EXPECT_EQ(prefill.at("kind"), "prefill");
  EXPECT_EQ(prefill.at("n_tokens"), 4);
  EXPECT_GT(prefill.at("gigamacs_per_second"), 0);
  EXPECT_NE(prefill.at("int8_peak_percent").is_null(), knows_peak);
  EXPECT_TRUE(prefill.at("gigabytes_per_second").is_null());
  EXPECT_TRUE(prefill.at("bandwidth_percent").is_null());

  const Json& decode = run.at("results").at(1);
  EXPECT_EQ(decode.at("test"), "tg2");
  EXPECT_EQ(decode.at("kind"), "decode");
  EXPECT_EQ(decode.at("kv_bytes_per_token"), 1.5 * 2 * 2 * 128 * 2);
  EXPECT_GT(decode.at("gigabytes_per_second"), 0);
  EXPECT_GT(decode.at("bandwidth_percent"), 0);
  EXPECT_TRUE(decode.at("gigamacs_per_second").is_null());
  EXPECT_TRUE(decode.at("int8_peak_percent").is_null());
}

TEST(Bench, TellsWhereTheWeightsAndThreadsWere) {
  const Json run = parse_json(text_of(with(kShortBench, {"--weights", "repack", "--pin", "-o", "json"})));
  for (const Json& row : run.at("results")) {
    EXPECT_EQ(row.at("weights"), "repack");
    EXPECT_EQ(row.at("pin"), true);
  }
}

// Many are measured in rounds.
TEST(Bench, RepeatsAsOftenAsItIsTold) {
  for (const char* n : {"1", "3", "7", "11"}) {
    const Json run = parse_json(text_of(with(kShortBench, {"-r", n, "-o", "json"})));
    for (const Json& row : run.at("results")) {
      EXPECT_EQ(std::to_string(row.at("tokens_per_second_samples").size()), n);
      EXPECT_EQ(std::to_string(row.at("read_bytes_per_second_samples").size()), n);
    }
  }
}

TEST(Bench, KnowsOfNoPeakWhereTheSystemTellsNone) {
  // A shell in which nothing is mounted on /proc; the program and its options follow.
  ChildOptions options;
  options.args = {"-r", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\""};
  options.args = with(options.args, {executable()});
  ChildOptions version = options;
  version.args.push_back("--version");
  if (ChildProcess("/usr/bin/unshare", version).wait().exit_code != 0) {
    GTEST_SKIP() << "this system lets nobody hide /proc";
  }
  options.args = with(options.args, with(kShortBench, {"-o", "json"}));
  const ChildResult result = ChildProcess("/usr/bin/unshare", options).wait();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json run = parse_json(result.out);
  EXPECT_EQ(violations(load_schema("bench"), run), "");
  for (const Json& row : run.at("results")) {
    EXPECT_TRUE(row.at("peak_memory_bytes").is_null());
    EXPECT_TRUE(row.at("processor_seconds_samples").at(0).is_null());
  }
}

TEST(Bench, JsonLinesEachStandAlone) {
  const std::vector<std::string> lines = lines_of(text_of(with(kShortBench, {"-o", "jsonl"})));
  ASSERT_EQ(lines.size(), 2U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json line = parse_json(lines[i]);
    EXPECT_EQ(line.at("schema"), "bitnet.bench");
    EXPECT_EQ(line.at("version"), 1);
    EXPECT_EQ(line.at("cpu"), saved_run().at("machine").at("cpu"));
    for (const auto& [name, value] : saved_run().at("results").at(i).items()) {
      EXPECT_TRUE(line.contains(name)) << name;
    }
    EXPECT_EQ(line.at("test"), saved_run().at("results").at(i).at("test"));
  }
}

TEST(Bench, CsvHasAHeaderAndACellForEachColumn) {
  const std::vector<std::string> lines = lines_of(text_of(with(kShortBench, {"-o", "csv"})));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(lines[0].starts_with("cpu,cores,model,")) << lines[0];
  const auto n_commas = std::ranges::count(lines[0], ',');
  // No name of a processor has a comma that would have to be quoted, as far as anybody saw.
  for (const std::string& line : lines) EXPECT_EQ(std::ranges::count(line, ','), n_commas) << line;
  EXPECT_TRUE(has(lines[1], ",synthetic:tiny,"));
  EXPECT_TRUE(has(lines[2], ",tg2,"));
}

// Those of Markdown tables.
std::size_t width_of(const std::string& line) {
  return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(Bench, MarkdownIsATableOfEveryCombination) {
  const std::string text = text_of({"bench", "--synthetic", "tiny", "-p", "4,0,4", "-n", "2,3", "-d", "0,5",
                                    "-r", "1", "-t", "1,2", "--backend", "scalar"});
  const std::vector<std::string> lines = table_lines(text);
  ASSERT_EQ(lines.size(), 2U + 2 * 6);
  std::set<std::string> tests;
  for (const std::string& line : lines) {
    EXPECT_EQ(std::ranges::count(line, '|'), 6) << line;
    EXPECT_TRUE(line.ends_with('|')) << line;
    for (const char* test : {" pp4 ", " tg2 ", " tg3 ", " pp4@d5 ", " tg2@d5 ", " tg3@d5 "}) {
      if (has(line, test)) tests.insert(test);
    }
  }
  EXPECT_EQ(tests.size(), 6U);
  EXPECT_TRUE(has(lines[0], "tok/s"));
}

TEST(Bench, TheTableFitsATerminalAndNamesTheMachine) {
  const std::string text =
      text_of({"bench", "--synthetic", "tiny", "-p", "100", "-n", "10", "-d", "0,300", "-r", "2", "-t", "1",
               "--backend", "auto,scalar", "--head", "exact,screened,int8", "-q"});
  const std::vector<std::string> lines = lines_of(text);
  for (const std::string& line : lines) EXPECT_LE(width_of(line), 80U) << line;
  EXPECT_TRUE(has(lines[0], "bitnet "));
  const Json& machine = saved_run().at("machine");
  EXPECT_TRUE(has(text, machine.at("cpu").get<std::string>().substr(0, 8)));
  EXPECT_TRUE(has(text, std::to_string(machine.at("cores").get<int>()) + " core"));
  EXPECT_TRUE(has(text, "synthetic:tiny, scalar: "));
  EXPECT_TRUE(has(text, ", loaded in "));
  EXPECT_TRUE(has(text, ", peak memory "));
}

TEST(Bench, ExactAndScreenedHeadShareOneModel) {
  const auto n_loaded = [](const char* heads) {
    const ChildResult result = run_bitnet(
        {"bench", "-p", "0", "-n", "2", "-r", "1", "-t", "1", "-v", "--head", heads, "-o", "json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const std::vector<std::string> lines = lines_of(result.err);
    const Json rows = parse_json(result.out).at("results");
    EXPECT_EQ(rows.at(0).at("head").at("kind"), "exact");
    EXPECT_EQ(rows.at(0).at("head").at("extra_bytes"), 0);
    EXPECT_GT(rows.at(1).at("head").at("extra_bytes"), 0);
    EXPECT_GT(rows.at(0).at("head").at("bytes_per_token"), rows.at(1).at("head").at("bytes_per_token"));
    return std::ranges::count_if(lines, [](const std::string& line) { return has(line, "loaded "); });
  };
  EXPECT_EQ(n_loaded("exact,screened"), 1);
  EXPECT_EQ(n_loaded("exact,int8"), 2);
}

TEST(Bench, MeasuresHeadsInTurnsAndSaysHowTheyCompare) {
  const Args heads{"--head", "exact,screened,int8"};
  const ChildResult result = run_bitnet(with(kShortBench, with(heads, {"-o", "json"})));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json run = parse_json(result.out);
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Json& row : run.at("results")) rows.emplace_back(row.at("test"), row.at("head").at("kind"));
  EXPECT_EQ(rows, (std::vector<std::pair<std::string, std::string>>{
                      {"pp4", "exact"}, {"tg2", "exact"}, {"tg2", "screened"}, {"tg2", "int8"}}));
  EXPECT_TRUE(has(result.err, "tg2: screened head "));
  EXPECT_TRUE(has(result.err, "tg2: int8 head "));
  EXPECT_TRUE(has(result.err, " times as fast as exact, "));
  EXPECT_TRUE(has(result.err, " in 2 turns"));
  EXPECT_TRUE(has(text_of(with(kShortBench, with(heads, {"-q", "-o", "csv"}))), ",screened"));
}

TEST(Bench, MeasuresDraftsOfQuotedText) {
  const Args args{"bench",  "-q",     "-p",      "0",     "-n", "24",   "-d", "40",
                  "--text", "quoted", "--draft", "off,4", "-o", "json", "-r", "1"};
  const Json run = parse_json(text_of(args));
  EXPECT_EQ(violations(load_schema("bench"), run), "");
  const Json& rows = run.at("results");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.at(0).at("test"), "tg24@d40 quoted");
  EXPECT_EQ(rows.at(0).at("draft").at("drafted"), 0);
  EXPECT_EQ(rows.at(1).at("test"), "tg24@d40 quoted draft:4");
  EXPECT_EQ(rows.at(1).at("text"), "quoted");
  EXPECT_EQ(rows.at(1).at("draft").at("choice"), "4");
  EXPECT_GT(rows.at(1).at("draft").at("accepted"), 8);
  EXPECT_TRUE(
      has(refusal(run_bitnet({"bench", "-n", "4", "-p", "0", "--text", "quoted"}), 2), "nothing to quote"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--text", "prose"}), 2), "choose from random, quoted"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--draft", "16"}), 2), "give auto, off or a number"));
}

TEST(Bench, MeasuresSequencesThatDecodeTogether) {
  const Json run =
      parse_json(text_of({"bench", "-q", "-p", "4", "-n", "3", "-d", "0,20", "--sequences", "1,4", "--head",
                          "exact,screened", "--profile", "-o", "json", "-r", "2"}));
  EXPECT_EQ(violations(load_schema("bench"), run), "");
  std::vector<std::string> tests;
  for (const Json& row : run.at("results")) {
    tests.push_back(row.at("test"));
    const bool is_decode = row.at("kind") == "decode";
    ASSERT_EQ(row.at("sequences").is_null(), !is_decode);
    if (!is_decode) continue;
    const auto n = row.at("sequences").get<int>();
    EXPECT_EQ(n, tests.back().find("x4") == std::string::npos ? 1 : 4);
    // A pass reads the layers once for all; each sequence has its own cache.
    EXPECT_EQ(row.at("draft").at("passes"), 6);
    const double kv = row.at("kv_bytes_per_token");
    const double depth = row.at("depth");
    EXPECT_DOUBLE_EQ(kv, 2048 * (depth + 2)) << tests.back();
  }
  EXPECT_EQ(tests, (std::vector<std::string>{"pp4", "tg3", "tg3", "tg3x4", "tg3x4", "pp4@d20", "tg3@d20",
                                             "tg3@d20", "tg3x4@d20", "tg3x4@d20"}));
  const auto weights = [&](std::size_t i) {
    return run.at("results").at(i).at("weight_bytes_per_token").get<double>();
  };
  EXPECT_LT(weights(3), weights(1) / 3);
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--sequences", "0"}), 2), "pass 1 or more"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--sequences", "2", "--draft", "4"}), 2),
                  "--draft is for one sequence"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "--sequences", "2", "--text", "quoted"}), 2),
                  "--text quoted is for one sequence"));
  EXPECT_TRUE(has(refusal(run_bitnet({"bench", "-p", "0", "-n", "2", "--sequences", "2000"}), 2),
                  "--sequences 2000 is not between 1 and 1024"));
}

TEST(Bench, RunsFilesAndTheBuiltInModel) {
  const Args tail{"-p", "4", "-n", "0", "-r", "1", "-t", "1"};
  const std::string file = BITNET_TEST_DATA "/models/random-llama.gguf";
  EXPECT_TRUE(has(text_of(with({"bench", "-m", file}, tail)), "random-llama.gguf, "));
  EXPECT_TRUE(has(text_of(with({"bench"}, tail)), "canary, "));
}

TEST(Bench, SaysNothingBesidesItsTableInAPipe) {
  const ChildResult result = run_bitnet(kShortBench, {{"BITNET_MODEL", "/nowhere"}});  // --synthetic wins
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

TEST(Bench, WarnsOfMoreThreadsThanCanRun) {
  const std::string many = std::to_string(std::thread::hardware_concurrency() + 1);
  const ChildResult result =
      run_bitnet({"bench", "--synthetic", "tiny", "-p", "0", "-n", "1", "-r", "1", "-t", many});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "--threads " + many + " is more than the "));
}

TEST(Bench, HelpFitsAScreen) {
  const std::vector<std::string> lines = lines_of(text_of({"bench", "--help"}));
  EXPECT_LE(lines.size(), 50U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Bench, RefusesAWrongCommandLine) {
  const std::vector<std::pair<Args, std::string>> cases{
      {{"-p", "0", "-n", "0"}, "-p or -n"},
      {{"-p", "12,x"}, "--n-prompt 'x'"},
      {{"-p", ""}, "--n-prompt"},
      {{"-n", "1,,2"}, "--n-gen"},
      {{"-n", "-3"}, "--n-gen '-3'"},
      {{"-d", "1e9"}, "--n-depth"},
      {{"-r", "0"}, "--repetitions"},
      {{"-t", "1,99999999999"}, "--threads 99999999999"},
      {{"-t", "1,100000"}, "--threads 100000"},
      {{"-p", "600"}, "pp600"},
      {{"-d", "18446744073709551615"}, "context"},
      {{"--backend", "avx1024"}, "--backend 'avx1024'"},
      {{"--synthetic", "tiny,gigantic"}, "gigantic"},
      {{"--kv-type", "f8"}, "--kv-type 'f8'"},
      {{"--head", "exact,sorted"}, "--head 'sorted'"},
      {{"--head", "exact,"}, "--head ''"},
      {{"--head", "exact,int8-cached"}, "--synthetic makes none"},
      {{"--prefill-chunk", "0"}, "--prefill-chunk"},
      {{"-o", "xml"}, "--output 'xml'"},
      {{"--gate-tolerance", "100"}, "--gate-tolerance"},
      {{"--gate-tolerance", "nan"}, "--gate-tolerance"},
      {{"-m", "some.gguf"}, "--synthetic"},
  };
  for (const auto& [args, part] : cases) {
    EXPECT_TRUE(has(refusal(run_bitnet(with(kShortBench, args)), 2), part));
  }
}

TEST(Bench, AnInterruptEndsItSoon) {
  for (const auto& [test, signal] : {std::pair("-n", SIGINT), std::pair("-p", SIGTERM)}) {
    const ChildResult result =
        run_until_signal({"bench", "-p", "0", "-n", "0", test, "100", "-r", "1000000000"}, signal);
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace bitnet::test
