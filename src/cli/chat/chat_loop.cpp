#include "cli/chat/chat_loop.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/chat/chat_file.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

std::string trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  return std::string(text.substr(0, text.find_last_not_of(kWhiteSpace) + 1));  // npos + 1 is 0
}

// A slash and a letter, on a line of its own: pasted code is no command, nor is a line that starts with a
// space.
bool is_command(std::string_view line) {
  return line.size() > 1 && line[0] == '/' && std::isalpha(static_cast<unsigned char>(line[1])) != 0 &&
         line.find('\n') == std::string_view::npos;
}

std::string counted(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string turns(std::size_t n) { return counted(n, "turn"); }
std::string tokens(std::size_t n) { return counted(n, "token"); }

std::string rate(std::size_t n, double seconds) {
  return n > 0 && seconds > 0 ? fmt::format(" ({:.1f}/s)", static_cast<double>(n) / seconds) : "";
}

}  // namespace

struct ChatLoop::Command {
  std::string_view name;
  std::string_view argument;  // for the help; empty: takes none
  std::string_view help;
  Next (ChatLoop::*obey)(const std::string& argument);
};

const ChatLoop::Command ChatLoop::kCommands[] = {
    {"help", "", "this list", &ChatLoop::help},
    {"system", "[TEXT]", "shows the system message, or sets it; - for none", &ChatLoop::system},
    {"clear", "", "forgets everything but the system message", &ChatLoop::clear},
    {"regen", "", "answers the last message again", &ChatLoop::again},
    {"save", "FILE", "writes the conversation to a file", &ChatLoop::save},
    {"load", "FILE", "goes on with a conversation from a file", &ChatLoop::load},
    {"stats", "", "what the context holds, and how fast it went", &ChatLoop::stats},
    {"exit", "", "ends the conversation, as Ctrl-D does", &ChatLoop::exit},
};

ChatLoop::ChatLoop(const Model& model, Session& session, Conversation& conversation,
                   ChatTemplate chat_template, Sampler& sampler, bool interactive)
    : model_(model),
      session_(session),
      conversation_(conversation),
      template_(chat_template),
      sampler_(sampler),
      interactive_(interactive) {}

ExitCode ChatLoop::run(LineSource& lines) {
  bool warned = false;  // a second Ctrl-C in a row ends it
  for (std::string line;;) {
    const LineSource::Event event = lines.next(line);
    if (terminated()) return ExitCode::interrupted;
    switch (event) {
      case LineSource::Event::end:
        return ExitCode::done;
      case LineSource::Event::interrupted:
        if (!interactive_ || warned) return ExitCode::interrupted;
        take_back_interrupt();
        tell("Ctrl-C again or Ctrl-D ends the conversation");
        warned = true;
        break;
      case LineSource::Event::abandoned:
        take_back_interrupt();
        warned = false;
        break;
      case LineSource::Event::line:
        warned = false;
        if (obey_or_say(line) == Next::end) return ExitCode::done;
        if (terminated() || (interrupted() && !interactive_)) return ExitCode::interrupted;
        if (interrupted()) take_back_interrupt();
        break;
    }
  }
}

ChatLoop::Next ChatLoop::obey_or_say(const std::string& line) {
  if (trimmed(line).empty()) return Next::go_on;
  const auto act = [&] {
    if (!is_command(line)) {
      take_turn(line);
      return Next::go_on;
    }
    const std::size_t end = std::min(line.find_first_of(kWhiteSpace), line.size());
    return obey(std::string_view(line).substr(1, end - 1), trimmed(std::string_view(line).substr(end)));
  };
  if (!interactive_) return act();
  try {
    return act();
  } catch (const ModelError& e) {
    spdlog::error("{}", e.what());
  } catch (const UsageError& e) {
    spdlog::error("{}", e.what());
  }
  return Next::go_on;
}

ChatLoop::Next ChatLoop::obey(std::string_view name, const std::string& argument) {
  const Command* const end = std::end(kCommands);
  const Command* const command =
      std::find_if(kCommands, end, [&](const Command& c) { return c.name == name; });
  if (command == end) {
    throw UsageError("/" + printable(name, kMaxPrintedName) +
                     " is no command; /help lists them, and a space before the slash makes it a message");
  }
  if (command->argument.empty() && !argument.empty()) {
    throw UsageError("/" + std::string(name) + " takes no argument; see /help");
  }
  if (command->argument == "FILE" && argument.empty()) {
    throw UsageError("/" + std::string(name) + " needs the name of a file: /" + std::string(name) + " FILE");
  }
  return (this->*command->obey)(argument);
}

