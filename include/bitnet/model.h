// A model file, loaded: mapped weights, checked metadata, tokenizer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/export.h"
#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// How the LM head is used. `exact` and `screened` give the same bits; the others' copies are made at loading.
enum class HeadKind {
  exact,     // as stored, every row
  int8,      // from a copy rounded to int8: half the bytes of F16, other logits
  screened,  // where a sampler asks for the best tokens only, a copy in few bits tells which rows can matter
};

// The copy of the head in a file: LoadOptions::cache_head.
struct HeadCacheInfo {
  std::string file;         // its path; empty: none was asked for, or there is no copy
  bool used = false;        // the copy is what the file held, mapped: processes share its memory
  std::string notice;       // why the file that was there was not used; empty otherwise
  std::string failure;      // why the copy could not be written to it; empty otherwise
  double save_seconds = 0;  // that writing it took
};

struct HeadInfo {
  HeadKind kind = HeadKind::exact;  // exact for a head of so few bits that a copy gains nothing
  std::uint64_t stored_bytes = 0;   // in the file
  std::uint64_t extra_bytes = 0;    // of the copy as it was made: of a screen five of the seven bits, until
                                    // searches leave so many rows that the others pay
  double seconds = 0;               // that making it, or reading it from the cache, took
  HeadCacheInfo cache;
};

// What the feed-forward network does with its gate before it multiplies what goes up: relu(x)^2 or
// x / (1 + exp(-x)).
enum class HiddenAct { relu2, silu };

// How something is known that a file need not say.
enum class Certainty {
  said,       // by the file, or by whoever loaded it
  concluded,  // from what else is in the file
  assumed,    // for want of anything better, or against what else is in the file
};

struct HiddenActInfo {
  HiddenAct act = HiddenAct::silu;
  Certainty certainty = Certainty::said;
  std::string reason;  // for people: "its key llama.hidden_activation says so"
};

// How the 2-bit codes of I2_S tensors lie in a file, which its header doesn't say: as Microsoft's tools write
// them on x86, on ARM, or on x86 without one of their build options.
enum class I2sLayout { x86, arm, rows4 };

struct I2sInfo {
  std::optional<I2sLayout> layout;  // nullopt: the file has no I2_S tensors
  Certainty certainty = Certainty::said;
  std::string reason;              // for people
  std::uint64_t copied_bytes = 0;  // of tensors that were copied to the layout of x86, which is what runs
  double seconds = 0;              // that took
};

// Whether passes of one to four tokens leave out what is zero in the feed-forward network of a model with
// relu^2 and I2_S weights: rows of ffn_up whose gate is at or below zero, and columns of ffn_down whose int8
// input is zero. It changes no bit.
enum class SparseMode {
  automatic,  // for each product where it is the faster way on this machine now, by the times both ways take
  on,         // always
  off,        // never
};

struct SparseInfo {
  SparseMode mode = SparseMode::off;  // off for a model that has nothing to leave out, whatever was asked for
  // How many times as fast a fifth of the columns of ffn_down would be read and multiplied as all of them,
  // measured at loading; 0: it was not.
  double column_gain = 0;
  std::uint64_t copied_bytes =
      0;  // of ffn_down by columns: always with on, else where column_gain pays and there is room
  double seconds = 0;  // that measuring and copying took
};

// What passes of one to four tokens met, and what they left out, all layers together.
struct SparseWork {
  std::uint64_t gates = 0;                 // that were looked at, of all tokens: of sparse up products
  std::uint64_t shut_gates = 0;            // of them at or below zero
  std::uint64_t inputs = 0;                // of ffn_down, int8
  std::uint64_t zero_inputs = 0;           // of them
  std::uint64_t up_products = 0;           // one for each layer of a pass
  std::uint64_t sparse_up_products = 0;    // of them those that left rows out
  std::uint64_t down_products = 0;         // likewise
  std::uint64_t sparse_down_products = 0;  // of them those that left columns out
};

