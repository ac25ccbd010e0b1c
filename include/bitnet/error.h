// Errors that cross the library's boundary. Loading and use throw them; the per-token path never does.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bitnet/export.h"

namespace BITNET_API bitnet {

// Base of everything the library throws. what() is one line: what is wrong, where, and what to do about it.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A model or input file was refused: damaged, unsupported or inconsistent. Command line exit code 3.
class ModelError : public Error {
 public:
  explicit ModelError(const std::string& message) : Error(message) {}
  // "WHERE: WHAT; HINT" - where names the file, key, tensor or byte offset; the hint may be empty.
  ModelError(std::string_view where, std::string_view what, std::string_view hint = {})
      : Error(join(where, what, hint)) {}

 private:
  static std::string join(std::string_view where, std::string_view what, std::string_view hint) {
    std::string line(where);
    line.append(": ").append(what);
    if (!hint.empty()) line.append("; ").append(hint);
    return line;
  }
};

// The caller asked for something that cannot be had: an unknown name, a value out of range. Exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// An option of the library has a value that cannot be had. The message names it as the structs do,
// "ctx_size"; a program that calls it something else to its users can put that in its place.
class OptionError : public UsageError {
 public:
  // The message is these three, one after the other.
  OptionError(std::string_view before, std::string_view option, std::string_view after)
      : UsageError(std::string(before).append(option).append(after)),
        begin_(before.size()),
        size_(option.size()) {}

  std::string_view option() const { return std::string_view(what()).substr(begin_, size_); }
  std::string message_with(std::string_view name) const {
    return std::string(what()).replace(begin_, size_, name);
  }

 private:
  std::size_t begin_;
  std::size_t size_;
};

// A failure while running: output that cannot be written, memory that cannot be had. Exit code 1.
class RuntimeError : public Error {
 public:
  using Error::Error;
};

}  // namespace bitnet
