// The forms of trace_file.h, each by itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "base/output_file.h"
#include "diagnostics/trace_file.h"

namespace bitnet {

// `path` is the file's, `name` the same for messages. Throw ModelError.
std::unique_ptr<TraceSource> open_gguf_trace(const std::string& path, const std::string& name);
std::unique_ptr<TraceSource> open_npz_trace(MappedFile file, const std::string& name);
std::unique_ptr<TraceSource> open_json_trace(MappedFile file, const std::string& path,
                                             const std::string& name);

void write_gguf_trace(const Trace& trace, OutputFile& file);
void write_npz_trace(const Trace& trace, OutputFile& file);

// Numpy's and GGUF's name for it in a file, and GGUF's key.
inline constexpr std::string_view kTraceJsonName = "trace.json";
inline constexpr std::string_view kTraceKey = "bitnet.trace";

// What is said about a trace, as JSON, and back. parse throws ModelError when it is something else.
std::string trace_info_json(const TraceInfo& info);
TraceInfo parse_trace_info(std::string_view text, const std::string& name);

}  // namespace bitnet
