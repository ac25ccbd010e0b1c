// Traces in files, our own and those that other engines' dumps are brought to:
//
//   .npz        numpy's archive: an array for each tensor under its name, f2, f4 or f8, the position first;
//   int32 arrays "ids" and "greedy", and "greedy_margin". numpy.savez writes it. .gguf       a tensor for
//   each, F32, F16 or BF16 .json       {"ids": [...], "tensors": [{"name", "shape", "offset"}]}, the values
//   beside it in a file of
//               the same name ending in .f32: little-endian float32, row-major, at these offsets
//
// What is said about a trace stands in JSON of one form: the .json file itself, the member trace.json of an
// .npz, the key bitnet.trace of a .gguf. All of it may be missing from an .npz or .gguf:
//
//   schema, version       "bitnet.trace", 1; only in what this program writes
//   model                 file, or the built-in model's name
//   program, commit       that wrote it
//   backend, kv_type, activations, hidden_act, i2s_layout, head
//   ids                   of the tokens that were run
//   greedy                the likeliest token at each step of a continuation
//   greedy_margin         between the best two logits at each of these steps
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/output_file.h"
#include "diagnostics/trace.h"

namespace bitnet {

// A trace whose values are read when they are asked for, a row at a time.
class TraceSource {
 public:
  TraceSource() = default;
  TraceSource(const TraceSource&) = delete;
  TraceSource& operator=(const TraceSource&) = delete;
  virtual ~TraceSource() = default;

  const std::string& name() const { return name_; }  // of the file, fit for a message
  const TraceInfo& info() const { return info_; }
  std::span<const TraceTensor> tensors() const { return tensors_; }

  // Gives the next row of a tensor, [cols], at each call, as often as there are rows. The source must outlive
  // it. Throws ModelError when the file turns out to be damaged.
  using Rows = std::function<void(std::span<float> row)>;
  virtual Rows rows(std::size_t tensor) const = 0;

 protected:
  // Adds a tensor of a file; `dims`, the outermost first, become positions and values of one position.
  // Refuses a name that is there already, and shapes without elements or beyond any model's.
  void add_tensor(const std::string& tensor, std::span<const std::uint64_t> dims);

  std::string name_;
  TraceInfo info_;
  std::vector<TraceTensor> tensors_;

 private:
  std::unordered_set<std::string> names_;
};

// In any of these forms, whatever the file is called. Throws ModelError when it is refused.
std::unique_ptr<TraceSource> open_trace(const std::string& path);
// One that is in memory; it must outlive the source.
std::unique_ptr<TraceSource> view_trace(const Trace& trace, std::string name);

enum class TraceForm : std::uint8_t { npz, gguf };
// What the end of a file's name asks for. Throws UsageError when it is neither.
TraceForm trace_form_of(const std::string& path);
// The whole file; committing it is the caller's. Throws RuntimeError when it cannot be written.
void write_trace(const Trace& trace, TraceForm form, OutputFile& file);

}  // namespace bitnet
