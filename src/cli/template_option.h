// --template: the form in which a model wants a conversation.
#pragma once

#include <string>

#include "bitnet/chat.h"
#include "bitnet/model.h"

namespace bitnet::cli {

// The template named, or the model's own for "auto". Throws UsageError.
ChatTemplate find_template(const std::string& name, const Model& model);

}  // namespace bitnet::cli
