// Errors that cross the library's boundary. Loading and use throw them; the per-token path never does.
#pragma once

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

// A failure while running: output that cannot be written, memory that cannot be had. Exit code 1.
class RuntimeError : public Error {
 public:
  using Error::Error;
};

}  // namespace bitnet
