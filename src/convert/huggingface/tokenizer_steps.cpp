#include "convert/huggingface/tokenizer_steps.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/printable.h"

namespace bitnet::convert {
namespace {

bool are_objects(const std::vector<const Json*>& steps) {
  return std::ranges::all_of(steps, [](const Json* step) { return step->is_object(); });
}

bool is_prepend(const Json& step) {
  return text_at(step, "type") == "Prepend" && text_at(step, "prepend") == kSpacePiece;
}

bool is_replace(const Json& step) {
  const auto pattern = step.find("pattern");
  return text_at(step, "type") == "Replace" && pattern != step.end() && pattern->is_object() &&
         text_at(*pattern, "String") == " " && text_at(step, "content") == kSpacePiece;
}

// Unlike Prepend, and what reads a GGUF file, it looks at what it is to be put before.
std::optional<SpacePrefix> prefix_of_metaspace(const Json& step) {
  if (text_at(step, "type") != "Metaspace" || text_at(step, "replacement") != kSpacePiece)
    return std::nullopt;
  std::string scheme = text_at(step, "prepend_scheme");
  if (scheme.empty()) scheme = flag_at(step, "add_prefix_space", true) ? "always" : "never";
  if (scheme == "never") return SpacePrefix{};
  return SpacePrefix{
      .is_put = true,
      .unlike = "its pre_tokenizer Metaspace puts no space before a text that begins with one" +
                std::string(scheme == "first" ? ", nor behind a special token" : "") +
                ", which a GGUF file cannot say: there a space more is put"};
}

void add(const FrameSide& more, FrameSide& to) {
  if (to.n == 0) to.first = more.first;
  to.n += more.n;
}

// What a special token of a template stands for: its name need not be a token's.
FrameSide special_of(const Json& processor, const std::string& name, std::span<const std::string> tokens) {
  const auto map = processor.find("special_tokens");
  if (map == processor.end() || !map->is_object()) return {1, name};
  const auto special = map->find(name);
  if (special == map->end() || !special->is_object()) return {1, name};
  const auto ids = special->find("ids");
  if (ids == special->end() || !ids->is_array()) return {1, name};
  if (ids->empty()) return {};
  const Json& id = ids->front();
  const bool is_token = id.is_number_unsigned() && id.get<std::uint64_t>() < tokens.size();
  return {ids->size(), is_token ? tokens[id.get<std::uint64_t>()] : name};
}

TextFrame frame_of_template(const Json& processor, std::span<const std::string> tokens) {
  TextFrame frame;
  const auto single = processor.find("single");
  if (single == processor.end() || !single->is_array()) return frame;
  frame.is_said = true;
  bool is_behind = false;
  for (const Json& part : *single) {
    if (!part.is_object()) continue;
    if (part.contains("Sequence")) is_behind = true;
    const auto special = part.find("SpecialToken");
    if (special == part.end() || !special->is_object()) continue;
    add(special_of(processor, text_at(*special, "id"), tokens), is_behind ? frame.after : frame.before);
  }
  return frame;
}

// BertProcessing's and RobertaProcessing's: a spelling and an id each.
TextFrame frame_of_pair(const Json& processor) {
  const auto side_of = [&](const char* field) {
    const auto at = processor.find(field);
    const bool is_pair = at != processor.end() && at->is_array() && !at->empty() && at->front().is_string();
    return is_pair ? FrameSide{1, at->front().get<std::string>()} : FrameSide{};
  };
  return {.is_said = true, .before = side_of("cls"), .after = side_of("sep")};
}

}  // namespace

std::vector<const Json*> steps_of(const Json& tokenizer, const char* field, const char* list) {
  std::vector<const Json*> steps;
  const auto at = tokenizer.find(field);
  if (at == tokenizer.end() || !at->is_object()) return steps;
  if (text_at(*at, "type") != "Sequence") return {&*at};
  const auto inner = at->find(list);
  if (inner == at->end() || !inner->is_array()) return {&*at};
  for (const Json& step : *inner) steps.push_back(&step);
  return steps;
}

std::string names_of(const std::vector<const Json*>& steps) {
  std::string names;
  for (const Json* step : steps) {
    const std::string type = step->is_object() ? text_at(*step, "type") : "?";
    names.append(names.empty() ? "" : ", ").append(type.empty() ? "?" : type);
  }
  return names.empty() ? "nothing" : printable(names, kMaxPrintedName);
}

std::optional<SpacePrefix> find_space_prefix(const Json& tokenizer) {
  const std::vector<const Json*> normalizers = steps_of(tokenizer, "normalizer", "normalizers");
  const std::vector<const Json*> splits = steps_of(tokenizer, "pre_tokenizer", "pretokenizers");
  if (!are_objects(normalizers) || !are_objects(splits)) return std::nullopt;
  const std::size_t n = normalizers.size();
  if (n == 0 && splits.size() == 1) return prefix_of_metaspace(*splits[0]);
  if (!splits.empty() || n == 0 || !is_replace(*normalizers[n - 1])) return std::nullopt;
  if (n == 1) return SpacePrefix{};
  if (n == 2 && is_prepend(*normalizers[0])) return SpacePrefix{.is_put = true, .unlike = {}};
  return std::nullopt;
}

bool prepends_space(const Json& tokenizer) {
  const std::vector<const Json*> normalizers = steps_of(tokenizer, "normalizer", "normalizers");
  return are_objects(normalizers) &&
         std::ranges::any_of(normalizers, [](const Json* step) { return is_prepend(*step); });
}

TextFrame read_text_frame(const Json& tokenizer, std::span<const std::string> tokens) {
  TextFrame frame;
  for (const Json* step : steps_of(tokenizer, "post_processor", "processors")) {
    if (!step->is_object()) continue;
    const std::string type = text_at(*step, "type");
    TextFrame found;
    if (type == "TemplateProcessing") found = frame_of_template(*step, tokens);
    if (type == "BertProcessing" || type == "RobertaProcessing") found = frame_of_pair(*step);
    if (!found.is_said) continue;
    frame.is_said = true;
    add(found.before, frame.before);
    add(found.after, frame.after);
  }
  return frame;
}

}  // namespace bitnet::convert
