// Models of a given shape with random weights: what speed is measured on when there is no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "gguf/writer.h"
#include "model/synthetic/random_blocks.h"
#include "model/synthetic/shape.h"
#include "model/synthetic/shut_gates.h"

namespace bitnet {

// A GGUF file with the matrices in the shape's types and F32 norms, scaled so that activations stay of order
// one through all layers. The tokens are spelled "t0", "t1", ...: there is no text for it. Equal shapes and
// seeds give equal bytes, whatever the number of threads.
class SyntheticModel {
 public:
  // Throws OptionError for a shape that no model could have.
  SyntheticModel(const SyntheticShape& shape, std::uint64_t seed);

  std::uint64_t file_size() const { return header_.file_size(); }

  // Hands the file to the sink piece by piece, from its first byte to its last; no more than some tens of
  // megabytes are held at a time. on_progress is called now and then, on the calling thread, with the share
  // that is done; false ends the work with a RuntimeError. What the sink throws is passed on.
  using Sink = std::function<void(std::span<const std::byte>)>;
  void write(ThreadPool& pool, const Sink& sink,
             const std::function<bool(double fraction)>& on_progress = {}) const;

 private:
  struct Tensor {
    const SyntheticType* type;
    std::uint64_t rows;
    std::uint64_t cols;
    float deviation;  // of the weights; 0: of a norm, around 1
    GateShuttingPart shutting{};
  };
  void add_keys(const SyntheticShape& shape, const SyntheticFamily& family);
  void add_tensors(const SyntheticShape& shape, const SyntheticFamily& family);
  void add(const std::string& name, std::string_view type, std::initializer_list<std::uint64_t> dims,
           float deviation);
  void add_norm(const std::string& name, std::size_t n);

  std::uint64_t seed_;
  gguf::Writer header_;
  std::vector<Tensor> tensors_;  // as they lie in the file
};

// The same in memory, for Model::from_bytes. Throws RuntimeError when the memory cannot be had, too.
AnonymousMemory make_synthetic_model(const SyntheticShape& shape, std::uint64_t seed, ThreadPool& pool,
                                     const std::function<bool(double fraction)>& on_progress = {});

}  // namespace bitnet