void ChatLoop::take_turn(const std::optional<std::string>& message) {
  TurnOptions options;
  options.max_tokens = max_tokens_;
  options.keep_going = [] { return !interrupted(); };
  options.on_forget = [&](std::size_t n) {
    spdlog::warn("the context of {} tokens is full: forgetting the oldest {}{}", session_.ctx_size(),
                 turns(n), conversation_.system().empty() ? "" : "; the system message stays");
  };
  char last = '\0';
  const auto print = [&](std::string_view text) {
    if (interrupted()) return false;  // before a write that may have to wait for its reader
    try {
      write_stdout(text);
    } catch (const RuntimeError&) {
      if (!interrupted()) throw;
      return false;  // it was still waiting
    }
    last = text.back();
    return !interrupted();
  };
  last_ = message ? conversation_.say(*message, sampler_, options, print)
                  : conversation_.say_again(sampler_, options, print);
  // Each answer ends its line, be it empty. One that was cut off has no end but for a person's eyes.
  const bool is_cut = last_->generation.reason == StopReason::interrupted;
  if (last != '\n' && (interactive_ || !is_cut)) write_stdout("\n");
  report(*last_);
}

void ChatLoop::report(const TurnResult& result) const {
  const GenerateResult& g = result.generation;
  spdlog::debug("{} kept, {} run{}; answer {}{}; ended by {}", tokens(result.n_kept), g.n_prompt,
                rate(g.n_prompt, g.prefill_seconds), tokens(g.tokens.size()),
                rate(g.n_decode_steps, g.decode_seconds), name_of(g.reason));
  if (g.reason == StopReason::context_full) {
    spdlog::warn("the answer stopped because the context of {} tokens is full; the next turn makes room",
                 session_.ctx_size());
  }
}

ChatLoop::Next ChatLoop::help(const std::string& /*argument*/) {
  for (const Command& c : kCommands) {
    const std::string name = fmt::format("/{} {}", c.name, c.argument);
    tell(fmt::format("{:<16} {}", name, c.help));
  }
  if (interactive_) {
    tell("");
    tell("Alt-Enter breaks the line. Text of several lines can be pasted as one message.");
  }
  return Next::go_on;
}

ChatLoop::Next ChatLoop::system(const std::string& text) {
  if (text.empty()) {
    const std::string_view now = conversation_.system();
    tell(now.empty() ? "no system message" : now);
  } else {
    conversation_.set_system(text == "-" ? "" : text);
  }
  return Next::go_on;
}

ChatLoop::Next ChatLoop::clear(const std::string& /*argument*/) {
  conversation_.clear();
  return Next::go_on;
}

ChatLoop::Next ChatLoop::again(const std::string& /*argument*/) {
  take_turn(std::nullopt);
  return Next::go_on;
}

ChatLoop::Next ChatLoop::save(const std::string& path) {
  try {
    save_chat(path, model_.info().file, template_, conversation_.messages());
  } catch (const RuntimeError& e) {
    if (!interactive_) throw;
    spdlog::error("{}", e.what());
    return Next::go_on;
  }
  spdlog::info("saved {} to {}", turns(conversation_.n_turns()), printable(path, kMaxPrintedPath));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::load(const std::string& path) {
  std::vector<Message> messages = load_chat(path);
  try {
    conversation_.restore(std::move(messages));
  } catch (const UsageError& e) {
    throw ModelError(printable(path, kMaxPrintedPath), e.what());  // the file is what is wrong
  }
  spdlog::info("loaded {} from {}", turns(conversation_.n_turns()), printable(path, kMaxPrintedPath));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::stats(const std::string& /*argument*/) {
  tell(fmt::format("context     {} of {} tokens; {}{}", conversation_.n_tokens(), session_.ctx_size(),
                   turns(conversation_.n_turns()),
                   conversation_.system().empty() ? "" : " and a system message"));
  if (last_) {
    const GenerateResult& g = last_->generation;
    tell(fmt::format("last turn   {} run{}, {} kept from before", tokens(g.n_prompt),
                     rate(g.n_prompt, g.prefill_seconds), last_->n_kept));
    tell(fmt::format("answer      {}{}, ended by {}", tokens(g.tokens.size()),
                     rate(g.n_decode_steps, g.decode_seconds), name_of(g.reason)));
  }
  tell(fmt::format("memory      {:.1f} MiB at most, {:.1f} MiB reserved for the context",
                   to_mib(memory_use().peak_bytes), to_mib(session_.kv_bytes())));
  return Next::go_on;
}

ChatLoop::Next ChatLoop::exit(const std::string& /*argument*/) { return Next::end; }

}  // namespace bitnet::cli
