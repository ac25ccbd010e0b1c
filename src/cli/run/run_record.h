// What decides which text bitnet run prints, for whoever wants to run it again.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "bitnet/chat.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "cli/run/run_options.h"

namespace bitnet::cli {

// Every option that changes a logit, a token or the text:
//   template                     of the prompt
//   think                        "on" or "off", as it was asked for or the template has it; null where that
//                                knows no thinking
//   system, special              of the prompt; a text that is no UTF-8 is {bytes: in hexadecimal}
//   max_tokens                   null: no limit
//   stop, ignore_eos
//   temperature, top_k, top_p, min_p, repeat_penalty, repeat_window, seed
//                                seed: the one that was drawn, where a random one was asked for
//   ctx_size, kv_type, activations
//   hidden_act                   "relu2" or "silu": what the model was run with, whoever decided it
//   i2s_layout                   "x86", "arm" or "rows4", likewise; null without I2_S tensors
//   head                         "stored" (--head exact and screened give the same bits) or "int8"
// Options that are not here change none of these: tests/cli/run/option_record_test.cpp.
nlohmann::ordered_json run_options_json(const RunOptions& options, ChatForm form, const Model& model,
                                        const Session& session);

// i2s_layout of these.
nlohmann::ordered_json i2s_layout_json(const ModelInfo& info);

// {name, architecture, file, bytes} and {text, ids}, as run --json and --score have them.
nlohmann::ordered_json run_model_json(const ModelInfo& info);
nlohmann::ordered_json run_prompt_json(std::optional<std::string_view> text, std::span<const TokenId> ids);

}  // namespace bitnet::cli
