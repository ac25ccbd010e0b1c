#include "cli/options/length_options.h"

#include "cli/options/number_option.h"

namespace bitnet::cli {

std::array<Option*, 3> add_length_options(Command& command, std::int64_t& max_tokens,
                                          std::vector<std::string>& stop, bool& ignore_eos) {
  Option* n = add_number(command, "-n,--max-tokens", max_tokens, "Tokens at most; -1: until the text ends");
  // One value each time. With more allowed CLI11 would take [a,b] for a list.
  Option* text = command.add_option("--stop", stop, "End before this text; may be given several times");
  Option* eos = command.add_flag("--ignore-eos", ignore_eos, "Go on where the model ends its text");
  return {n->type_name("N"), text->type_name("TEXT"), eos};
}

}  // namespace bitnet::cli
