#include "cli/options/choices.h"

#include <string_view>

#include "cli/options/list_option.h"

namespace bitnet::cli {
namespace {

constexpr const char* kKey = "choices";

}  // namespace

// A validator is what CLI11 lets an option carry along. One that is not active neither checks nor shows.
void offer_choices(CLI::Option* option, const std::string& names) {
  CLI::Validator carrier([](std::string&) { return std::string(); }, names, kKey);
  carrier.active(false);
  option->check(carrier);
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  try {
    // CLI11 looks a validator up only in options that may be changed.
    CLI::Validator carrier = *const_cast<CLI::Option&>(option).get_validator(kKey);
    carrier.active(true);
    std::vector<std::string> names = split_list(carrier.get_description());
    for (std::string& name : names) name.erase(0, name.find_first_not_of(' '));
    return names;
  } catch (const CLI::OptionNotFound&) {
    return {};
  }
}

}  // namespace bitnet::cli
