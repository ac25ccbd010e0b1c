// How a file's Jinja text has the model think, or not.
#pragma once

#include <string_view>

#include "bitnet/chat.h"

namespace bitnet {

// By what the text writes before the assistant's answer, with enable_thinking undefined, true and false.
// Where that is not to be found, or is none of the forms that Thinking has, none.
ThinkingForms recognise_thinking(std::string_view jinja);

}  // namespace bitnet
