#include "diagnostics/verify_setup.h"

#include <array>
#include <memory>
#include <string>

#include "bitnet/chat.h"
#include "engine/session_impl.h"

namespace bitnet {

SessionOptions session_options(const VerifySetup& setup) {
  SessionOptions options;
  options.n_threads = setup.n_threads;
  options.prefill_chunk = setup.chunk;
  options.kv_type = setup.kv_type;
  return options;
}

Session make_session(const Model& model, const VerifySetup& setup) {
  return Session(std::make_unique<Session::Impl>(model, session_options(setup), setup.table));
}

std::vector<TokenId> encode(const Model& model, const SuitePrompt& prompt) {
  if (!prompt.chat) return model.tokenizer().encode(prompt.prompt, {.add_bos = true});
  const std::array message{Message{Role::user, std::string(prompt.prompt)}};
  return encode_chat(ChatTemplate::bitnet, model.tokenizer(), message);
}

}  // namespace bitnet
