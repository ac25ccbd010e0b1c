// Outputs that must not take the place of what somebody needs.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitnet::cli {

// What a command reads, as messages name it: "the model". An empty path is none.
struct InputName {
  std::string path;
  std::string_view what;
};

// Throws UsageError where the output is one of them or, of a split model, one of its parts. `option` is for
// messages: "--receipt".
void check_is_no_input(const std::string& output, std::string_view option, std::span<const InputName> inputs);

// What stands at a place already may be replaced if it is empty or a JSON object; if it is no model, trace or
// cache; if it is no model or cache. Throw UsageError. kind: what it is not, as in "receipt"; hint: what to
// do.
void check_replaces_json(const std::string& output, std::string_view option, std::string_view kind,
                         std::string_view hint);
void check_replaces_no_model(const std::string& output, std::string_view option, std::string_view kind);
void check_replaces_no_model_but_trace(const std::string& output, std::string_view option);

}  // namespace bitnet::cli
