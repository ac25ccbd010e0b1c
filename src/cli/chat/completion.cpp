#include "cli/chat/completion.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cli/chat/chat_file.h"
#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 10000;  // of a directory that are looked at: a key is to act at once

std::string_view common_front(std::string_view a, std::string_view b) {
  const auto at = std::ranges::mismatch(a, b).in1;
  const std::string_view front = a.substr(0, static_cast<std::size_t>(at - a.begin()));
  return front.substr(0, well_formed_prefix(front));
}

bool fits_a_line(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return is_utf8(name) && std::ranges::none_of(name, is_control);
}

}  // namespace

Completion complete_from(std::vector<std::string> words, std::string_view typed) {
  std::erase_if(words, [&](const std::string& word) { return !word.starts_with(typed); });
  if (words.empty()) return {};
  std::ranges::sort(words);
  std::string_view front = words.front();
  for (const std::string& word : words) front = common_front(front, word);
  Completion completion{std::string(front.substr(std::min(typed.size(), front.size()))), {}};
  if (words.size() > 1) completion.choices = std::move(words);
  return completion;
}

Completion complete_file(std::string_view typed) {
  const std::size_t slash = typed.rfind('/');
  const std::string directory(typed.substr(0, slash + 1));  // npos + 1 is 0
  const std::string_view front = typed.substr(directory.size());
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(directory.empty() ? "." : path_of(directory), error);
  for (std::size_t n = 0; !error && entry != fs::directory_iterator() && n < kMaxEntries; ++n) {
    std::string name = entry->path().filename().string();
    const bool is_hidden = name.starts_with('.') && !front.starts_with('.');
    if (!is_hidden && name.starts_with(front) && fits_a_line(name)) {
      std::error_code unknown;
      if (entry->is_directory(unknown)) name += '/';
      names.push_back(std::move(name));
    }
    entry.increment(error);
  }
  return complete_from(std::move(names), front);
}

}  // namespace bitnet::cli
