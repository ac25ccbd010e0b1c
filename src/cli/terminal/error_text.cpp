#include "cli/terminal/error_text.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace bitnet::cli {
namespace {

struct OptionName {
  std::string_view library;
  std::string_view command_line;
};

constexpr std::array kNames{OptionName{"architecture", "--arch"},
                            OptionName{"backend", "--backend"},
                            OptionName{"cache_head", "a cached --head"},
                            OptionName{"context_length", "--context"},
                            OptionName{"ctx_size", "--ctx-size"},
                            OptionName{"embedding_type", "--embedding-type"},
                            OptionName{"ffn", "--ffn"},
                            OptionName{"head_dim", "--head-dim"},
                            OptionName{"head_type", "--head-type"},
                            OptionName{"hidden", "--hidden"},
                            OptionName{"kv_tokens", "--kv-tokens"},
                            OptionName{"min_p", "--min-p"},
                            OptionName{"n_experts", "--experts"},
                            OptionName{"n_experts_used", "--experts-used"},
                            OptionName{"n_heads", "--heads"},
                            OptionName{"n_kv_heads", "--kv-heads"},
                            OptionName{"n_layers", "--layers"},
                            OptionName{"n_sequences", "--sequences"},
                            OptionName{"n_threads", "--threads"},
                            OptionName{"n_top", "--logprobs"},
                            OptionName{"pass_tokens", "--prefill-chunk"},
                            OptionName{"pin_threads", "--pin"},
                            OptionName{"prefill_chunk", "--prefill-chunk"},
                            OptionName{"repeat_penalty", "--repeat-penalty"},
                            OptionName{"repeat_window", "--repeat-last-n"},
                            OptionName{"special", "--special"},
                            OptionName{"stop_strings", "--stop"},
                            OptionName{"system", "--system"},
                            OptionName{"temperature", "--temp"},
                            OptionName{"template", "--template"},
                            OptionName{"think", "--think"},
                            OptionName{"top_k", "--top-k"},
                            OptionName{"top_p", "--top-p"},
                            OptionName{"type", "--type"},
                            OptionName{"vocab", "--vocab"}};

}  // namespace

std::string error_text(const Error& error) {
  const auto* const of_option = dynamic_cast<const OptionError*>(&error);
  if (of_option == nullptr) return error.what();
  const auto* const found = std::ranges::find(kNames, of_option->option(), &OptionName::library);
  return found == kNames.end() ? error.what() : of_option->message_with(found->command_line);
}

}  // namespace bitnet::cli
