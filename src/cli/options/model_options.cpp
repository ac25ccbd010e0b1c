#include "cli/options/model_options.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "base/cpu_count.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/help/real_model.h"
#include "cli/options/builtin_model.h"
#include "cli/options/cache_directory.h"
#include "cli/options/list_text.h"
#include "cli/options/number_option.h"
#include "cli/options/thread_warning.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/progress_bar.h"
#include "engine/kv_type.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_judge.h"
#include "model/model_impl.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kLongLoad{500};  // from here on it is worth a progress bar

void log_memory(const char* when) {
  const MemoryUse m = memory_use();
  log_debug("memory {}: peak {:.1f} MiB; own {:.1f} MiB, mapped {:.1f} MiB", when, to_mib(m.peak_bytes),
            to_mib(m.own_bytes), to_mib(m.mapped_bytes));
}

void log_layout(const I2sInfo& i2s) {
  if (!i2s.layout) return;
  log_debug("I2_S layout {}: {}", name_of(*i2s.layout), i2s.reason);
  if (i2s.copied_bytes == 0) return;
  log_debug("I2_S tensors: {:.1f} MiB copied to the layout of x86 in {:.3f} s", to_mib(i2s.copied_bytes),
            i2s.seconds);
}

void log_head(const ModelInfo& info) {
  const HeadInfo& head = info.head;
  const HeadCacheInfo& cache = head.cache;
  const std::string file = printable(cache.file, kMaxPrintedPath);
  if (!cache.failure.empty()) {
    log_warn("{}", cache.failure);  // whatever was wrong with an earlier file
  } else if (!cache.file.empty() && !cache.used) {
    if (!cache.notice.empty()) log_info("{}", cache.notice);
    log_info("{}: {:.1f} MiB, the {} of the head, written in {:.3f} s", file, to_mib(head.extra_bytes),
             head.kind == HeadKind::int8 ? "int8 copy" : "screen", cache.save_seconds);
  }
  log_debug("head {}: {:.1f} MiB stored, {:.1f} MiB more {} in {:.3f} s", name_of(head.kind),
            to_mib(head.stored_bytes), to_mib(head.extra_bytes), cache.used ? "mapped from " + file : "made",
            head.seconds);
}

void log_sparse(const SparseInfo& sparse) {
  if (sparse.mode == SparseMode::off) return;
  const std::string gain =
      sparse.column_gain > 0
          ? fmt::format("a fifth of the columns {:.2f} times as fast as all; ", sparse.column_gain)
          : "";
  log_debug("sparse {}: {}{:.1f} MiB of columns copied, in {:.3f} s", name_of(sparse.mode), gain,
            to_mib(sparse.copied_bytes), sparse.seconds);
}

}  // namespace

const char* const kKvTypeNames = "f16, f32, q8";
const char* const kKvTypeHelp = "Precision of the KV cache: f16, f32, q8 (int8)";

KvType parse_kv_type(const std::string& name) {
  for (const KvType type : kKvTypes) {
    if (name == name_of(type)) return type;
  }
  throw UsageError("--kv-type '" + name + "' is unknown; choose from " + kKvTypeNames);
}

const char* const kActivationsHelp = "How they meet weights of two bits: rounded, or f32 for reference";
const char* const kActivationNames = "auto, int8, int8-128, int8-32, f32";

ActivationType parse_activations(const std::string& name) {
  for (const ActivationType type : {ActivationType::automatic, ActivationType::int8, ActivationType::int8_128,
                                    ActivationType::int8_32, ActivationType::f32}) {
    if (name == name_of(type)) return type;
  }
  throw UsageError("--activations '" + name + "' is unknown; choose from " + kActivationNames);
}

std::optional<HiddenAct> parse_hidden_act(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (const auto act = find_hidden_act(name)) return act;
  throw UsageError("--hidden-act '" + name + "' is unknown; choose from auto, relu2, silu");
}

std::optional<I2sLayout> parse_i2s_layout(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (const auto layout = find_i2s_layout(name)) return layout;
  throw UsageError("--i2s-layout '" + name + "' is unknown; choose from auto, " + i2s_layout_names());
}

