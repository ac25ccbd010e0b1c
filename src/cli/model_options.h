// Options that every command with a model has, and the loading that follows from them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "bitnet/model.h"
#include "bitnet/session.h"

namespace bitnet::cli {

struct ModelOptions {
  std::string model;  // empty: the built-in one
  SessionOptions session;
  bool quiet = false;
  bool verbose = false;

  void add_to(CLI::App& command);
};

// Loads the model, saying on stderr what was loaded; details when verbose.
Model load_model(const ModelOptions& options);
// Makes the session and says, when verbose, with what.
Session make_session(const Model& model, const ModelOptions& options);

}  // namespace bitnet::cli
