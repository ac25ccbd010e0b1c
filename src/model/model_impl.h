// What is behind a Model.
#pragma once

#include <cstddef>
#include <future>
#include <optional>
#include <span>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/head/head_cache.h"
#include "model/head/head_copy.h"
#include "model/head/head_screen.h"
#include "model/read_vocabulary.h"
#include "model/sparse_weights.h"
#include "model/weights.h"

namespace bitnet {

struct Model::Impl {
  Impl(gguf::File opened, const LoadOptions& options);

  void make_head(const LoadOptions& options);
  void make_columns(const LoadOptions& options);
  HeadOrigin head_origin() const;
  void keep_head(const HeadCache& cache, const LoadOptions& options, ThreadPool& pool);

  // All of the file, or of the largest of its parts, or the copies of its matrices.
  std::span<const std::byte> weight_memory() const {
    const AnonymousMemory& copies =
        weights.lanes.size() > weights.repacked.size() ? weights.lanes : weights.repacked;
    if (copies.size() > 0) return {static_cast<const std::byte*>(copies.data()), copies.size()};
    std::span<const std::byte> largest = file.bytes();
    for (std::size_t i = 1; i < file.n_parts(); ++i) {
      if (file.part(i).bytes().size() > largest.size()) largest = file.part(i).bytes();
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
  FileTokenizer vocabulary;
  ChatHints chat_hints;
};

}  // namespace bitnet
