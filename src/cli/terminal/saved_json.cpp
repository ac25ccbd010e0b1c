#include "cli/terminal/saved_json.h"

#include "bitnet/error.h"

namespace bitnet::cli {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;
constexpr int kMaxDepth = 8;

}  // namespace

SavedJson parse_saved(std::string_view text, const std::string& shown, const SavedForm& form) {
  const std::string name(form.name);
  const std::string advice(form.advice);
  if (text.size() > kMaxFileBytes) throw ModelError(shown, "is larger than any saved " + name, advice);
  const auto is_shallow = [](int depth, SavedJson::parse_event_t, const SavedJson&) {
    return depth <= kMaxDepth;
  };
  SavedJson json = SavedJson::parse(text, is_shallow, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("schema", SavedJson()) != form.schema) {
    throw ModelError(shown, "is no saved " + name, advice);
  }
  if (json.value("version", SavedJson()) != form.version) {
    throw ModelError(shown, "is a " + name + " in a form that this version doesn't know", advice);
  }
  return json;
}

}  // namespace bitnet::cli
