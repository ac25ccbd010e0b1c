// bitnet bench --gate: what a saved run is good for.
#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "cli/bench/short_bench.h"
#include "support/parse_json.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

TempFile file_with(const std::string& text) { return TempFile(std::as_bytes(std::span(text))); }

// The saved run as one of a build that was so much faster on the same machine.
Json scaled_run(double factor) {
  Json run = saved_run();
  for (Json& row : run.at("results")) {
    for (Json& rate : row.at("tokens_per_second_samples")) rate = rate.get<double>() * factor;
    for (Json& seconds : row.at("processor_seconds_samples")) {
      if (!seconds.is_null()) seconds = seconds.get<double>() / factor;
    }
  }
  return run;
}

ChildResult gate(const Json& saved, const Args& more) {
  const TempFile file = file_with(saved.dump());
  return run_bitnet(with(kShortBench, with({"--gate", file.path()}, more)));
}

TEST(BenchGate, FailsWhereASavedRunWasFaster) {
  const ChildResult result = gate(scaled_run(1000), {"-q"});
  EXPECT_EQ(result.exit_code, 4);
  const std::vector<std::string> lines = lines_of(result.err);
  ASSERT_EQ(lines.size(), 2U) << result.err;
  EXPECT_TRUE(has(lines[0], "pp4"));
  EXPECT_TRUE(has(lines[1], "tg2, exact, threads 1"));
  for (const std::string& line : lines) EXPECT_TRUE(has(line, "SLOWER"));
  EXPECT_EQ(table_lines(result.out).size(), 4U);  // the table is printed all the same
}

TEST(BenchGate, PassesWhereASavedRunWasSlowerAndSaysSo) {
  const ChildResult result = gate(scaled_run(0.001), {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "synthetic:tiny"));
  EXPECT_TRUE(has(result.err, "pp4, threads 1"));
  EXPECT_TRUE(has(result.err, "faster"));
  EXPECT_TRUE(has(result.err, "passed, 2 of 2 rows"));
}

// A few repetitions at most can hardly tell; none is left out of what is saved.
TEST(BenchGate, MeasuresAgainWhatLooksSlower) {
  const ChildResult result = gate(scaled_run(1000), {"-o", "json"});
  EXPECT_TRUE(has(result.err, "measuring 2 of 2 rows again"));
  const Json saved = parse_json(result.out);
  for (const Json& row : saved.at("results")) {
    EXPECT_GE(row.at("tokens_per_second_samples").size(), 4U);
    EXPECT_EQ(row.at("tokens_per_second_samples").size(), row.at("processor_seconds_samples").size());
  }
}

TEST(BenchGate, NamesRowsThatOnlyOneRunHas) {
  Json run = scaled_run(0.001);
  run.at("results").at(1).at("test") = "tg3";
  const ChildResult result = gate(run, {});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_TRUE(has(result.err, "tg2, exact, threads 1  not compared: the saved run has no such row"));
  EXPECT_TRUE(has(result.err, "saved and not run now: synthetic:tiny "));
  EXPECT_TRUE(has(result.err, "threads 1, tg3, exact head"));
  EXPECT_EQ(lines_of(gate(run, {"-q"}).err).size(), 1U);
  // What was saved besides is no failure.
  run.at("results").push_back(scaled_run(0.001).at("results").at(1));
  EXPECT_EQ(gate(run, {}).exit_code, 0);
}

// Another head is another thing to decode with; prefill has next to nothing to do with it.
TEST(BenchGate, ComparesDecodingWithTheSameHead) {
  const ChildResult result = gate(scaled_run(0.001), {"-q", "--head", "screened"});
  EXPECT_EQ(result.exit_code, 4);
  const std::vector<std::string> lines = lines_of(result.err);
  ASSERT_EQ(lines.size(), 1U) << result.err;
  EXPECT_TRUE(has(lines[0], "tg2, screened, threads 1  not compared"));
}

