// What is behind a Model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/head/head_cache.h"
#include "model/head/head_copy.h"
#include "model/head/head_screen.h"
#include "model/model_identity.h"
#include "model/rare_rows.h"
#include "model/read_vocabulary.h"
#include "model/sparse_weights.h"
#include "model/weights.h"

namespace bitnet {

struct Model::Impl {
  Impl(gguf::File opened, const LoadOptions& options);

  void make_head(const LoadOptions& options);
  void make_columns(const LoadOptions& options);
  void use_head(const quant::Matrix& stored, std::optional<MappedFile> copy, ThreadPool& pool, bool is_kept);
  std::span<const std::byte> head_copy() const {
    return int8_head ? int8_head->bytes() : head_screen->bytes();
  }
  // Of the head's copy there is by now so much.
  std::uint64_t head_copy_bytes() const {
    return int8_head ? int8_head->bytes().size() : head_screen ? head_screen->made_bytes() : 0;
  }
  const RareRows* rows_of_embedding() const { return embedding_rows ? &*embedding_rows : nullptr; }
  const RareRows* rows_of_head() const {
    if (weights.output.data == weights.token_embd.data) return rows_of_embedding();
    return separate_head_rows ? &*separate_head_rows : nullptr;
  }
  HeadOrigin head_origin() const;
  // What tells this model from every other, found when it is first asked for: that takes a millisecond or so
  // for a large one.
  std::uint64_t identity() const {
    std::call_once(is_identified, [this] { found_identity = model_identity(file); });
    return found_identity;
  }
  void keep_head(const HeadCache& cache, const LoadOptions& options, ThreadPool& pool);
  void note_rare_rows(const LoadOptions& options);
  void warn_of_little_room();
  void warn_of_shrunk_values();

  // The largest stretch of the file that is read all the time, or the copies of its matrices.
  std::span<const std::byte> weight_memory() const {
    const AnonymousMemory& copies =
        weights.lanes.size() > weights.repacked.size() ? weights.lanes : weights.repacked;
    if (copies.size() > 0) return {static_cast<const std::byte*>(copies.data()), copies.size()};
    std::span<const std::byte> largest;
    for (const auto& bytes : read_always) {
      if (bytes.size() > largest.size()) largest = bytes;
    }
    return largest;
  }

  gguf::File file;  // everything below points into it
  ModelInfo info;
  Config config;
  std::future<FileTokenizer> vocabulary_to_come;  // while the weights are read
  Weights weights;
  bool has_i2_s = false;              // among the matrices
  bool has_lanes = false;             // matrices of coded types
  std::optional<Int8Head> int8_head;  // where it is there, weights.output
  std::optional<HeadScreen> head_screen;
  SparseWeights columns;
  std::vector<std::span<const std::byte>> read_always;  // what is left of the file without these two
  std::optional<RareRows> embedding_rows;               // if only rows of it are read
  std::optional<RareRows> separate_head_rows;           // likewise of weights.output, if it is not tied
  FileTokenizer vocabulary;
  ChatHints chat_hints;
  mutable std::once_flag is_identified;
  mutable std::uint64_t found_identity = 0;
};

}  // namespace bitnet
