// What the user said in earlier conversations, for the line editor.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bitnet::cli {

// Kept in a file that several conversations may use at a time: a line for each message, as a JSON string. A
// history that cannot be kept is no reason to stop; it is said once, on stderr.
class InputHistory {
 public:
  static constexpr std::size_t kMaxEntries = 1000;

  // Without a path nothing is read or kept.
  explicit InputHistory(std::optional<std::string> path);

  const std::vector<std::string>& entries() const { return entries_; }  // oldest first, as found
  void add(const std::string& message);

 private:
  std::optional<std::string> path_;
  std::vector<std::string> entries_;
};

// $XDG_STATE_HOME/bitnet/chat_history, or the same under ~/.local/state; nullopt: the environment names
// neither.
std::optional<std::string> history_path();

}  // namespace bitnet::cli
