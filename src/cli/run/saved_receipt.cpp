#include "cli/run/saved_receipt.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "bitnet/error.h"
#include "cli/terminal/saved_json.h"

namespace bitnet::cli {
namespace {

constexpr SavedForm kReceiptForm{"bitnet.receipt", 1, "receipt", kMakeAReceipt};

// A whole number that the type holds: the library's own conversion would cut off what is none, or too large.
template <typename Number>
Number whole(const SavedJson& json) {
  const bool is_negative = json.is_number_integer() && !json.is_number_unsigned();
  const bool fits = is_negative
                        ? std::in_range<Number>(json.get<std::int64_t>())
                        : json.is_number_unsigned() && std::in_range<Number>(json.get<std::uint64_t>());
  if (!fits) throw UsageError("number " + json.dump() + " is no whole one that can stand there");
  return json.get<Number>();
}

std::vector<TokenId> ids_of(const SavedJson& list) {
  std::vector<TokenId> ids;
  for (const SavedJson& json : list) {
    const TokenId id{whole<std::int32_t>(json)};
    if (to_int(id) < 0) throw UsageError("token id " + json.dump() + " is less than 0");
    ids.push_back(id);
  }
  return ids;
}

// A text, or the bytes of what is no UTF-8.
std::string argument_of(const SavedJson& json) {
  if (json.is_string()) return json.get<std::string>();
  const auto hex = json.at("bytes").get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned char byte = 0;
    const char* const end = hex.data() + std::min(i + 2, hex.size());
    const auto [read, error] = std::from_chars(hex.data() + i, end, byte, 16);
    if (error != std::errc() || read != hex.data() + i + 2) {
      throw UsageError("has bytes that are no hexadecimal digits");
    }
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

SavedReceipt parse(const SavedJson& json) {
  SavedReceipt run;
  run.program = json.at("program").get<std::string>() + " (" + json.value("commit", "unknown") + ")";
  run.sha256 = json.at("model").at("sha256");
  run.model_file = json.at("machine").at("model_file");
  const SavedJson& o = json.at("options");
  const auto chat_template = find_chat_template(o.at("template").get<std::string>());
  if (!chat_template) throw UsageError("template: this version has none of that name");
  run.chat_template = *chat_template;
  for (const SavedJson& text : o.at("stop")) run.stop.push_back(argument_of(text));
  o.at("ignore_eos").get_to(run.ignore_eos);
  o.at("special").get_to(run.special);
  if (!o.at("max_tokens").is_null()) run.max_tokens = whole<std::size_t>(o.at("max_tokens"));
  SamplerOptions& s = run.sampler;
  o.at("temperature").get_to(s.temperature);
  s.top_k = whole<std::int32_t>(o.at("top_k"));
  o.at("top_p").get_to(s.top_p);
  o.at("min_p").get_to(s.min_p);
  o.at("repeat_penalty").get_to(s.repeat_penalty);
  s.repeat_window = whole<std::int32_t>(o.at("repeat_window"));
  s.seed = whole<std::uint64_t>(o.at("seed"));
  run.ctx_size = whole<std::size_t>(o.at("ctx_size"));
  run.kv_type = parse_kv_type(o.at("kv_type"));
  run.activations = parse_activations(o.at("activations"));
  run.hidden_act = parse_hidden_act(o.value("hidden_act", "auto"));
  if (o.contains("i2s_layout") && !o.at("i2s_layout").is_null()) {
    run.i2s_layout = parse_i2s_layout(o.at("i2s_layout"));
  }
  const std::string head = o.at("head");
  run.head = parse_head(head == "stored" ? "exact" : head);
  run.prompt = ids_of(json.at("prompt").at("ids"));
  const SavedJson& output = json.at("output");
  run.ids = ids_of(output.at("ids"));
  output.at("text").get_to(run.text);
  output.at("reason").get_to(run.reason);
  json.at("logits").at("digest").get_to(run.digest);
  return run;
}

}  // namespace

SavedReceipt parse_receipt(std::string_view text, const std::string& shown) {
  const SavedJson json = parse_saved(text, shown, kReceiptForm);
  try {
    return parse(json);
  } catch (const SavedJson::exception&) {
    throw ModelError(shown, "lacks a field or has one of another type", kMakeAReceipt);
  } catch (const UsageError& e) {
    throw ModelError(shown, e.what(), kMakeAReceipt);
  }
}

}  // namespace bitnet::cli
