#include "cli/options/suggestions.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/nearest_name.h"
#include "cli/help/real_model.h"

namespace bitnet::cli {
namespace {

// Of llama.cpp, bitnet.cpp and ollama. `ours`: with a dash first the options that may stand in its place, of
// which a command has one; otherwise advice as it stands.
struct Foreign {
  std::string_view name;
  std::string_view ours;
};

constexpr std::string_view kCpuOnly = "leave it out: everything runs on the CPU";
constexpr std::string_view kAlways = "leave it out: that is how it works anyway";
constexpr std::string_view kDownload = "(download)";  // the advice to do it oneself

constexpr Foreign kOptions[] = {
    {"--n-predict", "-n/--max-tokens -n/--n-gen"},
    {"--predict", "-n/--max-tokens -n/--n-gen"},
    {"--num-predict", "-n/--max-tokens -n/--n-gen"},
    {"--max-new-tokens", "-n/--max-tokens -n/--n-gen"},
    {"--temperature", "--temp"},
    {"--n-ctx", "-c/--ctx-size"},
    {"--num-ctx", "-c/--ctx-size"},
    {"--context", "-c/--ctx-size"},
    {"--context-size", "-c/--ctx-size"},
    {"--n-threads", "-t/--threads"},
    {"--num-thread", "-t/--threads"},
    {"--threads-batch", "-t/--threads"},
    {"-tb", "-t/--threads"},
    {"-b", "--prefill-chunk"},
    {"--batch-size", "--prefill-chunk"},
    {"-ub", "--prefill-chunk"},
    {"--ubatch-size", "--prefill-chunk"},
    {"-s", "--seed"},
    {"-r", "--stop"},
    {"--reverse-prompt", "--stop"},
    {"-sys", "--system"},
    {"--system-prompt", "--system"},
    {"--chat-template", "--template"},
    {"--repetition-penalty", "--repeat-penalty"},
    {"-ctk", "--kv-type"},
    {"-ctv", "--kv-type"},
    {"--cache-type-k", "--kv-type"},
    {"--cache-type-v", "--kv-type"},
    {"--n-probs", "--logprobs"},
    {"--output-format", "-o/--output"},
    {"--file-prompt", "-f/--file"},
    {"--no-display-prompt", "leave it out: the prompt is printed with --echo only"},
    {"-i", "bitnet chat is a conversation"},
    {"--interactive", "bitnet chat is a conversation"},
    {"--interactive-first", "bitnet chat is a conversation"},
    {"-cnv", "bitnet chat is a conversation, --template auto one turn of it"},
    {"--conversation", "bitnet chat is a conversation, --template auto one turn of it"},
    {"-no-cnv", kAlways},
    {"-st", "pass --template auto for one turn of a conversation"},
    {"--single-turn", "pass --template auto for one turn of a conversation"},
    {"--multiline-input", kAlways},
    {"-mli", kAlways},
    {"-ngl", kCpuOnly},
    {"--n-gpu-layers", kCpuOnly},
    {"--gpu-layers", kCpuOnly},
    {"--num-gpu", kCpuOnly},
    {"-dev", kCpuOnly},
    {"--device", kCpuOnly},
    {"-fa", "there is one way to compute attention, and it is exact"},
    {"--flash-attn", "there is one way to compute attention, and it is exact"},
    {"--mmap", kAlways},
    {"--no-mmap", "pass --weights repack to copy the weights"},
    {"--mlock", "pass --weights repack to copy the weights"},
    {"-hf", kDownload},
    {"-hfr", kDownload},
    {"--hf-repo", kDownload},
    {"-hff", kDownload},
    {"--hf-file", kDownload},
    {"-mu", kDownload},
    {"--model-url", kDownload},
};

constexpr Foreign kCommands[] = {
    {"generate", "did you mean 'run'?"},
    {"complete", "did you mean 'run'?"},
    {"completion", "did you mean 'run', or 'completions' for a shell?"},
    {"cli", "did you mean 'run' or 'chat'?"},
    {"talk", "did you mean 'chat'?"},
    {"benchmark", "did you mean 'bench'?"},
    {"ppl", "did you mean 'perplexity'?"},
    {"show", "did you mean 'inspect'?"},
    {"info", "did you mean 'inspect'?"},
    {"test", "did you mean 'verify'?"},
    {"check", "did you mean 'verify' or 'inspect'?"},
    {"encode", "did you mean 'tokenize'?"},
    {"decode", "did you mean 'detokenize'?"},
    {"server", "did you mean 'serve'?"},
    {"start", "did you mean 'serve'?"},
    {"ps", "a server tells what it does at /metrics"},
    {"stop", "a server ends by Ctrl-C or SIGTERM"},
    {"list", "models are files where you put them: name one with -m"},
    {"ls", "models are files where you put them: name one with -m"},
    {"rm", "models are files where you put them: delete the file"},
    {"create", "models are files: name one with -m"},
    {"quantize", "did you mean 'convert'?"},
    {"pull", kDownload},
    {"download", kDownload},
};

std::string download_advice() {
  return std::string("nothing is downloaded by bitnet itself; get a model with ") + real_model_download() +
         " and pass -m " + kRealModelFile;
}

bool has_option(const Command& command, std::string_view name) {
  return std::ranges::any_of(command.options(), [&](const Option& option) {
    return std::ranges::find(option.names(), name) != option.names().end();
  });
}

// The first of some options, with spaces between, that the command has by its long name: "-n/--max-tokens".
std::string_view first_had(std::string_view options, const Command& command) {
  while (!options.empty()) {
    const std::string_view one = options.substr(0, options.find(' '));
    if (has_option(command, one.substr(one.find('/') + 1))) return one;
    options.remove_prefix(std::min(one.size() + 1, options.size()));
  }
  return {};
}

std::string spelled(const Foreign& foreign, const Command& command) {
  if (foreign.ours == kDownload) return download_advice();
  if (!foreign.ours.starts_with('-')) return std::string(foreign.ours);
  const std::string_view ours = first_had(foreign.ours, command);
  return ours.empty() ? "" : "did you mean " + std::string(ours) + "?";
}

// --top_k is --top-k.
std::string with_dashes(std::string_view name) {
  std::string dashed(name);
  std::ranges::replace(dashed, '_', '-');
  return dashed;
}

}  // namespace

bool is_other_programs_option(std::string_view word) {
  return std::ranges::find(kOptions, word, &Foreign::name) != std::end(kOptions);
}

std::string advice_for_command(std::string_view word, const Command& program) {
  for (const Foreign& foreign : kCommands) {
    if (foreign.name == word) return spelled(foreign, program);
  }
  std::vector<std::string> names;
  for (const Command& command : program.subcommands()) names.push_back(command.name());
  const std::string_view meant = nearest_name(word, names);
  return meant.empty() ? "" : "did you mean '" + std::string(meant) + "'?";
}

std::string advice_for_option(std::string_view word, const Command& program, const Command& command) {
  const std::string name = with_dashes(word.substr(0, word.find('=')));
  if (has_option(command, name)) {
    return name == word ? "options stand behind the command" : "did you mean " + name + "?";
  }
  for (const Foreign& foreign : kOptions) {
    if (foreign.name != name) continue;
    std::string advice = spelled(foreign, command);
    if (!advice.empty()) return advice;
  }
  if (name.starts_with("--")) {
    std::vector<std::string> names;
    for (const Option& option : command.options()) {
      for (const std::string& own : option.names()) {
        if (own.starts_with("--")) names.push_back(own);
      }
    }
    const std::string_view meant = nearest_name(name, names);
    if (!meant.empty()) return "did you mean " + std::string(meant) + "?";
    // -ngl is often written --ngl.
    for (const Foreign& foreign : kOptions) {
      if (foreign.name == name.substr(1)) return spelled(foreign, command);
    }
  }
  for (const Command& other : program.subcommands()) {
    if (&other == &command || !has_option(other, name)) continue;
    return "it is an option of bitnet " + other.name();
  }
  return {};
}

}  // namespace bitnet::cli
