#include "cli/template_option.h"

#include <spdlog/spdlog.h>

#include "bitnet/error.h"

namespace bitnet::cli {

ChatTemplate find_template(const std::string& name, const Model& model) {
  if (name != "auto") {
    if (const auto t = find_chat_template(name)) return *t;
    throw UsageError("--template '" + name + "' is unknown; choose from auto, " + chat_template_names());
  }
  const auto t = choose_chat_template(model.chat_hints(), model.tokenizer());
  if (!t) {
    throw UsageError(model.info().file +
                     ": its chat template is not one of this program's; pass --template with one of " +
                     chat_template_names());
  }
  spdlog::debug("chat template {}", name_of(*t));
  return *t;
}

}  // namespace bitnet::cli
