// A model file under examination: what is in it, whether it is healthy, and what the engine makes of it. Made
// for files that would not load, too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/i2s/layout_judge.h"
#include "model/inspect/tensor_statistics.h"

namespace bitnet {

enum class FindingLevel : std::uint8_t {
  ok,
  note,     // worth knowing; nothing is wrong
  warning,  // unusual: the text may suffer
  error,    // this file is refused, or would give wrong text
};
std::string_view name_of(FindingLevel level);

struct Finding {
  FindingLevel level = FindingLevel::ok;
  std::string topic;    // one word or two; the same for the same kind of finding
  std::string what;     // was found
  std::string meaning;  // of it, and what the engine does about it
  std::string advice;   // what the user should do; empty: nothing
};

struct TensorSummary {
  std::string name;                     // safe to print
  std::array<std::uint64_t, 4> dims{};  // of values
  std::uint32_t n_dims = 0;
  std::uint32_t type_id = 0;
  std::string type;                 // "I2_S"; "type 77" for what nobody knows
  std::string unread;               // why it is not; empty: it is, or the file is damaged
  bool has_codes = false;           // of one or two bits, in blocks or rows that have a scale each
  std::optional<double> zero_rate;  // of ternary tensors, I2_S or in blocks
  std::uint64_t bytes = 0;          // of its data; 0 in a damaged file
  std::optional<float> scale;       // of ternary tensors
  CodeCounts codes;                 // of ternary tensors; empty otherwise
  std::optional<ValueRange> range;  // of the others that are read
  std::uint64_t n_shrunk = 0;       // values that ternary ones were rounded to, and that are too small
};

struct KeySummary {
  std::string name;   // safe to print
  std::string type;   // "u32", "array of strings"
  std::string value;  // cut
};

struct Inspection {
  std::string file;
  std::uint64_t file_bytes = 0;    // of all parts of a split model
  std::size_t n_files = 1;         // parts
  std::uint64_t n_parameters = 0;  // elements of all tensors
  std::uint32_t gguf_version = 0;
  std::uint64_t alignment = 0;
  std::string name;          // general.name
  std::string architecture;  // general.architecture
  std::vector<KeySummary> keys;
  std::vector<TensorSummary> tensors;
  bool is_parsed = false;   // what stands above beyond the name is known
  bool is_damaged = false;  // the header is cut or contradicts itself: no tensor was looked into
  std::optional<HiddenActInfo> hidden_act;  // nullopt for a file that is refused
  std::optional<I2sInfo> i2s;               // likewise
  LayoutJudge layout;                       // without pairs where there is nothing to judge by
  std::vector<Finding> findings;
  std::optional<std::string> refusal;  // the loader's message; nullopt: it takes the file

  // No finding is an error.
  bool is_usable() const;
  // Bytes that are no tensor's data: header, and gaps that align the data; 0 in a damaged file.
  std::uint64_t other_bytes() const;
  void add(FindingLevel level, std::string topic, std::string what, std::string meaning,
           std::string advice = {});
};

// Where the file is: on disk, or in memory (aligned to 64) under a name.
struct InspectionSource {
  std::string path;
  std::span<const std::byte> bytes;  // used instead of the path if not empty
};

// Loads it. Throws as Model::load does.
Model load(const InspectionSource& source, const LoadOptions& options);

// Never throws for what is in the file; RuntimeError when threads or memory cannot be had. Now and then it
// calls on_progress, on the calling thread, and ends early on false.
Inspection inspect(const InspectionSource& source, unsigned n_threads,
                   const std::function<bool(double fraction)>& on_progress = {});

}  // namespace bitnet
