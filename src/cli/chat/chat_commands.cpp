// The commands of a conversation, but for /stats.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/nearest_name.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/chat/chat_file.h"
#include "cli/chat/chat_loop.h"
#include "cli/options/template_option.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kFile = "FILE";
constexpr std::size_t kFirstLines = 4;  // of each message of the exchange that /load shows
constexpr std::size_t kAnyLines = static_cast<std::size_t>(-1);
constexpr std::size_t kMaxShownLine = 2000;

std::string turns(std::size_t n) { return counted(n, "turn"); }

// A message may come from anybody's file: nothing in it reaches the terminal as a command.
void tell_text(std::string_view text, std::string_view mark = "", std::size_t n_lines = kAnyLines) {
  for (std::size_t n = 0; n == 0 || !text.empty(); ++n) {
    if (n == n_lines) return tell("...");
    const std::size_t end = std::min(text.find('\n'), text.size());
    tell((n == 0 ? std::string(mark) : std::string(mark.size(), ' ')) +
         printable(text.substr(0, end), kMaxShownLine));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void tell_message(const Message& message, std::size_t n_lines = kAnyLines) {
  constexpr std::string_view kMarks[] = {"system: ", "> ", ""};  // as of Role
  tell_text(message.content, kMarks[static_cast<std::size_t>(message.role)], n_lines);
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace

struct ChatLoop::Command {
  std::string_view name;
  std::string_view argument;  // for the help; empty: takes none
  std::string_view help;
  Next (ChatLoop::*obey)(const std::string& argument);
};

const ChatLoop::Command ChatLoop::kCommands[] = {
    {"help", "", "this list; so does /?", &ChatLoop::help},
    {"system", "[TEXT]", "shows the system message, or sets it; - for none", &ChatLoop::system},
    {"clear", "", "forgets everything but the system message", &ChatLoop::clear},
    {"regen", "", "answers the last message again", &ChatLoop::again},
    {"undo", "", "takes back the last message and its answer", &ChatLoop::undo},
    {"show", "", "the conversation so far", &ChatLoop::show},
    {"set", "[NAME VALUE]", "shows the settings, or changes one: /set temp 0.3", &ChatLoop::set},
    {"think", "[on|off]", "whether the next answers are thought about first", &ChatLoop::think},
    {"save", kFile, "writes the conversation to a file", &ChatLoop::save},
    {"load", kFile, "goes on with a conversation from a file", &ChatLoop::load},
    {"stats", "", "what the context holds, and how fast it went", &ChatLoop::stats},
    {"exit", "", "ends the conversation, as /quit, /bye and Ctrl-D do", &ChatLoop::exit},
};

namespace {

std::string_view command_of(std::string_view name) {
  if (name == "?") return "help";
  if (name == "quit" || name == "bye") return "exit";
  return name;
}

}  // namespace

std::vector<std::string> ChatLoop::command_names() {
  std::vector<std::string> names{"quit", "bye"};
  for (const Command& c : kCommands) names.emplace_back(c.name);
  return names;
}

Completion ChatLoop::complete(std::string_view line) {
  if (!line.starts_with('/')) return {};
  const std::string_view name = line.substr(1, line.find(' ') - 1);
  if (name.size() + 1 == line.size()) {
    Completion completion = complete_from(command_names(), name);
    const std::string whole = std::string(name) + completion.insert;
    const auto* const command = std::ranges::find(kCommands, whole, &Command::name);
    const bool takes_more = command != std::end(kCommands) && !command->argument.empty();
    if (takes_more && completion.choices.empty()) completion.insert += ' ';
    for (std::string& choice : completion.choices) choice.insert(0, 1, '/');
    return completion;
  }
  std::string_view argument = line.substr(name.size() + 2);
  argument.remove_prefix(std::min(argument.find_first_not_of(' '), argument.size()));
  const auto* const command = std::ranges::find(kCommands, name, &Command::name);
  if (command == std::end(kCommands)) return {};
  if (command->argument == kFile) return complete_file(argument);
  if (name != "set" || argument.find(' ') != std::string_view::npos) return {};
  Completion completion = complete_from(setting_names(), argument);
  if (completion.choices.empty() && !completion.insert.empty()) completion.insert += ' ';
  return completion;
}

ChatLoop::Next ChatLoop::obey(std::string_view name, const std::string& argument) {
  const auto* const command = std::ranges::find(kCommands, command_of(name), &Command::name);
  const std::string shown = "/" + printable(name, kMaxPrintedName);
  if (command == std::end(kCommands)) {
    const std::vector<std::string> names = command_names();
    const std::string meant(nearest_name(name, names));
    throw UsageError(shown + " is no command" + (meant.empty() ? "" : "; did you mean /" + meant + "?") +
                     (manner_.interactive ? " /help lists them" : "; /help lists them") +
                     ", and a space before the slash makes it a message");
  }
  if (command->argument.empty() && !argument.empty()) {
    throw UsageError(shown + " takes no argument; see /help");
  }
  if (command->argument == kFile && argument.empty()) {
    throw UsageError(shown + " needs the name of a file: " + shown + " FILE");
  }
  return (this->*command->obey)(argument);
}

ChatLoop::Next ChatLoop::help(const std::string& /*argument*/) {
  for (const Command& c : kCommands) {
    const std::string name = fmt::format("/{} {}", c.name, c.argument);
    tell(fmt::format("{:<18} {}", name, c.help));
  }
  if (manner_.interactive) {
    tell("");
    tell("Tab completes commands and file names, Ctrl-C stops an answer, Alt-Enter breaks");
    tell("the line. Text of several lines can be pasted as one message.");
  }
  return Next::go_on;
}

ChatLoop::Next ChatLoop::system(const std::string& text) {
  if (text.empty()) {
    const std::string_view now = conversation_.system();
    tell_text(now.empty() ? "no system message" : now);
    return Next::go_on;
  }
  conversation_.set_system(text == "-" ? "" : text);
  log_info("{} from the next answer on", text == "-" ? "no system message" : "a new system message");
  return Next::go_on;
}

ChatLoop::Next ChatLoop::clear(const std::string& /*argument*/) {
  const std::size_t n = conversation_.n_turns();
  conversation_.clear();
  log_info("forgot {}{}", turns(n), conversation_.system().empty() ? "" : "; the system message stays");
  return Next::go_on;
}

ChatLoop::Next ChatLoop::again(const std::string& /*argument*/) {
  take_turn(std::nullopt);
  return Next::go_on;
}

ChatLoop::Next ChatLoop::undo(const std::string& /*argument*/) {
  std::vector<Message> messages = conversation_.messages();
  if (!messages.empty() && messages.back().role == Role::assistant) messages.pop_back();
  if (messages.empty() || messages.back().role != Role::user) {
    throw UsageError("there is nothing yet that could be taken back");
  }
  messages.pop_back();
  conversation_.restore(std::move(messages));
  log_info("took back the last turn; {} left", turns(conversation_.n_turns()));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::show(const std::string& /*argument*/) {
  if (conversation_.messages().empty()) tell("nothing has been said");
  for (const Message& message : conversation_.messages()) tell_message(message);
  return Next::go_on;
}

ChatLoop::Next ChatLoop::set(const std::string& what) {
  if (what.empty()) {
    for (const std::string& line : describe(manner_.settings)) tell(line);
    return Next::go_on;
  }
  const std::size_t space = std::min(what.find_first_of(" \t="), what.size());
  const std::size_t value = std::min(what.find_first_not_of(" \t=", space), what.size());
  const std::string name = what.substr(0, space);
  if (value == what.size()) throw UsageError("/set " + printable(name, kMaxPrintedName) + " needs a value");
  ChatSettings changed = manner_.settings;
  change(changed, name, what.substr(value));
  sampler_ = Sampler(changed.sampler, model_.info().vocab);  // which refuses what is out of range
  manner_.settings = changed;
  log_info("{} is now {}", name, what.substr(value));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::think(const std::string& how) {
  if (how.empty()) {
    const std::string_view name = think_name(form_.thinking);
    tell(name.empty() ? "this model's template knows no thinking" : "think is " + std::string(name));
    return Next::go_on;
  }
  form_.thinking = find_thinking(form_.chat_template, parse_think(how, "/think"), model_);
  conversation_.set_thinking(form_.thinking);
  log_info("think is {} from the next answer on", think_name(form_.thinking));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::save(const std::string& typed) {
  const std::string path = path_of(typed);
  bool replaced = false;
  try {
    replaced = save_chat(path, model_.info().file, form_.chat_template, conversation_.messages());
  } catch (const RuntimeError& e) {
    if (!manner_.interactive) throw;
    log_error("{}", e.what());
    return Next::go_on;
  }
  log_info("saved {} to {}{}", turns(conversation_.n_turns()), printable(path, kMaxPrintedPath),
           replaced ? ", in place of the conversation that was there" : "");
  return Next::go_on;
}

ChatLoop::Next ChatLoop::load(const std::string& typed) {
  const std::string path = path_of(typed);
  SavedChat chat = load_chat(path);
  try {
    conversation_.restore(std::move(chat.messages));
  } catch (const UsageError& e) {
    throw ModelError(printable(path, kMaxPrintedPath), e.what());  // the file is what is wrong
  }
  log_info("loaded {}{} from {}", turns(conversation_.n_turns()),
           conversation_.system().empty() ? "" : " and a system message", printable(path, kMaxPrintedPath));
  // By name: the file may lie elsewhere today.
  if (!chat.model.empty() && file_name(chat.model) != file_name(model_.info().file)) {
    log_warn("it was held with another model, {}", printable(chat.model, kMaxPrintedPath));
  }
  if (!chat.chat_template.empty() && chat.chat_template != name_of(form_.chat_template)) {
    log_warn("it was held in another template, {}; this goes on in {}",
             printable(chat.chat_template, kMaxPrintedName), name_of(form_.chat_template));
  }
  if (!manner_.interactive || manner_.quiet) return Next::go_on;
  const std::vector<Message>& messages = conversation_.messages();
  const std::size_t n_last = conversation_.n_turns() == 0              ? 0
                             : messages.back().role == Role::assistant ? 2
                                                                       : 1;
  if (conversation_.n_turns() > 1) tell("...");
  for (std::size_t i = messages.size() - n_last; i < messages.size(); ++i) {
    tell_message(messages[i], kFirstLines);
  }
  return Next::go_on;
}

ChatLoop::Next ChatLoop::exit(const std::string& /*argument*/) { return Next::end; }

}  // namespace bitnet::cli
