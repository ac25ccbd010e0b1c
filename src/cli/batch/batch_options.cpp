#include "cli/batch/batch_options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/file_node.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/length_options.h"
#include "cli/options/number_option.h"
#include "cli/options/output_guard.h"
#include "cli/options/scheduler_options.h"
#include "cli/options/template_option.h"

namespace bitnet::cli {
namespace {

// "A-B", or one line's number.
service::LineRange parse_lines(const std::string& text, const std::string& source) {
  const std::size_t dash = text.find('-');
  if (dash == 0 || dash + 1 == text.size()) {
    throw UsageError(source + " '" + text + "': give two lines' numbers, from 1, such as 1-100");
  }
  service::LineRange range;
  range.first = parse_number<std::size_t>(std::string_view(text).substr(0, dash), source);
  range.last = range.first;
  if (dash != std::string::npos)
    range.last = parse_number<std::size_t>(std::string_view(text).substr(dash + 1), source);
  if (range.first == 0 || range.last < range.first) {
    throw UsageError(source + " " + text + ": give two lines' numbers, from 1, such as 1-100");
  }
  return range;
}

Shard parse_shard(const std::string& text, const std::string& source) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) throw UsageError(source + " '" + text + "': give I/N, such as 2/8");
  Shard shard;
  shard.index = parse_number<std::size_t>(std::string_view(text).substr(0, slash), source);
  shard.n_parts = parse_number<std::size_t>(std::string_view(text).substr(slash + 1), source);
  if (shard.index == 0 || shard.index > shard.n_parts) {
    throw UsageError(source + " " + text + ": there is no such part; they are counted from 1");
  }
  return shard;
}

void add_file_options(Command& c, BatchCommandOptions& o) {
  auto* input = c.add_option("-i,--input,input", o.input, "Requests, a JSON object in each line; - is stdin");
  input->type_name("FILE")->file_ending(".jsonl");
  auto* output = c.add_option("-o,--output", o.output, "Where the records go, in place of stdout");
  output->type_name("FILE")->file_ending(".jsonl");
  auto* resume = c.add_flag("--resume", o.resume, "Keep what the output has, and do what it lacks");
  auto* force = c.add_flag("--force", o.force, "Replace what the output has");
  force->excludes(resume);
  auto* unordered =
      c.add_flag("--unordered", o.unordered, "Records as they come, not as their requests stand");
  auto* lines = c.add_option(
      "--lines",
      [&o](const std::string& text, const std::string& source) { o.lines = parse_lines(text, source); },
      "Only these lines of the input");
  lines->type_name("A-B");
  auto* shard = c.add_option(
      "--shard",
      [&o](const std::string& text, const std::string& source) { o.shard = parse_shard(text, source); },
      "Only the I-th of N equal parts of the input");
  shard->type_name("I/N")->excludes(lines);
  auto* merge = c.add_option("--merge", o.merge,
                             "Join the outputs of parts, once for each; all of an input, if one is named");
  merge->type_name("FILE");
  for (Option* option : {input, output, resume, force, unordered, lines, shard, merge})
    option->group("Files");
}

void add_request_options(Command& c, BatchCommandOptions& o) {
  auto* chat_template = add_template(c, o.chat_template);
  auto* think = add_think(c, o.think);
  auto* system = c.add_option("--system", o.system, "System message; needs a template")->type_name("TEXT");
  auto* special = c.add_flag("--special", o.special, "Control tokens: parse in the prompt, show in the text");
  const auto [n, stop, ignore_eos] = add_length_options(c, o.max_tokens, o.stop, o.ignore_eos);
  for (Option* option : {chat_template, think, system, special, n, stop, ignore_eos}) {
    option->group("Requests that say nothing else");
  }
}

// What is joined has been answered: no other option could have an effect.
void exclude_from_merge(Command& c) {
  constexpr std::array<std::string_view, 8> kOfMerge{"--merge", "--input",   "--output", "--force",
                                                     "--quiet", "--verbose", "--help",   "--help-all"};
  Option* merge = c.get_option("--merge");
  for (const Option& option : c.options()) {
    if (std::ranges::count(kOfMerge, option.long_name()) == 0)
      merge->excludes(c.get_option(option.long_name()));
  }
}

std::optional<FileNode> input_node(const BatchCommandOptions& o) {
  if (o.input.empty()) return std::nullopt;
  return o.input == "-" ? file_node(STDIN_FILENO) : file_node(o.input);
}

// Its records would be read as requests, and so without end, or take the place of what is needed.
void check_output_is_not(const BatchCommandOptions& o, const std::optional<FileNode>& needed,
                         std::string_view what) {
  const auto output = o.output ? file_node(*o.output) : file_node(STDOUT_FILENO);
  if (!needed || needed != output) return;
  throw UsageError(std::string(o.output ? "-o" : "stdout") + " is " + std::string(what) +
                   ": name another file");
}

void check_force(const BatchCommandOptions& o) {
  if (o.force && !o.output) throw UsageError("--force needs -o FILE: what it may replace");
}

}  // namespace

void add_batch_options(Command& c, BatchCommandOptions& o) {
  add_file_options(c, o);
  add_request_options(c, o);
  o.sampling.add_to(c);
  o.model.add_to(c);
  add_scheduler_options(c, o.scheduler);
  add_help(c);
  exclude_from_merge(c);
}

void check_run(const BatchCommandOptions& o) {
  if (o.input.empty())
    throw UsageError("no input: name a file with a JSON object in each line, or - for stdin");
  check_scheduler_options(o.model);
  if (o.resume && !o.output) throw UsageError("--resume needs -o FILE: the records of the earlier run");
  check_force(o);
  if (o.shard && o.input == "-") {
    throw UsageError("--shard needs a file: the lines of stdin cannot be counted; --lines does without");
  }
  check_output_is_not(o, input_node(o), "the input itself");
  if (!o.output) return;
  check_is_no_input(*o.output, "-o", std::array{InputName{o.model.model, "the model"}});
}

void check_merge(const BatchCommandOptions& o) {
  check_force(o);
  check_output_is_not(o, input_node(o), "the input itself");
  for (const std::string& part : o.merge) check_output_is_not(o, file_node(part), "one of the parts");
  std::error_code none;
  if (o.output && !o.force && std::filesystem::is_regular_file(*o.output, none) &&
      std::filesystem::file_size(*o.output, none) > 0) {
    throw UsageError(printable(*o.output, kMaxPrintedPath) +
                     " has something in it already: pass --force to replace it, or another -o");
  }
}

}  // namespace bitnet::cli
