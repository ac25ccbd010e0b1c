#include "cli/terminal/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "cli/terminal/cell_width.h"
#include "cli/terminal/progress_line.h"
#include "cli/terminal/word_wrap.h"

namespace bitnet::cli {
namespace {

// A message takes the place of the progress line, which comes back with the next step.
class StderrSink : public spdlog::sinks::stderr_color_sink_st {
  using Base = spdlog::sinks::stderr_color_sink_st;

 public:
  using Base::Base;
  void log(const spdlog::details::log_msg& message) override {
    erase_progress_line();
    Base::log(message);
  }
};

}  // namespace

bool no_color() {
  const char* value = std::getenv("NO_COLOR");
  return value != nullptr && *value != '\0';
}

void start_logging() {
  const auto mode = no_color() ? spdlog::color_mode::never : spdlog::color_mode::automatic;
  auto logger = std::make_shared<spdlog::logger>("bitnet", std::make_shared<StderrSink>(mode));
  logger->set_pattern("%^%l%$: %v");
  logger->set_level(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void log_formatted(LogLevel level, fmt::string_view text, fmt::format_args arguments) {
  const auto as_spdlog_has_it = [level] {
    switch (level) {
      case LogLevel::debug:
        return spdlog::level::debug;
      case LogLevel::info:
        return spdlog::level::info;
      case LogLevel::warning:
        return spdlog::level::warn;
      case LogLevel::error:
        break;
    }
    return spdlog::level::err;
  }();
  if (spdlog::should_log(as_spdlog_has_it)) {
    spdlog::default_logger_raw()->log(as_spdlog_has_it, fmt::vformat(text, arguments));
  }
}

void set_verbosity(bool quiet, bool verbose) {
  spdlog::set_level(quiet ? spdlog::level::err : verbose ? spdlog::level::debug : spdlog::level::info);
}

namespace {

// Broken between words where the terminal ends, if it is one.
std::string fit_to_stderr(std::string_view line) {
  winsize size{};
  std::string text;
  if (::isatty(STDERR_FILENO) == 0 || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return text += line;
  choose_locale();
  WordWrap wrap;
  wrap.push(line, size.ws_col, text);
  wrap.finish(text);
  return text;
}

}  // namespace

void tell(std::string_view line) {
  static const std::unique_ptr<spdlog::logger> logger = [] {
    auto plain = std::make_unique<spdlog::logger>("tell", std::make_shared<spdlog::sinks::stderr_sink_st>());
    plain->set_pattern("%v");
    return plain;
  }();
  erase_progress_line();
  logger->info("{}", fit_to_stderr(line));
}

}  // namespace bitnet::cli
