#include "cli/chat/chat_loop.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/draft_option.h"
#include "cli/options/model_options.h"
#include "cli/options/prompt_cache_option.h"
#include "cli/terminal/error_text.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"
#include "cli/terminal/prompt_progress.h"
#include "cli/terminal/text_writer.h"
#include "cli/terminal/thinking_text.h"
#include "cli/terminal/trimmed.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kMaxShownMessage = 400;
// A slash and a letter, on a line of its own: pasted code is no command, nor is a line that starts with a
// space.
bool is_command(std::string_view line) {
  if (line.size() < 2 || line[0] != '/' || line.find('\n') != std::string_view::npos) return false;
  return std::isalpha(static_cast<unsigned char>(line[1])) != 0 || trimmed(line) == "/?";
}

std::string tokens(std::size_t n) { return counted(n, "token"); }

std::string rate(std::size_t n, double seconds) {
  return n > 0 && seconds > 0 ? fmt::format(" ({:.1f}/s)", static_cast<double>(n) / seconds) : "";
}

}  // namespace

std::string counted(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

ChatLoop::ChatLoop(const Model& model, Session& session, Conversation& conversation, ChatForm form,
                   ChatManner manner)
    : model_(model),
      session_(session),
      conversation_(conversation),
      form_(form),
      manner_(std::move(manner)),
      sampler_(manner_.settings.sampler, model.info().vocab),
      prompt_cache_(make_prompt_cache(manner_.prompt_cache)) {}

ExitCode ChatLoop::run(LineSource& lines, const std::optional<std::string>& first) {
  bool warned = false;  // a second Ctrl-C in a row ends it
  // Nullopt while the talk goes on.
  const auto after_a_line = [&](Next next) -> std::optional<ExitCode> {
    warned = false;
    if (next == Next::end) return ExitCode::done;
    if (terminated() || (interrupted() && !manner_.interactive)) return ExitCode::interrupted;
    if (interrupted()) take_back_interrupt();
    return std::nullopt;
  };
  if (first && !trimmed(*first).empty()) {
    if (manner_.interactive) tell("> " + printable(*first, kMaxShownMessage));
    const Next next = guarded([&] { return take_turn(*first), Next::go_on; });
    if (const auto end = after_a_line(next)) return *end;
  }
  for (std::string line;;) {
    const LineSource::Event event = lines.next(line);
    if (terminated()) return ExitCode::interrupted;
    switch (event) {
      case LineSource::Event::end:
        return ExitCode::done;
      case LineSource::Event::interrupted:
        if (!manner_.interactive || warned) return ExitCode::interrupted;
        take_back_interrupt();
        tell("Ctrl-C again or Ctrl-D ends the conversation");
        warned = true;
        break;
      case LineSource::Event::abandoned:
        take_back_interrupt();
        warned = false;
        break;
      case LineSource::Event::line:
        if (const auto end = after_a_line(obey_or_say(line))) return *end;
        break;
    }
  }
}

// What goes wrong is said where someone can try again.
template <typename Act>
ChatLoop::Next ChatLoop::guarded(Act act) {
  if (!manner_.interactive) return act();
  try {
    return act();
  } catch (const ModelError& e) {
    log_error("{}", e.what());
  } catch (const UsageError& e) {
    log_error("{}", error_text(e));
  }
  return Next::go_on;
}

// Whoever types nothing but one of these words hardly means the model.
bool ChatLoop::hints_at_a_command(const std::string& line) const {
  constexpr std::string_view kWords[] = {"help", "exit", "quit", "bye"};
  if (!manner_.interactive || std::ranges::find(kWords, line) == std::end(kWords)) return false;
  tell(fmt::format("/{} is the command; to say it to the model, put a space before it", line));
  return true;
}

ChatLoop::Next ChatLoop::obey_or_say(const std::string& line) {
  if (trimmed(line).empty() || hints_at_a_command(line)) return Next::go_on;
  return guarded([&] {
    if (!is_command(line)) {
      take_turn(line);
      return Next::go_on;
    }
    const std::size_t end = std::min(line.find_first_of(kWhiteSpace), line.size());
    return obey(std::string_view(line).substr(1, end - 1),
                std::string(trimmed(std::string_view(line).substr(end))));
  });
}

void ChatLoop::take_turn(const std::optional<std::string>& message) {
  PromptProgress progress(manner_.quiet);
  TextWriter writer(manner_.wraps);
  ThinkingText out(writer, form_.thinking != Thinking::none);
  TurnOptions options;
  if (manner_.settings.max_tokens >= 0) {
    options.max_tokens = static_cast<std::size_t>(manner_.settings.max_tokens);
  }
  options.stop_strings = manner_.stop_strings;
  options.ignore_eos = manner_.ignore_eos;
  options.draft = manner_.draft;
  if (prompt_cache_) options.prompt_cache = &*prompt_cache_;
  options.keep_going = [] { return !interrupted(); };
  options.on_prompt = [&](double n_done, std::size_t n_tokens) { progress.update(n_done, n_tokens); };
  options.on_forget = [&](std::size_t n) {
    log_warn("the context of {} tokens is full: forgetting the oldest {}{}", session_.ctx_size(),
             counted(n, "turn"), conversation_.system().empty() ? "" : "; the system message stays");
  };
  const auto unless_interrupted = [](auto write) {
    if (interrupted()) return false;  // before a write that may have to wait for its reader
    try {
      write();
    } catch (const RuntimeError&) {
      if (!interrupted()) throw;
      return false;  // it was still waiting
    }
    return !interrupted();
  };
  const auto print = [&](std::string_view text) { return unless_interrupted([&] { out.write(text); }); };
  last_ = message ? conversation_.say(*message, sampler_, options, print)
                  : conversation_.say_again(sampler_, options, print);
  // Each answer ends its line, be it empty. One that was cut off has no end but for a person's eyes.
  const bool is_cut = last_->generation.reason == StopReason::interrupted;
  if (manner_.interactive || !is_cut) {
    out.finish();
    if (writer.last() != '\n') write_stdout("\n");
  }
  report(*last_);
}

void ChatLoop::report(const TurnResult& result) {
  const GenerateResult& g = result.generation;
  const std::size_t n_run = g.n_prompt - g.n_cached;
  log_debug("{} kept, {} run{}; answer {}{}; ended by {}", tokens(result.n_kept + g.n_cached), n_run,
            rate(n_run, g.prefill_seconds), tokens(g.tokens.size()), rate(g.n_decode_steps, g.decode_seconds),
            name_of(g.reason));
  log_drafts(g);
  log_prompt_cache(prompt_cache_);
  const std::size_t ctx_size = session_.ctx_size();
  switch (g.reason) {
    case StopReason::context_full: {
      const std::size_t most = model_.info().context_length;
      log_warn("the answer stopped because the context of {} tokens is full; the next turn makes room{}",
               ctx_size,
               ctx_size < most ? fmt::format(", and --ctx-size may be up to {}", most) : std::string());
      break;
    }
    case StopReason::max_tokens:
      log_info("the answer was cut after {}, as --max-tokens{} says", tokens(g.tokens.size()),
               manner_.interactive ? " or /set max-tokens" : "");
      break;
    case StopReason::interrupted:
      if (g.tokens.empty() && manner_.interactive) {
        log_info("stopped before there was an answer: what you said is taken back");
      }
      break;
    case StopReason::stop_token:
    case StopReason::stop_string:
      break;
  }
  log_profile(session_, "profile");
}

ChatLoop::Next ChatLoop::stats(const std::string& /*argument*/) {
  tell(fmt::format("context     {} of {} tokens; {}{}", conversation_.n_tokens(), session_.ctx_size(),
                   counted(conversation_.n_turns(), "turn"),
                   conversation_.system().empty() ? "" : " and a system message"));
  if (last_) {
    const GenerateResult& g = last_->generation;
    const std::size_t n_run = g.n_prompt - g.n_cached;
    tell(fmt::format("last turn   {} run{}, {} kept from before", tokens(n_run),
                     rate(n_run, g.prefill_seconds), last_->n_kept + g.n_cached));
    tell(fmt::format("answer      {}{}, ended by {}", tokens(g.tokens.size()),
                     rate(g.n_decode_steps, g.decode_seconds), name_of(g.reason)));
    if (g.draft.n_drafted > 0) {
      tell(fmt::format("drafts      {} of {} guessed tokens were right", g.draft.n_accepted,
                       g.draft.n_drafted));
    }
  }
  tell(fmt::format("memory      {:.1f} MiB at most, {:.1f} MiB reserved for the context",
                   to_mib(memory_use().peak_bytes), to_mib(session_.kv_bytes())));
  return Next::go_on;
}

}  // namespace bitnet::cli
