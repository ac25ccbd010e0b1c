#include "convert/huggingface/tokenizer_lists.h"

#include <utility>

namespace bitnet::convert {
namespace {

// Pieces have no spaces in them.
bool is_pair(std::string_view merge) {
  const std::size_t space = merge.find(' ');
  return space != std::string_view::npos && space > 0 && space + 1 < merge.size() &&
         merge.find(' ', space + 1) == std::string_view::npos;
}

// "left right", or the two in a list.
std::string merge_of(Json& value) {
  std::string merge;
  if (value.is_string()) {
    merge = std::move(value.get_ref<std::string&>());
  } else if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string()) {
    merge = joined_merge(value[0].get_ref<const std::string&>(), value[1].get_ref<const std::string&>());
  }
  return is_pair(merge) ? merge : std::string();
}

}  // namespace

std::string joined_merge(std::string_view left, std::string_view right) {
  std::string merge;
  merge.reserve(left.size() + 1 + right.size());
  return merge.append(left).append(" ").append(right);
}

bool TokenizerLists::takes(std::span<const std::string> path, bool is_object) {
  in_vocab_ = is_object;
  return path.size() == 2 && path[0] == "model" && path[1] == (is_object ? "vocab" : "merges");
}

void TokenizerLists::take(std::string& key, Json& value) {
  if (!in_vocab_) {
    merges.push_back(merge_of(value));
    return;
  }
  const bool is_id = value.is_number_unsigned();
  vocab.push_back({std::move(key), is_id ? std::optional(value.get<std::uint64_t>()) : std::nullopt});
}

}  // namespace bitnet::convert
