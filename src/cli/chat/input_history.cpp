#include "cli/chat/input_history.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {
namespace {

using HistoryJson = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{16} << 20;
constexpr std::size_t kMaxEntryBytes = 4096;  // a longer message was pasted, and would be again

// The last entries of the file; lines that are none are passed over.
std::vector<std::string> read_entries(const std::string& path) {
  std::vector<std::string> entries;
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kMaxFileBytes) return entries;
  std::ifstream file(path, std::ios::binary);
  for (std::string line; std::getline(file, line);) {
    const HistoryJson entry = HistoryJson::parse(line, nullptr, /*allow_exceptions=*/false);
    if (entry.is_string()) entries.push_back(entry.get<std::string>());
  }
  if (entries.size() > InputHistory::kMaxEntries) {
    entries.erase(entries.begin(), entries.end() - InputHistory::kMaxEntries);
  }
  return entries;
}

// For nobody else's eyes.
void make_directory(const fs::path& directory) {
  std::error_code error;
  if (fs::create_directories(directory, error)) {
    fs::permissions(directory, fs::perms::owner_all, fs::perm_options::replace, error);
  }
}

std::optional<std::string> variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value != '/') return std::nullopt;  // the XDG specification: others are ignored
  return value;
}

}  // namespace

InputHistory::InputHistory(std::optional<std::string> path) : path_(std::move(path)) {
  if (path_) entries_ = read_entries(*path_);
}

void InputHistory::add(const std::string& message) {
  if (!path_ || message.size() > kMaxEntryBytes) return;
  try {
    make_directory(fs::path(*path_).parent_path());
    std::vector<std::string> entries = read_entries(*path_);  // with what others added meanwhile
    if (!entries.empty() && entries.back() == message) return;
    entries.push_back(message);
    const std::size_t first = entries.size() > kMaxEntries ? entries.size() - kMaxEntries : 0;
    OutputFile file(*path_);
    for (std::size_t i = first; i < entries.size(); ++i) {
      file.write(HistoryJson(entries[i]).dump(-1, ' ', false, HistoryJson::error_handler_t::replace) + "\n");
    }
    file.commit();
  } catch (const Error& e) {
    log_warn("what you type is not remembered: {}", e.what());
    path_.reset();
  }
}

std::optional<std::string> history_path() {
  if (const auto state = variable("XDG_STATE_HOME")) return *state + "/bitnet/chat_history";
  if (const auto home = variable("HOME")) return *home + "/.local/state/bitnet/chat_history";
  return std::nullopt;
}

}  // namespace bitnet::cli