WeightMemory parse_weights(const std::string& name) {
  if (name == "mmap") return WeightMemory::mmap;
  if (name == "repack") return WeightMemory::repack;
  throw UsageError("--weights '" + name + "' is unknown; choose from mmap, repack");
}

const char* const kSparseNames = "auto, on, off";
const char* const kSparseHelp = "Leave out zeros of relu^2: auto, on, off";

SparseMode parse_sparse(const std::string& name) {
  for (const SparseMode mode : {SparseMode::automatic, SparseMode::on, SparseMode::off}) {
    if (name == name_of(mode)) return mode;
  }
  throw UsageError("--sparse '" + name + "' is unknown; choose from " + kSparseNames);
}

std::string_view name_of(SparseMode mode) {
  switch (mode) {
    case SparseMode::automatic:
      return "auto";
    case SparseMode::on:
      return "on";
    case SparseMode::off:
      return "off";
  }
  return "?";
}

const char* const kHeadNames = "exact, int8, int8-cached, screened, screened-cached";

HeadChoice parse_head(const std::string& name) {
  for (const HeadKind kind : {HeadKind::int8, HeadKind::screened}) {
    if (name == std::string(name_of(kind)) + "-cached") return {kind, true};
  }
  for (const HeadKind kind : {HeadKind::exact, HeadKind::int8, HeadKind::screened}) {
    if (name == name_of(kind)) return {kind, false};
  }
  throw UsageError("--head '" + name + "' is unknown; choose from " + kHeadNames);
}

std::string parse_head_cache(const std::string& place) {
  if (place == "beside") return "";
  if (place == "user") {
    if (const auto path = cache_file("")) return *path;
    throw UsageError("--head-cache user: there is no cache directory of this user's; name a directory");
  }
  std::error_code error;
  if (std::filesystem::is_directory(place, error)) return place;
  throw UsageError("--head-cache '" + printable(place, kMaxPrintedPath) +
                   "' is not a directory; make it, or choose from beside, user");
}

std::string_view name_of(HeadKind kind) {
  switch (kind) {
    case HeadKind::exact:
      return "exact";
    case HeadKind::int8:
      return "int8";
    case HeadKind::screened:
      return "screened";
  }
  return "?";
}

std::string_view recorded_name_of(HeadKind kind) { return kind == HeadKind::int8 ? "int8" : "stored"; }

std::string_view name_of(WeightMemory weights) { return weights == WeightMemory::mmap ? "mmap" : "repack"; }

std::string check_backend(const std::string& name, const std::string& source) {
  std::string names = backend_names();
  std::erase(names, ' ');
  if (std::ranges::count(split_list(names), name) != 0) return name;
  throw UsageError(source + " '" + name + "' is unknown or not supported by this CPU; choose from " +
                   backend_names());
}

std::string sparse_text(const SparseWork& work) {
  const auto percent = [](std::uint64_t part, std::uint64_t whole) {
    return 100 * static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(whole, 1));
  };
  std::string gates;
  if (work.gates > 0)
    gates = fmt::format("{:.1f} % of gates at or below zero, ", percent(work.shut_gates, work.gates));
  return fmt::format(
      "{}{:.1f} % of the inputs of ffn_down zero; rows left out of {:.1f} % of ffn_up's products, columns of "
      "{:.1f} % of ffn_down's",
      gates, percent(work.zero_inputs, work.inputs), percent(work.sparse_up_products, work.up_products),
      percent(work.sparse_down_products, work.down_products));
}

void log_head_growth(const Model& model) {
  const std::uint64_t now = model.impl().head_copy_bytes();
  if (now == model.info().head.extra_bytes) return;
  log_debug(
      "head {}: {:.1f} MiB of its copy by now: searches left many rows to the bits that were made first",
      name_of(model.info().head.kind), to_mib(now));
}

void log_profile(Session& session, std::string_view what) {
  const std::vector<WorkTime> times = session.take_profile();
  double total = 0;
  for (const WorkTime& t : times) total += t.seconds;
  for (const WorkTime& t : times) {
    tell(fmt::format("{}: {:<24} {:9.3f} ms {:5.1f} %", what, t.work, 1e3 * t.seconds,
                     100 * t.seconds / std::max(total, 1e-9)));
  }
  const SparseWork sparse = session.take_sparse_work();
  if (sparse.down_products == 0) return;
  if (times.empty()) {
    log_debug("sparse: {}", sparse_text(sparse));
  } else {
    tell(fmt::format("{}: {}", what, sparse_text(sparse)));
  }
}

