#include "service/request/token_json.h"

#include <string_view>

#include "diagnostics/json_text.h"

namespace bitnet::service {

nlohmann::ordered_json named_token_json(const Tokenizer& tokenizer, TokenId id) {
  const std::string_view piece = tokenizer.bytes_of(id, /*with_special=*/true);
  return {{"id", to_int(id)}, {"piece", text_json(piece)}, {"bytes", hex_of(piece)}};
}

nlohmann::ordered_json top_json(const Tokenizer& tokenizer, const Logprobs& logprobs) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const TokenLogprob& t : logprobs.top()) {
    list.push_back(named_token_json(tokenizer, t.id));
    list.back()["logprob"] = t.logprob;
  }
  return list;
}

}  // namespace bitnet::service
