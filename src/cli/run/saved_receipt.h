// A receipt, read back: a file that anyone may have changed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/sampler.h"
#include "bitnet/types.h"
#include "cli/options/model_options.h"

namespace bitnet::cli {

inline constexpr std::string_view kMakeAReceipt = "write one with bitnet run --receipt FILE";

struct SavedReceipt {
  std::string program;
  std::string model_file;
  std::string sha256;
  ChatTemplate chat_template = ChatTemplate::raw;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool special = false;
  std::size_t max_tokens = static_cast<std::size_t>(-1);
  SamplerOptions sampler;
  std::size_t ctx_size = 0;
  KvType kv_type{};
  ActivationType activations{};
  std::optional<HiddenAct> hidden_act;  // none in receipts of earlier versions
  std::optional<I2sLayout> i2s_layout;  // none without I2_S tensors, too
  HeadChoice head;
  std::vector<TokenId> prompt;
  std::vector<TokenId> ids;  // that came of it, and so the rest
  std::string text;
  std::string reason;
  std::string digest;
};

// `shown` names the file in messages. Throws ModelError for a text that is no receipt.
SavedReceipt parse_receipt(std::string_view text, const std::string& shown);

}  // namespace bitnet::cli