void ModelOptions::add_to(Command& command) {
  Option* file = command.add_option("-m,--model", model, "GGUF file; none: the canary");
  file->type_name("FILE")->envname("BITNET_MODEL")->file_ending(".gguf");
  Option* ctx_size =
      add_number(command, "-c,--ctx-size", session.ctx_size, "Context length; 0: model's, up to 4096");
  ctx_size->type_name("N");
  Option* kv_type = command.add_option(
      "--kv-type", [this](const std::string& name) { session.kv_type = parse_kv_type(name); }, kKvTypeHelp);
  kv_type->type_name("TYPE")->default_str("f16");
  kv_type->choices(kKvTypeNames);
  Option* activations = command.add_option(
      "--activations", [this](const std::string& name) { session.activations = parse_activations(name); },
      kActivationsHelp);
  activations->type_name("TYPE")->default_str("auto");
  activations->choices(kActivationNames);
  Option* head_kind = command.add_option(
      "--head", [this](const std::string& name) { head = parse_head(name); },
      "exact, screened[-cached], int8[-cached]");
  head_kind->type_name("KIND")->default_str("exact");
  head_kind->choices(kHeadNames);
  Option* cache = command.add_option(
      "--head-cache", [this](const std::string& place) { head_cache = parse_head_cache(place); },
      "Where -cached keeps its file: beside the model, user's cache, a directory");
  cache->type_name("PLACE")->default_str("beside");
  cache->choices("beside, user");
  Option* act = command.add_option(
      "--hidden-act", [this](const std::string& name) { hidden_act = parse_hidden_act(name); },
      "relu2 or silu, if the file is wrong");
  act->type_name("ACT")->default_str("auto");
  act->choices("auto, relu2, silu");
  Option* layout = command.add_option(
      "--i2s-layout", [this](const std::string& name) { i2s_layout = parse_i2s_layout(name); },
      "How I2_S lies in the file: " + i2s_layout_names());
  layout->type_name("LAYOUT")->default_str("auto");
  layout->choices("auto, " + i2s_layout_names());
  for (Option* option : {file, ctx_size, kv_type, activations, head_kind, cache, act, layout}) {
    option->group("Model");
  }

  Option* threads =
      add_number(command, "-t,--threads", session.n_threads, "Threads")->default_str("one per core");
  threads->type_name("N")->envname("BITNET_THREADS");
  const auto take_backend = [this](const std::string& name, const std::string& source) {
    session.backend = check_backend(name, source);
  };
  Option* backend = command.add_option("--backend", take_backend, "Instruction set: " + backend_names());
  backend->type_name("NAME")->envname("BITNET_BACKEND")->default_str(session.backend);
  backend->choices(backend_names());
  Option* chunk =
      add_number(command, "--prefill-chunk", session.prefill_chunk, "Prompt tokens computed together");
  chunk->type_name("N");
  Option* pin = command.add_flag("--pin", session.pin_threads, "Keep each thread on a core of its own");
  Option* weights = command.add_option(
      "--weights", [this](const std::string& name) { this->weights = parse_weights(name); },
      "mmap, or repack: copied to large pages");
  weights->type_name("HOW")->default_str("mmap");
  weights->choices("mmap, repack");
  Option* sparse_mode = command.add_option(
      "--sparse", [this](const std::string& name) { sparse = parse_sparse(name); }, kSparseHelp);
  sparse_mode->type_name("MODE")->default_str("auto");
  sparse_mode->choices(kSparseNames);
  for (Option* option : {threads, backend, chunk, pin, weights, sparse_mode}) option->group("Machine");

  command.add_flag("-q,--quiet", quiet, "Only errors on stderr")->group("Messages");
  command.add_flag("-v,--verbose", verbose, "More detail on stderr")->group("Messages");
  command.add_flag("--profile", session.profile, "Time by kind of work, on stderr")->group("Messages");
}

