// The measuring itself: what bitnet bench does between its command line and its report.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/bench_report.h"
#include "cli/options/model_options.h"
#include "cli/terminal/progress_line.h"
#include "model/synthetic/synthetic.h"

namespace bitnet::cli {

inline constexpr std::size_t kRepetitions = 5;
inline constexpr std::size_t kGateRepetitions = 10;  // of five too little can be told

struct BenchOptions {
  std::string model;
  std::vector<std::string> synthetic;
  KvType kv_type = KvType::f16;
  ActivationType activations = ActivationType::automatic;

  std::vector<std::size_t> prompt{512};
  std::vector<std::size_t> generate{128};
  std::vector<std::size_t> depth{0};
  std::vector<std::size_t> sequences{1};  // that decode together
  std::vector<bool> is_quoted{false};     // the texts of decode tests
  std::vector<DraftOptions> drafts{{.max_tokens = 0}};
  std::optional<std::size_t> repetitions;  // none: kRepetitions, with a gate kGateRepetitions

  std::vector<unsigned> threads{0};
  std::vector<std::string> backends{"auto"};
  std::size_t prefill_chunk = SessionOptions{}.prefill_chunk;

  ReportFormat format = ReportFormat::md;
  std::optional<std::string> gate;
  double gate_tolerance = 5;  // per cent

  bool quiet = false;
  bool verbose = false;
  bool profile = false;
  bool pin = false;
  WeightMemory weights = WeightMemory::mmap;
  SparseMode sparse = SparseMode::automatic;
  std::vector<HeadChoice> heads{{}};
};

// What is to be measured: a file, a shape, or neither for the built-in model.
struct BenchSource {
  std::string label;  // as it stands in the results
  std::string path;
  std::optional<SyntheticShape> shape;
};

// Fills the rows of one model, which stand together and in the order of the options, or adds to what they
// hold of an earlier call. Rows that differ in the head alone are measured in turns, one repetition of each
// after the other: the machine's moods are then the same for all. False when interrupted.
bool measure_model(const BenchSource& source, const BenchOptions& o, ProgressLine& progress,
                   std::vector<BenchRow>& rows);

}  // namespace bitnet::cli
