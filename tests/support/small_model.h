// Whole models of a few hundred kilobytes, valid until a test changes something.
//
//   SmallModel m("llama");
//   m.set("llama.block_count", std::uint32_t{3});
//   EXPECT_TRUE(is_refused(m, {"tensor blk.2.attn_norm.weight", "missing"}));
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/types.h"
#include "support/gguf_builder.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::test {

inline constexpr std::uint32_t kF32 = 0;
inline constexpr std::uint32_t kF16 = 1;
inline constexpr std::uint32_t kI2S = 36;

struct SmallShape {
  std::size_t layers = 2;
  std::size_t hidden = 128;
  std::size_t heads = 4;
  std::size_t kv_heads = 2;
  std::size_t head_dim = 0;  // 0: hidden / heads, and no key says so
  std::size_t ffn = 256;
  std::size_t experts = 4;               // of an architecture that has such, each of width ffn
  std::size_t experts_used = 2;          // by a token
  std::optional<bool> sentence_piece{};  // the vocabulary's kind; none: as the architecture's files have it
  std::size_t vocab = 300;  // at least 5; from 260 on all bytes have a token, and below 60 no text is taken
};

struct SmallTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  // dims[0] is the contiguous one
  std::uint32_t type = kF32;        // ggml type id
  std::vector<std::byte> data;

  std::size_t n_elements() const;
  bool is_norm() const { return name.ends_with("norm.weight"); }

  // Type and data at once.
  void set_f32(std::span<const float> values);
  void set_f16(std::span<const float> values);
  void set_i2s(std::span<const std::int8_t> trits, float scale);
  // Random values that fit type (F32, F16 or I2_S) and name; equal seeds give equal values.
  void draw(std::uint32_t seed);
};

// A vector [n], or of one element.
SmallTensor f32_tensor(std::string name, std::span<const float> values);
SmallTensor f32_tensor(std::string name, float value);

// Bytes where Model::from_bytes takes them: aligned to 64, and nothing allocated right behind the last.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::byte> bytes);
  std::span<std::byte> span() const { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, kAlignment); }
  };
  static constexpr std::align_val_t kAlignment{64};
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t size_;
};

// A model of one of the known architectures: random ternary layers (I2_S), an F16 embedding that serves as
// the LM head too where it may, F32 norms. A tensor's values depend on its name and size alone.
class SmallModel {
 public:
  explicit SmallModel(std::string architecture, const SmallShape& shape = {});

  const std::string& architecture() const { return architecture_; }
  // The architecture's own key: "llama.block_count" for "block_count".
  std::string key(std::string_view suffix) const { return architecture_ + "." + std::string(suffix); }
  std::vector<std::string> keys() const;

  // Replaces a key or adds it. The type written is that of the value.
  template <Number T>
  SmallModel& set(std::string_view key, T value) {
    return write(key, [=, key = std::string(key)](GgufBuilder& b) { b.add(key, value); });
  }
  SmallModel& set(std::string_view key, std::string value) {
    return write(key, [=, key = std::string(key)](GgufBuilder& b) { b.add(key, value); });
  }
  template <typename T>
  SmallModel& set(std::string_view key, std::vector<T> values) {
    return write(key, [=, key = std::string(key)](GgufBuilder& b) { b.add_array(key, values); });
  }
  SmallModel& remove_key(std::string_view key);
  // Gives a token of the vocabulary another spelling.
  SmallModel& spell(std::size_t id, std::string spelling, TokenType type);

  // Throws std::out_of_range for an unknown name.
  SmallTensor& tensor(std::string_view name);
  SmallModel& add(SmallTensor tensor);
  SmallModel& remove_tensor(std::string_view name);
  // In file order.
  std::vector<SmallTensor>& tensors() { return tensors_; }
  const std::vector<SmallTensor>& tensors() const { return tensors_; }

  GgufBuilder to_gguf() const;
  AlignedBytes build() const { return AlignedBytes(to_gguf().build()); }

 private:
  struct Key {
    std::string name;
    std::function<void(GgufBuilder&)> write;
  };
  SmallModel& write(std::string_view key, std::function<void(GgufBuilder&)> write);
  void add_shape_keys(const SmallShape& shape, std::size_t head_dim);
  void add_vocabulary(std::size_t size, bool sentence_piece);
  void add_drawn(std::string name, std::vector<std::uint64_t> dims, std::uint32_t type);

  std::string architecture_;
  std::vector<Key> keys_;
  std::vector<std::string> pieces_;  // [vocab]
  std::vector<std::int32_t> types_;  // [vocab]
  std::vector<SmallTensor> tensors_;
};

// A small model in memory, loaded. Throws ModelError.
struct LoadedModel {
  explicit LoadedModel(const SmallModel& small);

  AlignedBytes file;  // the model points into it
  Model model;
};

// The message with which a model is refused; empty if it loads.
std::string refusal(std::span<const std::byte> aligned_file);
std::string refusal(const SmallModel& model);

// Whether a model is refused with one line that holds the file's name and each of `parts`.
::testing::AssertionResult is_refused(const SmallModel& model, std::initializer_list<std::string_view> parts);
::testing::AssertionResult loads(const SmallModel& model);

// Logits after each of the tokens: [n_tokens][vocab].
std::vector<std::vector<float>> logits(const Model& model, const std::vector<TokenId>& tokens);
// The same for a small fixed prompt of three tokens.
std::vector<std::vector<float>> logits(const SmallModel& model);
// Whether two models that say the same in different types give the same logits for that prompt, activations
// not rounded, but for the order of their sums.
::testing::AssertionResult agree_unquantized(const SmallModel& model, const SmallModel& other);

}  // namespace bitnet::test
