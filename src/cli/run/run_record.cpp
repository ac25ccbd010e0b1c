#include "cli/run/run_record.h"

#include <string>
#include <utility>

#include "base/printable.h"
#include "cli/options/number_option.h"
#include "cli/options/template_option.h"
#include "diagnostics/json_text.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_judge.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

// 0.7F is 0.7 here, not 0.699999988079071.
Json short_number_json(float value) { return Json::parse(digits_of(value)); }

}  // namespace

Json run_options_json(const RunOptions& o, ChatForm form, const Model& model, const Session& session) {
  const SamplerOptions sampler = o.sampling.sampler();
  const std::string_view think = think_name(form.thinking);
  Json stop = Json::array();
  for (const std::string& text : o.stop) stop.push_back(argument_json(text));
  return {{"template", name_of(form.chat_template)},
          {"think", think.empty() ? Json() : Json(think)},
          {"system", argument_json(o.system)},
          {"special", o.special},
          {"max_tokens", o.max_tokens < 0 ? Json() : Json(o.max_tokens)},
          {"stop", std::move(stop)},
          {"ignore_eos", o.ignore_eos},
          {"temperature", short_number_json(sampler.temperature)},
          {"top_k", sampler.top_k},
          {"top_p", short_number_json(sampler.top_p)},
          {"min_p", short_number_json(sampler.min_p)},
          {"repeat_penalty", short_number_json(sampler.repeat_penalty)},
          {"repeat_window", sampler.repeat_window},
          {"seed", sampler.seed},
          {"ctx_size", session.ctx_size()},
          {"kv_type", name_of(o.model.session.kv_type)},
          {"activations", name_of(session.activations())},
          {"hidden_act", name_of(model.info().hidden_act.act)},
          {"i2s_layout", i2s_layout_json(model.info())},
          {"head", recorded_name_of(session.head())}};
}

Json i2s_layout_json(const ModelInfo& info) {
  return info.i2s.layout ? Json(name_of(*info.i2s.layout)) : Json();
}

Json run_model_json(const ModelInfo& info) {
  return {{"name", info.name},
          {"architecture", info.architecture},
          {"file", printable(info.file, kMaxPrintedPath)},
          {"bytes", info.file_bytes}};
}

Json run_prompt_json(std::optional<std::string_view> text, std::span<const TokenId> ids) {
  Json list = Json::array();
  for (const TokenId id : ids) list.push_back(to_int(id));
  return {{"text", text ? text_json(*text) : Json()}, {"ids", std::move(list)}};
}

}  // namespace bitnet::cli
