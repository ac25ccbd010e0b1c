#include "bitnet/model.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <span>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "base/seconds_since.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "model/checked_files.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_choice.h"
#include "model/i2s/layout_copy.h"
#include "model/lane_weights.h"
#include "model/model_impl.h"
#include "model/repack.h"
#include "model/row_scaled_copies.h"
#include "quant/lopsided.h"

namespace bitnet {
namespace {

constexpr std::size_t kPopulatedBytes = std::size_t{16} << 20;  // at a time: a few tenths of a millisecond
constexpr std::size_t kReportedBytes = std::size_t{128} << 20;  // between two reports of progress

// Of the inputs of ffn_down that trained models of relu^2 have above or below zero.
constexpr double kTypicalColumns = 0.2;
// Rows, on which it is measured, take a little less arithmetic than columns.
constexpr double kLeastColumnGain = 1.1;

Config read_config_with(const gguf::File& file, const LoadOptions& options, ModelInfo& info) {
  Config config = read_config(file, info.notes);
  info.hidden_act = decide_hidden_act(file, config, options.hidden_act);
  config.gate_activation = gate_activation_of(info.hidden_act.act);
  if (info.hidden_act.certainty != Certainty::said) {
    info.assumptions.push_back("it is run with " + std::string(name_of(info.hidden_act.act)) + ": " +
                               info.hidden_act.reason + " (--hidden-act has the last word)");
  }
  return config;
}

[[noreturn]] void refuse_to_go_on(const gguf::File& file) {
  throw RuntimeError(printable(file.name(), kMaxPrintedPath) + ": loading was ended by request");
}

// Bringing the file in from the disk is what loading takes its time for.
void populate(const gguf::File& file, std::span<const std::span<const std::byte>> wanted, ThreadPool& pool,
              const LoadOptions& options) {
  double n_bytes = 0;
  for (const auto& bytes : wanted) n_bytes += static_cast<double>(bytes.size());
  std::uint64_t done = 0;
  for (const auto& bytes : wanted) {
    for (std::size_t at = 0; at < bytes.size(); at += kReportedBytes) {
      if (options.on_progress && !options.on_progress(static_cast<double>(done) / n_bytes)) {
        refuse_to_go_on(file);
      }
      const auto stretch = bytes.subspan(at, std::min(kReportedBytes, bytes.size() - at));
      pool.parallel_for(stretch.size(), kPopulatedBytes, [&](std::size_t begin, std::size_t end) {
        file.populate(stretch.subspan(begin, end - begin));
      });
      done += stretch.size();
    }
  }
}

// In the layout that the kernels read, whatever the file has.
void arrange_i2s(Weights& weights, const gguf::File& file, const LayoutChoice& choice, ThreadPool& pool,
                 ModelInfo& info) {
  info.i2s = choice.info;
  if (!info.i2s.layout) return;
  const auto start = std::chrono::steady_clock::now();
  info.i2s.copied_bytes = copy_from_layout(*info.i2s.layout, weights, file, pool);
  info.i2s.seconds = seconds_since(start);
  const std::string last_word = " (--i2s-layout has the last word)";
  if (info.i2s.certainty == Certainty::assumed) {
    info.assumptions.push_back("in which layout its I2_S tensors are cannot be told; they are read as x86" +
                               last_word);
  } else if (info.i2s.certainty == Certainty::concluded && info.i2s.layout != I2sLayout::x86) {
    info.assumptions.push_back("its I2_S tensors are in the layout " +
                               std::string(name_of(*info.i2s.layout)) +
                               ", not in that of x86, and were copied" + last_word);
  }
}

// Reading every code takes as long as the rest of loading, and telling their layout some more; of files that
// have not changed since it needs to be done once.
Weights read_checked_weights(const gguf::File& file, const Config& config,
                             std::span<const std::span<const std::byte>> rare, ThreadPool& pool,
                             const LoadOptions& options, ModelInfo& info) {
  CheckedFiles::Known known;
  std::optional<CheckedFiles> checked;
  if (options.is_sound) {
    known = {.is_sound = std::vector<bool>(file.n_parts(), true), .layout = LayoutVerdict::x86};
  } else if (!options.checked_list.empty()) {
    known = checked.emplace(options.checked_list, options.checked_min_age).find(file);
  }
  Weights weights = read_weights(file, config, known.is_sound, rare, pool);
  const LayoutChoice choice = choose_i2s_layout(file, weights, options.i2s_layout, known.layout, pool);
  const bool is_news =
      std::ranges::find(known.is_sound, false) != known.is_sound.end() || choice.verdict != known.layout;
  if (checked && is_news) checked->add(file, choice.verdict);
  arrange_i2s(weights, file, choice, pool, info);
  return weights;
}

// Telling the layout of I2_S brought these in.
void give_back_judged(const Weights& weights, const gguf::File& file,
                      std::span<const std::span<const std::byte>> rare) {
  for (const quant::Matrix* w : {&weights.token_embd, &weights.output}) {
    if (w->type != quant::TensorType::i2_s) continue;
    const auto at = std::ranges::find(rare, w->data, &std::span<const std::byte>::data);
    if (at != rare.end()) file.give_back(*at);
  }
}

// The pool lives only as long as the weights are checked and copied.
Weights read_weights_with(const gguf::File& file, const Config& config, const LoadOptions& options,
                          ModelInfo& info) {
  ThreadPool pool(options.n_threads);
  const auto rare = rare_matrices(file, options.head);
  populate(file, without(file, rare), pool, options);
  Weights weights = read_checked_weights(file, config, rare, pool, options, info);
  give_back_judged(weights, file, rare);
  copy_row_scaled(weights, file, pool);
  copy_to_lanes(weights, file, pool, [&] { return !options.on_progress || options.on_progress(1); });
  if (options.weights == WeightMemory::repack) {
    repack(weights, file, rare, pool);
    weights.i2s_copies = AnonymousMemory();
    weights.row_scaled_copies = AnonymousMemory();
  }
  return weights;
}

// One thread's work, which goes on beside that for the weights: much of that waits for memory.
std::future<FileTokenizer> start_reading_tokenizer(const gguf::File& file, unsigned n_threads) {
  const auto read = [&file] { return read_tokenizer(file); };
  if (n_threads > 1) {
    try {
      return std::async(std::launch::async, read);
    } catch (const std::system_error&) {
      // No more threads: then it comes afterwards.
    }
  }
  return std::async(std::launch::deferred, read);
}

}  // namespace

void Model::Impl::make_head(const LoadOptions& options) {
  const quant::Matrix stored = weights.output;
  info.head.stored_bytes = quant::n_bytes_of(stored);
  if (!is_head_copied(options.head, quant::info(stored.type), stored.rows, stored.cols)) return;
  const auto start = std::chrono::steady_clock::now();
  ThreadPool pool(options.n_threads);
  std::optional<HeadCache> cache;
  std::optional<MappedFile> copy;
  if (options.cache_head) {
    cache.emplace(HeadCache::path_of(file.name(), options.head, options.head_cache_directory), options.head,
                  head_origin(), stored);
    copy = cache->open(pool);
  }
  const bool is_made = !copy;
  info.head.kind = options.head;
  use_head(stored, std::move(copy), pool, cache.has_value());
  info.head.extra_bytes = head_copy_bytes();
  info.head.seconds = seconds_since(start);
  if (!cache) return;
  info.head.cache.file = cache->path();
  info.head.cache.used = !is_made;
  info.head.cache.notice = cache->notice();
  if (is_made) keep_head(*cache, options, pool);
}

// The copy that was made before, or a new one, which may be kept in a file.
void Model::Impl::use_head(const quant::Matrix& stored, std::optional<MappedFile> copy, ThreadPool& pool,
                           bool is_kept) {
  if (info.head.kind == HeadKind::int8) {
    copy ? int8_head.emplace(stored, std::move(*copy), HeadCache::kOffset)
         : int8_head.emplace(stored, pool, &file);
    weights.output = int8_head->matrix;
  } else {
    // A file is written with all bits, for whoever reads it.
    using enum HeadScreen::Depth;
    copy ? head_screen.emplace(stored, std::move(*copy), HeadCache::kOffset, five_bits)
         : head_screen.emplace(stored, pool, &file, is_kept ? all_bits : five_bits);
  }
}

// Where leaving columns out would not pay on this machine, memory for a copy of them is not spent, nor where
// there is none to spare.
void Model::Impl::make_columns(const LoadOptions& options) {
  if (options.sparse == SparseMode::off || !can_leave_out_zeros(config, weights)) return;
  const auto start = std::chrono::steady_clock::now();
  SparseInfo& sparse = info.sparse;
  sparse.mode = options.sparse;
  ThreadPool pool(options.n_threads);
  if (sparse.mode == SparseMode::automatic)
    sparse.column_gain = measure_column_gain(weights, kernels::find("auto"), pool, kTypicalColumns);
  const bool pays =
      sparse.column_gain > kLeastColumnGain && column_copy_bytes(weights) <= memory_room().bytes;
  if (sparse.mode == SparseMode::on || pays) {
    columns = copy_by_columns(weights, file, pool);
    sparse.copied_bytes = columns.memory.size();
  }
  sparse.seconds = seconds_since(start);
}

// A copy that cannot be kept is no reason not to run.
void Model::Impl::keep_head(const HeadCache& cache, const LoadOptions& options, ThreadPool& pool) {
  const auto start = std::chrono::steady_clock::now();
  const auto keep_going = [&] { return !options.on_progress || options.on_progress(1); };
  bool is_kept = false;
  try {
    is_kept = cache.save(head_copy(), pool, keep_going);
  } catch (const RuntimeError& e) {
    info.head.cache.failure = e.what();
    return;
  }
  if (!is_kept) refuse_to_go_on(file);
  info.head.cache.save_seconds = seconds_since(start);
}

void Model::Impl::note_rare_rows(const LoadOptions& options) {
  const auto rare = rare_matrices(file, options.head);
  read_always = without(file, rare);
  for (const auto& bytes : rare) {
    if (bytes.data() == weights.token_embd.data) {
      embedding_rows.emplace(file, bytes);
    } else if (bytes.data() == weights.output.data) {
      separate_head_rows.emplace(file, bytes);
    }
  }
}

// By their first rows, which are enough to tell.
void Model::Impl::warn_of_shrunk_values() {
  constexpr std::size_t kRows = 64;
  std::size_t n = 0;
  for_each_matrix(weights, [&](const quant::Matrix& w) {
    if (&w == &weights.output && weights.tied_output) return;
    if (!quant::lopsided::may_be(w.type)) return;
    n += quant::lopsided::count_shrunk(w, 0, std::min(w.rows, kRows)).value_or(0) > 0 ? 1U : 0U;
  });
  if (n == 0) return;
  info.warnings.push_back("the ternary values of " + std::to_string(n) + (n == 1 ? " matrix" : " matrices") +
                          " were rounded to Q4_0 or Q5_0, which makes one sign of them smaller: bitnet "
                          "convert gives them back what they were");
}

// What is mapped gives way to other memory, and is then read from the disk once more: nothing fails, but it
// is slow beyond what anybody expects.
void Model::Impl::warn_of_little_room() {
  if (!file.identity() || !info.read_notice.empty() || weights.lanes.size() + weights.repacked.size() > 0)
    return;
  std::uint64_t n_bytes = 0;
  for (const auto& bytes : read_always) n_bytes += bytes.size();
  const MemoryRoom room = physical_memory_room();
  if (n_bytes <= room.bytes) return;
  info.warnings.push_back(in_mib(n_bytes) + " of it are read for every token, with " + in_mib(room.bytes) +
                          " left " + room.where + ": much of it will come from the disk each time");
}

HeadOrigin Model::Impl::head_origin() const {
  const gguf::Tensor* tensor = file.find_tensor(weights.tied_output ? "token_embd.weight" : "output.weight");
  const FileIdentity identity =
      file.part(tensor != nullptr ? tensor->part : 0).identity().value_or(FileIdentity{});
  return {.file_bytes = identity.size,
          .file_modified = identity.modified,
          .tensor_offset = tensor != nullptr ? tensor->file_offset : 0};
}

Model::Impl::Impl(gguf::File opened, const LoadOptions& options)
    : file(std::move(opened)),
      config(read_config_with(file, options, info)),
      vocabulary_to_come(start_reading_tokenizer(file, options.n_threads)),
      weights(read_weights_with(file, config, options, info)),
      vocabulary(vocabulary_to_come.get()) {
  info.file = file.name();
  info.name = printable(file.get_string("general.name").value_or(""), kMaxPrintedName);
  info.architecture = config.architecture;
  info.n_layers = config.n_layers;
  info.hidden = config.hidden;
  info.n_heads = config.n_heads;
  info.n_kv_heads = config.n_kv_heads;
  info.head_dim = config.head_dim;
  info.ffn = config.ffn;
  info.vocab = config.vocab;
  info.context_length = config.context_length;
  info.file_bytes = file.size();
  info.n_files = file.n_parts();
  info.read_notice = file.read_notice();
  info.tied_output = weights.tied_output;
  info.warnings = vocabulary.warnings;
  warn_of_shrunk_values();
  for_each_matrix(weights, [&](const quant::Matrix& w) {
    has_i2_s |= w.type == quant::TensorType::i2_s;
    has_lanes |= w.type == quant::TensorType::lanes;
  });
  // BitNet models round each token's activations with one scale, in training as here. Others know no
  // rounding: the finer, the nearer.
  const bool is_bitnet = has_i2_s || config.sub_norms || !has_lanes;
  info.activations = is_bitnet ? ActivationType::int8 : ActivationType::int8_32;
  make_head(options);
  make_columns(options);
  note_rare_rows(options);
  warn_of_little_room();
  chat_hints = {.architecture = config.architecture,
                .chat_template = file.get_string("tokenizer.chat_template").value_or("")};
}

Model Model::load(const std::string& path, const LoadOptions& options) {
  return Model(std::make_unique<Impl>(gguf::File::open(path, options.on_progress), options));
}

Model Model::from_bytes(std::span<const std::byte> bytes, const std::string& name,
                        const LoadOptions& options) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 != 0) {
    throw UsageError(name + ": a model in memory must be aligned to 64 bytes");
  }
  if (options.cache_head) {
    throw OptionError("", "cache_head",
                      " keeps the copy of the head by the name of the model's file, and the " + name +
                          " has none; load a file, or keep no copy");
  }
  return Model(std::make_unique<Impl>(gguf::File::from_bytes(bytes, name), options));
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const ModelInfo& Model::info() const { return impl_->info; }
const Tokenizer& Model::tokenizer() const { return impl_->vocabulary.tokenizer; }
void Model::require_text() const { bitnet::require_text(impl_->file.name(), impl_->vocabulary.spelling); }

ChatHints Model::chat_hints() const { return impl_->chat_hints; }

}  // namespace bitnet