Model load_model(const ModelOptions& options, HeadKind head_kind) {
  const auto start = std::chrono::steady_clock::now();
  // Reading the file through gains nothing from more threads than cores.
  const unsigned n_cores = usable_cores();
  const unsigned wanted = options.session.n_threads;
  const unsigned threads = wanted == 0 ? n_cores : std::min(wanted, n_cores);
  if (options.model.empty()) {
    say_builtin_model();
  } else {
    check_model_exists(options.model);
  }
  const HeadChoice head_choice = options.head.value_or(HeadChoice{head_kind});
  if (options.head_cache && !head_choice.cached) {
    throw UsageError("--head-cache has no effect without --head screened-cached or int8-cached; add one");
  }
  ProgressBar bar(options.quiet, "loading", kLongLoad);
  const LoadOptions load{.n_threads = threads,
                         .weights = options.weights,
                         .head = head_choice.kind,
                         .sparse = options.sparse,
                         .hidden_act = options.hidden_act,
                         .i2s_layout = options.i2s_layout,
                         .cache_head = head_choice.cached,
                         .head_cache_directory = options.head_cache.value_or(""),
                         .checked_list = options.model.empty() ? "" : cache_file("checked").value_or(""),
                         .is_sound = options.model.empty(),  // the tests see to it
                         .on_progress = [&](double done) {
                           bar.update(done);
                           return !interrupted();
                         }};
  Model model = options.model.empty() ? Model::from_bytes(builtin_model(), kBuiltinModelName, load)
                                      : Model::load(options.model, load);
  bar.clear();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const ModelInfo& info = model.info();
  if (!info.read_notice.empty()) log_info("{}", info.read_notice);
  const std::string file = printable(info.file, kMaxPrintedPath);
  for (const std::string& warning : info.warnings) log_warn("{}: {}", file, warning);
  for (const std::string& assumption : info.assumptions) log_info("{}: {}", file, assumption);
  for (const std::string& note : info.notes) log_debug("{}: {}", file, note);
  log_debug(
      "model {}: {} ({}), {} layers, hidden {}, {} heads over {}, ffn {}, vocabulary {}, context {}, {} head",
      file, printable(info.name, kMaxPrintedName), info.architecture, info.n_layers, info.hidden,
      info.n_heads, info.n_kv_heads, info.ffn, info.vocab, info.context_length,
      info.tied_output ? "tied" : "separate");
  log_debug("hidden activation {}: {}", name_of(info.hidden_act.act), info.hidden_act.reason);
  log_layout(info.i2s);
  log_debug("loaded {:.1f} MiB in {:.3f} s", to_mib(info.file_bytes), seconds.count());
  if (options.session.ctx_size > info.context_length) {
    log_warn(
        "--ctx-size {}: {} was made for {} tokens; what stands further on is like nothing that it has seen, "
        "and "
        "text may fall apart there",
        options.session.ctx_size, file, info.context_length);
  }
  if (options.i2s_layout && !info.i2s.layout) {
    throw UsageError(fmt::format("--i2s-layout {}: {} has no I2_S tensors; leave it out",
                                 name_of(*options.i2s_layout), file));
  }
  if (options.head && options.head->kind != info.head.kind) {
    // Of int8 other logits are expected; the screened head would give those that come now.
    const std::string why = fmt::format(
        "the head of {} is used as it is: its type is so small that --head {} "
        "gains nothing",
        file, name_of(options.head->kind));
    if (options.head->kind == HeadKind::int8) throw UsageError(why + "; leave it out");
    log_info("{}", why);
  }
  log_head(info);
  log_sparse(info.sparse);
  log_memory("after loading");
  return model;
}

Session make_session(const Model& model, const ModelOptions& options) {
  Session session(model, options.session);
  warn_of_many_threads(session.n_threads());
  log_debug("backend {}, {} threads, activations {}, context {}, KV cache {:.1f} MiB reserved",
            session.backend(), session.n_threads(), name_of(session.activations()), session.ctx_size(),
            to_mib(session.kv_bytes()));
  return session;
}

}  // namespace bitnet::cli