TEST(BenchGate, NamesWhatKeepsRowsFromBeingCompared) {
  const std::vector<std::pair<const char*, Json>> of_a_row{
      {"kv_type", "f32"}, {"prefill_chunk", 7}, {"weights", "repack"}, {"pin", true}, {"model_bytes", 5}};
  for (const auto& [field, value] : of_a_row) {
    Json run = scaled_run(0.001);
    run.at("results").at(0).at(field) = value;
    const ChildResult result = gate(run, {"-q"});
    EXPECT_EQ(result.exit_code, 4) << field;
    EXPECT_TRUE(has(result.err, "pp4, threads 1"));
    EXPECT_TRUE(has(result.err, "not compared: saved with "));
  }
  // Of the whole run: known before anything is measured.
  Json run = scaled_run(0.001);
  run.at("machine").at("cpu") = "Other CPU";
  const TempFile other = file_with(run.dump());
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortBench, {"--gate", other.path()})), 3), "Other CPU"));
  run = scaled_run(0.001);
  run.at("machine").at("cores") = 640;
  const TempFile larger = file_with(run.dump());
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortBench, {"--gate", larger.path()})), 3), "640 cores"));
}

TEST(BenchGate, ToleratesWhatItIsToldTo) {
  EXPECT_EQ(gate(scaled_run(1000), {"--gate-tolerance", "99.9999"}).exit_code, 0);
}

// Versions before this one saved speeds alone.
TEST(BenchGate, ReadsRunsThatKnowNothingOfTheMachine) {
  Json run = scaled_run(0.001);
  for (Json& row : run.at("results")) {
    for (const char* field : {"processor_seconds_samples", "processor_wait_seconds_samples",
                              "read_bytes_per_second_samples", "int8_macs_per_second_samples"}) {
      row.erase(field);
    }
  }
  run.erase("program");
  run.erase("commit");
  EXPECT_EQ(gate(run, {}).exit_code, 0);
}

TEST(BenchGate, RefusesWhatIsNoSavedRun) {
  const auto changed = [](const std::function<void(Json&)>& change) {
    Json run = saved_run();
    change(run);
    return run.dump();
  };
  const auto in_row = [&](const char* field, const Json& value) {
    return changed([&](Json& run) { run.at("results").at(1).at(field) = value; });
  };
  const Args files{
      "",
      "no JSON",
      "[]",
      "{}",
      std::string(200000, '['),
      changed([](Json& run) { run["schema"] = "bitnet.other"; }),
      changed([](Json& run) { run["version"] = 2; }),
      changed([](Json& run) { run["version"] = "1"; }),
      changed([](Json& run) { run.erase("results"); }),
      changed([](Json& run) { run.erase("machine"); }),
      changed([](Json& run) { run["results"] = Json::array(); }),
      changed([](Json& run) {
        run["results"] = {1, 2};
      }),
      changed([](Json& run) { run.at("results").at(1).erase("test"); }),
      changed([](Json& run) { run.at("results").at(1).erase("head"); }),
      in_row("head", "exact"),
      in_row("threads", -1),
      in_row("threads", 1e300),
      in_row("tokens_per_second_samples", "fast"),
      in_row("tokens_per_second_samples", {0}),
      in_row("tokens_per_second_samples", {nullptr}),
      in_row("tokens_per_second_samples", Json::array()),
      in_row("tokens_per_second_samples", std::vector<double>(20000, 1)),
      in_row("processor_seconds_samples", {1}),
      in_row("read_bytes_per_second_samples", {-1, -1}),
      in_row("pin", 1),
      changed([](Json& run) {
        for (Json& row : run.at("results")) row.at("model") = "another";
      }),
  };
  for (const std::string& text : files) {
    const TempFile file = file_with(text);
    const std::string message = refusal(run_bitnet(with(kShortBench, {"--gate", file.path()})), 3);
    EXPECT_TRUE(has(message, file.path()));
  }
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortBench, {"--gate", ""})), 2), "--gate ''"));
  EXPECT_TRUE(
      has(refusal(run_bitnet(with(kShortBench, {"--gate", "/nowhere/run.json"})), 3), "/nowhere/run.json"));
}

}  // namespace
}  // namespace bitnet::test
