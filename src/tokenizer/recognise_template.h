// Which of the known chat templates a file's Jinja text is. Nothing is executed.
#pragma once

#include <optional>
#include <string_view>

#include "bitnet/chat.h"

namespace bitnet {

// By the parts that give the text away, among what it can write: what stands in comments and in the
// conditions of "if" is no part of any prompt. Nullopt: none of ours.
std::optional<ChatTemplate> recognise_template(std::string_view jinja);

}  // namespace bitnet
