// bitnet run --receipt: what ran, so that it can be run again anywhere and compared.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "cli/run/run_options.h"
#include "cli/run/run_output.h"
#include "diagnostics/logits_digest.h"

namespace bitnet::cli {

// Of its file, or of all parts of a split one as if they were one. nullopt when interrupted.
std::optional<std::string> sha256_of_model(const Model& model);

class Receipt {
 public:
  // Each token as it is generated, with its logits.
  void add(const TokenStep& token) {
    digest_.add(token.logits);
    seconds_.push_back(token.seconds);
  }
  void add_text(std::string_view text) { text_ += text; }

  struct Run {
    const RunOptions& options;
    ChatForm form;
    const Model& model;
    const Session& session;
    RunPrompt prompt;
    const GenerateResult& result;
    double load_seconds;
  };
  // Hashes the model's file and writes the receipt. False when it was interrupted before that was done; then
  // there is none. Throws RuntimeError when it cannot be written.
  bool write(const Run& run) const;

 private:
  LogitsDigest digest_;
  std::vector<double> seconds_;
  std::string text_;
};

}  // namespace bitnet::cli
