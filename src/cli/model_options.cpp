#include "cli/model_options.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <map>

#include "base/cpu_count.h"
#include "cli/builtin_model.h"
#include "cli/memory_use.h"

namespace bitnet::cli {
namespace {

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void log_memory(const char* when) {
  const MemoryUse m = memory_use();
  spdlog::debug("memory {}: peak {:.1f} MiB; own {:.1f} MiB, mapped {:.1f} MiB", when, mib(m.peak_bytes),
                mib(m.own_bytes), mib(m.mapped_bytes));
}

}  // namespace

void ModelOptions::add_to(CLI::App& command) {
  command.add_option("-m,--model", model, "Model file (GGUF); default: the built-in canary")
      ->envname("BITNET_MODEL")
      ->type_name("FILE")
      ->group("Model");
  command
      .add_option("-c,--ctx-size", session.ctx_size,
                  "Most tokens in the sequence; 0: the model's, at most 4096")
      ->capture_default_str()
      ->type_name("N")
      ->group("Model");
  command.add_option("--kv-type", session.kv_type, "Precision of the KV cache: f16 or f32")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, KvType>{{"f16", KvType::f16}, {"f32", KvType::f32}})
              .description(""))
      ->default_str("f16")
      ->type_name("TYPE")
      ->group("Model");
  command.add_option("-t,--threads", session.n_threads, "Threads; 0: one per usable physical core")
      ->envname("BITNET_THREADS")
      ->capture_default_str()
      ->type_name("N")
      ->group("Machine");
  command.add_option("--backend", session.backend, "Instruction set: " + backend_names())
      ->envname("BITNET_BACKEND")
      ->capture_default_str()
      ->type_name("NAME")
      ->group("Machine");
  command.add_option("--prefill-chunk", session.prefill_chunk, "Prompt tokens computed together")
      ->capture_default_str()
      ->type_name("N")
      ->group("Machine");
  command.add_flag("-q,--quiet", quiet, "Errors only on stderr")->group("Messages");
  command.add_flag("-v,--verbose", verbose, "More detail on stderr")->group("Messages");
}

Model load_model(const ModelOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const unsigned threads = options.session.n_threads == 0 ? usable_cores() : options.session.n_threads;
  if (options.model.empty()) spdlog::info("no model given: using the {} model", kBuiltinModelName);
  Model model = options.model.empty() ? Model::from_bytes(builtin_model(), kBuiltinModelName, threads)
                                      : Model::load(options.model, threads);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const ModelInfo& info = model.info();
  for (const std::string& note : info.notes) spdlog::debug("{}: {}", info.file, note);
  spdlog::debug(
      "model {}: {} ({}), {} layers, hidden {}, {} heads over {}, ffn {}, vocabulary {}, context {}, {} head",
      info.file, info.name, info.architecture, info.n_layers, info.hidden, info.n_heads, info.n_kv_heads,
      info.ffn, info.vocab, info.context_length, info.tied_output ? "tied" : "separate");
  spdlog::debug("loaded {:.1f} MiB in {:.3f} s", mib(info.file_bytes), seconds.count());
  log_memory("after loading");
  return model;
}

Session make_session(const Model& model, const ModelOptions& options) {
  Session session(model, options.session);
  spdlog::debug("backend {}, {} threads, context {}, KV cache {:.1f} MiB reserved", session.backend(),
                session.n_threads(), session.ctx_size(), mib(session.kv_bytes()));
  return session;
}

}  // namespace bitnet::cli