// What a model is, for people.
struct ModelInfo {
  std::string file;          // path, or the name given for bytes in memory
  std::string name;          // general.name; may be empty
  std::string architecture;  // general.architecture
  std::size_t n_layers = 0;
  std::size_t hidden = 0;
  std::size_t n_heads = 0;
  std::size_t n_kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t ffn = 0;
  std::size_t vocab = 0;
  std::size_t context_length = 0;
  std::uint64_t file_bytes = 0;                       // of all parts, if it is split
  std::size_t n_files = 1;                            // parts
  bool tied_output = false;                           // the embedding serves as the LM head
  ActivationType activations = ActivationType::int8;  // what ActivationType::automatic stands for
  HeadInfo head;
  HiddenActInfo hidden_act;
  I2sInfo i2s;
  SparseInfo sparse;
  std::vector<std::string> assumptions;  // on which the logits depend, and which the file does not say
  std::vector<std::string> notes;        // what was found and ignored
  std::vector<std::string> warnings;     // what is wrong with the file and does not keep it from being used
  std::string read_notice;               // that and why the file was read into memory; empty: it is mapped
};

// Where the weights are while the model is used.
enum class WeightMemory {
  mmap,    // where they lie in the file: nothing is copied, processes share the pages
  repack,  // copied to memory of our own, in large pages and on cache lines; the file's pages are given back
};

struct LoadOptions {
  unsigned n_threads = 1;  // that check the ternary codes, and copy the weights if that is asked for
  WeightMemory weights = WeightMemory::mmap;
  HeadKind head = HeadKind::exact;
  SparseMode sparse = SparseMode::automatic;
  // Whatever the file says. None: as hidden_activation among its keys says, or by what kind of model it is.
  std::optional<HiddenAct> hidden_act{};
  // Of I2_S tensors. None: by a key of the file, or by what its weights show; x86 where nothing tells.
  std::optional<I2sLayout> i2s_layout{};
  // Of HeadKind::int8 or screened: uses the copy in FILE.int8-head or FILE.screened-head if that is whole and
  // of this very file, otherwise makes the copy and puts it there. Nothing that is wrong with that file ends
  // the loading; HeadCacheInfo tells. A model from memory refuses it (UsageError).
  bool cache_head = false;
  // Where that file is instead of beside the model's: a directory that is there.
  std::string head_cache_directory{};
  // A file that lists model files whose data was found sound, and that are not read through again before they
  // change; this one is added when it is at least so old (a younger one might change without a trace in its
  // times). Made if its directory is there, and of no consequence if that cannot be. Empty: none.
  std::string checked_list{};
  std::chrono::seconds checked_min_age{60};
  // Its data is known to be sound and is not read through: for a model that is part of the program.
  bool is_sound = false;
  // Called now and then, on the loading thread, with the share of the work that is done, 0 to 1. False ends
  // the loading with a RuntimeError.
  std::function<bool(double fraction)> on_progress{};
};

// Immutable once loaded: any number of sessions, on any threads, may use one model.
class Model {
 public:
  // Maps a GGUF file, or all parts of a split one whichever is named, and reads its ternary codes through
  // once to check them. Throws ModelError for a file that is refused, RuntimeError when threads or memory
  // cannot be had.
  static Model load(const std::string& path, const LoadOptions& options = {});
  // The same for a file that is in memory already. `bytes` must outlive the model and be aligned to 64.
  static Model from_bytes(std::span<const std::byte> bytes, const std::string& name,
                          const LoadOptions& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelInfo& info() const;
  const Tokenizer& tokenizer() const;
  // Throws ModelError if text can never be turned into tokens of this model: weights made up for tests and
  // measurements come with tokens that spell nothing, and are good for token ids only.
  void require_text() const;
  // What the file says that bears on the choice of a chat template.
  ChatHints chat_hints() const;

  struct Impl;  // internal
  const Impl& impl() const { return *impl_; }

 private:
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet
