#include "cli/synth_command.h"

#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/output_file.h"
#include "base/printable.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "cli/options/number_option.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/progress_bar.h"
#include "model/synthetic/synthetic.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kLongSynthesis{500};  // from here on it is worth a progress bar

struct SynthCommandOptions {
  std::string preset = "2b-4t";
  std::optional<std::string> architecture;
  std::optional<std::string> type;
  std::optional<std::string> embedding_type;
  std::optional<std::string> head_type;
  std::optional<std::size_t> n_layers;
  std::optional<std::size_t> hidden;
  std::optional<std::size_t> n_heads;
  std::optional<std::size_t> n_kv_heads;
  std::optional<std::size_t> head_dim;
  std::optional<std::size_t> ffn;
  std::optional<std::size_t> vocab;
  std::optional<std::size_t> context_length;
  std::optional<std::size_t> n_experts;
  std::optional<std::size_t> n_experts_used;
  std::uint64_t seed = 0;
  std::optional<std::string> output;
  bool force = false;
  unsigned n_threads = 0;
  bool quiet = false;
  bool verbose = false;
};

void add_dimension(Command& c, std::string_view name, std::optional<std::size_t>& value,
                   const std::string& description) {
  const auto take = [&value](const std::string& text, const std::string& source) {
    value = parse_number<std::size_t>(text, source);
  };
  c.add_option(name, take, description)->type_name("N")->default_str("the preset's")->group("Shape");
}

void add_type(Command& c, std::string_view name, std::optional<std::string>& value,
              const std::string& description, const std::string& more = "") {
  Option* option = c.add_option(name, value, description)->type_name("TYPE")->default_str("the preset's");
  option->choices(more + synthetic_type_names());
  option->group("Types");
}

void add_options(Command& c, SynthCommandOptions& o) {
  auto* output = c.add_option("-o,--output,file", o.output, "The file to write")->type_name("FILE");
  output->file_ending(".gguf")->group("Output");
  c.add_flag("--force", o.force, "Replace a file that is there")->group("Output");
  auto* seed = add_number(c, "--seed", o.seed, "Of the random numbers");
  seed->type_name("N")->group("Output");

  auto* preset = c.add_option("--preset", o.preset, synthetic_preset_names());
  preset->type_name("NAME")->default_str(o.preset)->group("Shape");
  preset->choices(synthetic_preset_names());
  auto* arch = c.add_option("--arch", o.architecture, "Family: " + synthetic_family_names());
  arch->type_name("NAME")->default_str("the preset's")->group("Shape");
  arch->choices(synthetic_family_names());
  add_dimension(c, "--layers", o.n_layers, "Layers");
  add_dimension(c, "--hidden", o.hidden, "Width of the residual stream");
  add_dimension(c, "--heads", o.n_heads, "Query heads");
  add_dimension(c, "--kv-heads", o.n_kv_heads, "Key and value heads");
  add_dimension(c, "--head-dim", o.head_dim, "Width of a head; 0: hidden / heads");
  add_dimension(c, "--ffn", o.ffn, "Width of the feed-forward network, or of an expert");
  add_dimension(c, "--vocab", o.vocab, "Tokens, spelled t0, t1, ...");
  add_dimension(c, "--context", o.context_length, "Tokens of context");
  add_dimension(c, "--experts", o.n_experts, "Experts (maple)");
  add_dimension(c, "--experts-used", o.n_experts_used, "Of them for each token");

  add_type(c, "--type", o.type,
           "Of the layers' matrices, and of what the preset has in the same type: " + synthetic_type_names());
  add_type(c, "--embedding-type", o.embedding_type, "Of the token embedding");
  add_type(c, "--head-type", o.head_type, "Of the LM head; tied: the embedding serves", "tied, ");

  auto* threads = add_number(c, "-t,--threads", o.n_threads, "Threads; 0: one per physical core");
  threads->type_name("N")->envname("BITNET_THREADS")->group("Machine");
  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  add_help(c);
  c.example("bitnet synth --preset bonsai-8b -o bonsai-8b.gguf");
  c.example("bitnet synth --preset tiny --arch llama --head-type q6_k -o odd.gguf");
  c.everyday({"--output", "--force", "--seed", "--preset", "--arch", "--layers", "--hidden", "--heads",
              "--kv-heads", "--ffn", "--vocab", "--type", "--embedding-type", "--head-type", "--help"});
  c.footer(
      "The same shape and seed give the same bytes everywhere. There is no text for\n"
      "such a model: run it with --ids, or with bench.");
}

// Where an option was given, it.
template <typename Value, typename Given>
void override_with(Value& value, const std::optional<Given>& given) {
  if (given) value = static_cast<Value>(*given);
}

// The result's names point into the options.
SyntheticShape shape_of(const SynthCommandOptions& o) {
  const SyntheticShape* preset = find_synthetic_preset(o.preset);
  if (preset == nullptr) {
    throw UsageError("--preset '" + o.preset + "' is unknown; choose from " + synthetic_preset_names());
  }
  SyntheticShape shape = *preset;
  override_with(shape.architecture, o.architecture);
  if (o.type) set_type(shape, *o.type);
  override_with(shape.embedding_type, o.embedding_type);
  if (o.head_type) shape.head_type = *o.head_type == "tied" ? std::string_view() : *o.head_type;
  override_with(shape.n_layers, o.n_layers);
  override_with(shape.hidden, o.hidden);
  override_with(shape.n_heads, o.n_heads);
  override_with(shape.n_kv_heads, o.n_kv_heads);
  override_with(shape.head_dim, o.head_dim);
  override_with(shape.ffn, o.ffn);
  override_with(shape.vocab, o.vocab);
  override_with(shape.context_length, o.context_length);
  override_with(shape.n_experts, o.n_experts);
  override_with(shape.n_experts_used, o.n_experts_used);
  return shape;
}

// Devices and pipes take what comes; files are not replaced by accident.
void check_output(const SynthCommandOptions& o) {
  if (!o.output) throw UsageError("no file to write: pass -o FILE");
  struct stat status {};
  if (!o.force && ::stat(o.output->c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    throw UsageError(printable(*o.output, kMaxPrintedPath) +
                     " is there already: pass --force to replace it, or another name");
  }
}

ExitCode synth(const SynthCommandOptions& o) {
  set_verbosity(o.quiet, o.verbose);
  const SyntheticModel model(shape_of(o), o.seed);
  check_output(o);
  const auto start = std::chrono::steady_clock::now();
  log_debug("writing {}: {:.1f} MiB", printable(*o.output, kMaxPrintedPath), to_mib(model.file_size()));
  const unsigned n_threads = threads_for_files(o.n_threads);
  {
    OutputFile file(*o.output);
    ThreadPool pool(n_threads);
    ProgressBar bar(o.quiet, "synth", kLongSynthesis);
    model.write(
        pool, [&](std::span<const std::byte> bytes) { file.write(bytes); },
        [&](double done) {
          bar.update(done);
          return !interrupted();
        });
    file.commit();
    bar.clear();
  }
  const double seconds = seconds_since(start);
  log_info("{}: {:.1f} MiB written in {:.2f} s", printable(*o.output, kMaxPrintedPath),
           to_mib(model.file_size()), seconds);
  return ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_synth_command(Command& app) {
  auto options = std::make_shared<SynthCommandOptions>();
  Command* command = app.add_subcommand("synth", "Write a model with random weights");
  add_options(*command, *options);
  return [options] { return synth(*options); };
}

}  // namespace bitnet::cli
