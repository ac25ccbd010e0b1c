#include "cli/options/output_guard.h"

#include <array>
#include <fstream>
#include <optional>

#include "base/file_node.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/trace_file.h"
#include "gguf/split_names.h"

namespace bitnet::cli {
namespace {

bool is_file(const std::string& path, const FileNode& node) { return file_node(path) == node; }

// Parts stand beside each other under names that are alike but for a number.
bool is_part(const std::string& model, const FileNode& node) {
  constexpr std::size_t kDigits = 5;
  const std::size_t ending = gguf::parts_ending_of(model);
  if (ending == 0) return false;
  const std::string stem = model.substr(0, model.size() - ending);
  const std::uint64_t count =
      std::stoul(model.substr(model.size() - std::string_view(".gguf").size() - kDigits, kDigits));
  for (std::uint64_t i = 0; i < count; ++i) {
    if (is_file(stem + gguf::parts_ending(i, count), node)) return true;
  }
  return false;
}

// Its first bytes; nullopt where there is no regular file, or nothing in it.
std::optional<std::string> beginning_of(const std::string& path) {
  if (!file_node(path)) return std::nullopt;
  std::array<char, 4> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  if (file.gcount() == 0) return std::nullopt;
  return std::string(bytes.data(), static_cast<std::size_t>(file.gcount()));
}

constexpr std::string_view kNameAnother = "name another file, or remove it first";

[[noreturn]] void refuse_other(const std::string& output, std::string_view option, std::string_view kind,
                               std::string_view hint) {
  throw UsageError(std::string(option) + " " + printable(output, kMaxPrintedPath) +
                   " is there already and is no " + std::string(kind) + ": " + std::string(hint));
}

bool is_trace(const std::string& path) {
  if (!file_node(path)) return false;
  try {
    return open_trace(path) != nullptr;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void check_is_no_input(const std::string& output, std::string_view option,
                       std::span<const InputName> inputs) {
  const auto node = file_node(output);
  if (!node) return;
  for (const InputName& input : inputs) {
    if (input.path.empty() || !(is_file(input.path, *node) || is_part(input.path, *node))) continue;
    throw UsageError(std::string(option) + " " + printable(output, kMaxPrintedPath) + " is " +
                     std::string(input.what) + ": name another file");
  }
}

void check_replaces_json(const std::string& output, std::string_view option, std::string_view kind,
                         std::string_view hint) {
  const auto beginning = beginning_of(output);
  if (beginning && !beginning->starts_with('{')) refuse_other(output, option, kind, hint);
}

void check_replaces_no_model(const std::string& output, std::string_view option, std::string_view kind) {
  constexpr std::array<std::string_view, 3> kOthers{"GGUF", "PK", "bitn"};  // models, traces, caches
  const auto beginning = beginning_of(output);
  if (!beginning) return;
  for (const std::string_view other : kOthers) {
    if (beginning->starts_with(other)) refuse_other(output, option, kind, kNameAnother);
  }
}

void check_replaces_no_model_but_trace(const std::string& output, std::string_view option) {
  if (!is_trace(output)) check_replaces_no_model(output, option, "trace");
}

}  // namespace bitnet::cli
