// stderr: everything that is not the result.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string_view>

namespace bitnet::cli {

// The user wants no colour: NO_COLOR is set and not empty (https://no-color.org).
bool no_color();
// Before anything is logged: "LEVEL: text" lines, coloured on a terminal unless NO_COLOR is set.
void start_logging();
// quiet leaves errors only; verbose adds detail. Quiet wins.
void set_verbosity(bool quiet, bool verbose);

enum class LogLevel { debug, info, warning, error };

// What is formatted is formatted in log.cpp: spdlog's own functions would build fmt's formatter into every
// file.
void log_formatted(LogLevel level, fmt::string_view text, fmt::format_args arguments);

template <typename... Args>
void log_line(LogLevel level, fmt::format_string<Args...> text, Args&&... arguments) {
  log_formatted(level, text, fmt::make_format_args(arguments...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... arguments) {
  log_formatted(LogLevel::debug, text, fmt::make_format_args(arguments...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> text, Args&&... arguments) {
  log_formatted(LogLevel::info, text, fmt::make_format_args(arguments...));
}
template <typename... Args>
void log_warn(fmt::format_string<Args...> text, Args&&... arguments) {
  log_formatted(LogLevel::warning, text, fmt::make_format_args(arguments...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> text, Args&&... arguments) {
  log_formatted(LogLevel::error, text, fmt::make_format_args(arguments...));
}

// What the user asked to be told, a line as it is, however quiet the rest. A terminal gets it in as many as
// it takes, broken between words.
void tell(std::string_view line);

}  // namespace bitnet::cli
