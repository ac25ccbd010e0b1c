#include "support/small_model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include "base/half.h"
#include "bitnet/error.h"
#include "bitnet/session.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::test {
namespace {

constexpr const char* kFileName = "small.gguf";

std::uint32_t hash_of_name(std::string_view name) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

float uniform(std::mt19937& random, float low, float high) {
  return low + (high - low) * static_cast<float>(random() >> 8) * 0x1p-24F;
}

std::string byte_piece(unsigned char byte, bool sentence_piece) {
  if (sentence_piece) {
    char spelling[8];
    std::snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
    return spelling;
  }
  const char c = static_cast<char>(byte);
  std::string alias;
  append_aliases({&c, 1}, alias);
  return alias;
}

}  // namespace

std::size_t SmallTensor::n_elements() const {
  std::size_t n = 1;
  for (const std::uint64_t dim : dims) n *= dim;
  return n;
}

void SmallTensor::set_f32(std::span<const float> values) {
  type = kF32;
  const auto bytes = std::as_bytes(values);
  data.assign(bytes.begin(), bytes.end());
}

void SmallTensor::set_f16(std::span<const float> values) {
  type = kF16;
  std::vector<std::uint16_t> halves;
  for (const float value : values) halves.push_back(f32_to_f16(value));
  const auto bytes = std::as_bytes(std::span(halves));
  data.assign(bytes.begin(), bytes.end());
}

void SmallTensor::set_i2s(std::span<const std::int8_t> trits, float scale) {
  type = kI2S;
  data = pack_i2s(trits, scale);
}

// Flattened: of the generator's functions the linker may take another file's, which aren't optimised.
[[gnu::flatten]] void SmallTensor::draw(std::uint32_t seed) {
  std::mt19937 random(seed);
  if (type == kI2S) {
    std::vector<std::int8_t> trits(n_elements());
    for (std::int8_t& trit : trits) trit = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
    set_i2s(trits, uniform(random, 0.05F, 0.2F));
    return;
  }
  std::vector<float> values(n_elements());
  for (float& value : values) value = is_norm() ? uniform(random, 0.5F, 1.5F) : uniform(random, -1.0F, 1.0F);
  if (type == kF16) {
    set_f16(values);
  } else {
    set_f32(values);
  }
}

SmallTensor f32_tensor(std::string name, std::span<const float> values) {
  SmallTensor tensor{.name = std::move(name), .dims = {values.size()}, .type = kF32, .data = {}};
  tensor.set_f32(values);
  return tensor;
}

SmallTensor f32_tensor(std::string name, float value) { return f32_tensor(std::move(name), {&value, 1}); }

AlignedBytes::AlignedBytes(std::span<const std::byte> bytes)
    : memory_(static_cast<std::byte*>(::operator new[](bytes.size(), kAlignment))), size_(bytes.size()) {
  if (!bytes.empty()) std::memcpy(memory_.get(), bytes.data(), bytes.size());
}

SmallModel::SmallModel(std::string architecture, const SmallShape& shape)
    : architecture_(std::move(architecture)) {
  const std::size_t head_dim = shape.head_dim == 0 ? shape.hidden / shape.heads : shape.head_dim;
  const std::size_t q_dim = shape.heads * head_dim;
  const std::size_t kv_dim = shape.kv_heads * head_dim;
  const bool sub_norms = architecture_.starts_with("bitnet");
  const bool experts = architecture_ == "maple";
  const bool head_norms = architecture_ == "qwen3" || experts;
  add_shape_keys(shape, head_dim);
  add_vocabulary(shape.vocab, shape.sentence_piece.value_or(architecture_ == "bitnet"));
  add_drawn("token_embd.weight", {shape.hidden, shape.vocab}, kF16);
  for (std::size_t i = 0; i < shape.layers; ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    add_drawn(p + "attn_norm.weight", {shape.hidden}, kF32);
    add_drawn(p + "attn_q.weight", {shape.hidden, q_dim}, kI2S);
    add_drawn(p + "attn_k.weight", {shape.hidden, kv_dim}, kI2S);
    add_drawn(p + "attn_v.weight", {shape.hidden, kv_dim}, kI2S);
    for (const char* norm : {"attn_q_norm.weight", "attn_k_norm.weight"}) {
      if (head_norms) add_drawn(p + norm, {head_dim}, kF32);
    }
    if (sub_norms) add_drawn(p + "attn_sub_norm.weight", {q_dim}, kF32);
    add_drawn(p + "attn_output.weight", {q_dim, shape.hidden}, kI2S);
    add_drawn(p + "ffn_norm.weight", {shape.hidden}, kF32);
    if (experts) {
      add_drawn(p + "ffn_gate_inp.weight", {shape.hidden, shape.experts}, kF32);
      add_drawn(p + "ffn_gate_exps.weight", {shape.hidden, shape.ffn, shape.experts}, kI2S);
      add_drawn(p + "ffn_up_exps.weight", {shape.hidden, shape.ffn, shape.experts}, kI2S);
      add_drawn(p + "ffn_down_exps.weight", {shape.ffn, shape.hidden, shape.experts}, kI2S);
      continue;
    }
    add_drawn(p + "ffn_gate.weight", {shape.hidden, shape.ffn}, kI2S);
    add_drawn(p + "ffn_up.weight", {shape.hidden, shape.ffn}, kI2S);
    if (sub_norms) add_drawn(p + "ffn_sub_norm.weight", {shape.ffn}, kF32);
    add_drawn(p + "ffn_down.weight", {shape.ffn, shape.hidden}, kI2S);
  }
  add_drawn("output_norm.weight", {shape.hidden}, kF32);
  if (experts) add_drawn("output.weight", {shape.hidden, shape.vocab}, kF16);
}

void SmallModel::add_shape_keys(const SmallShape& shape, std::size_t head_dim) {
  const auto count = [&](std::string_view suffix, std::size_t value) {
    set(key(suffix), static_cast<std::uint32_t>(value));
  };
  set("general.architecture", architecture_);
  set("general.name", "small");
  count("vocab_size", shape.vocab);
  count("context_length", 64);
  count("embedding_length", shape.hidden);
  count("block_count", shape.layers);
  count("feed_forward_length", shape.ffn);
  count("rope.dimension_count", head_dim);
  set(key("rope.freq_base"), 10000.0F);
  count("attention.head_count", shape.heads);
  count("attention.head_count_kv", shape.kv_heads);
  set(key("attention.layer_norm_rms_epsilon"), 1e-5F);
  if (architecture_ == "maple") {  // every other layer is a sliding one
    count("expert_count", shape.experts);
    count("expert_used_count", shape.experts_used);
    count("expert_feed_forward_length", shape.ffn);
    count("attention.sliding_window", 5);
    std::vector<bool> sliding;
    for (std::size_t i = 0; i < shape.layers; ++i) sliding.push_back(i % 2 == 0);
    set(key("attention.sliding_window_pattern"), sliding);
  }
  if (architecture_ == "minicpm") {
    set(key("embedding_scale"), 12.0F);
    set(key("residual_scale"), 0.5F);
    set(key("logit_scale"), 3.0F);
  }
  if (shape.head_dim == 0) return;
  count("attention.key_length", head_dim);
  count("attention.value_length", head_dim);
}

// Begin, end, "ab", then single bytes from 'a' on, SentencePiece's space, then spellings that no text has.
void SmallModel::add_vocabulary(std::size_t size, bool sentence_piece) {
  const auto control = static_cast<std::int32_t>(TokenType::control);
  const auto byte = static_cast<std::int32_t>(sentence_piece ? TokenType::byte : TokenType::normal);
  pieces_ = {"<s>", "</s>", "ab"};
  types_ = {control, control, static_cast<std::int32_t>(TokenType::normal)};
  for (unsigned i = 0; i < 256 && pieces_.size() < size; ++i) {
    pieces_.push_back(byte_piece(static_cast<unsigned char>('a' + i), sentence_piece));
    types_.push_back(byte);
  }
  if (sentence_piece && pieces_.size() < size) {
    pieces_.push_back("\u2581");
    types_.push_back(static_cast<std::int32_t>(TokenType::normal));
  }
  while (pieces_.size() < size) {
    pieces_.push_back("<filler " + std::to_string(pieces_.size()) + ">");
    types_.push_back(static_cast<std::int32_t>(TokenType::normal));
  }
  set("tokenizer.ggml.model", sentence_piece ? "llama" : "gpt2");
  if (!sentence_piece) set("tokenizer.ggml.pre", "llama-bpe");
  set("tokenizer.ggml.tokens", pieces_);
  set("tokenizer.ggml.token_type", types_);
  if (sentence_piece) {
    set("tokenizer.ggml.scores", std::vector<float>(size));
  } else {
    set("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  }
  set("tokenizer.ggml.bos_token_id", std::uint32_t{0});
  set("tokenizer.ggml.eos_token_id", std::uint32_t{1});
  set("tokenizer.ggml.add_bos_token", true);
}

SmallModel& SmallModel::spell(std::size_t id, std::string spelling, TokenType type) {
  pieces_.at(id) = std::move(spelling);
  types_.at(id) = static_cast<std::int32_t>(type);
  return set("tokenizer.ggml.tokens", pieces_).set("tokenizer.ggml.token_type", types_);
}

void SmallModel::add_drawn(std::string name, std::vector<std::uint64_t> dims, std::uint32_t type) {
  SmallTensor tensor{.name = std::move(name), .dims = std::move(dims), .type = type, .data = {}};
  tensor.draw(hash_of_name(tensor.name));
  tensors_.push_back(std::move(tensor));
}

std::vector<std::string> SmallModel::keys() const {
  std::vector<std::string> names;
  for (const Key& key : keys_) names.push_back(key.name);
  return names;
}

SmallModel& SmallModel::write(std::string_view key, std::function<void(GgufBuilder&)> write) {
  const auto at = std::ranges::find(keys_, key, &Key::name);
  if (at == keys_.end()) {
    keys_.push_back({std::string(key), std::move(write)});
  } else {
    at->write = std::move(write);
  }
  return *this;
}

SmallModel& SmallModel::remove_key(std::string_view key) {
  if (std::erase_if(keys_, [&](const Key& k) { return k.name == key; }) == 0) {
    throw std::out_of_range("no key " + std::string(key));
  }
  return *this;
}

SmallTensor& SmallModel::tensor(std::string_view name) {
  const auto at = std::ranges::find(tensors_, name, &SmallTensor::name);
  if (at == tensors_.end()) throw std::out_of_range("no tensor " + std::string(name));
  return *at;
}

SmallModel& SmallModel::add(SmallTensor tensor) {
  tensors_.push_back(std::move(tensor));
  return *this;
}

SmallModel& SmallModel::remove_tensor(std::string_view name) {
  if (std::erase_if(tensors_, [&](const SmallTensor& t) { return t.name == name; }) == 0) {
    throw std::out_of_range("no tensor " + std::string(name));
  }
  return *this;
}

GgufBuilder SmallModel::to_gguf() const {
  GgufBuilder b;
  for (const Key& key : keys_) key.write(b);
  for (const SmallTensor& t : tensors_) b.add_tensor(t.name, t.dims, t.type, t.data);
  return b;
}

LoadedModel::LoadedModel(const SmallModel& small)
    : file(small.build()), model(Model::from_bytes(file.span(), kFileName)) {}

std::string refusal(std::span<const std::byte> aligned_file) {
  try {
    Model::from_bytes(aligned_file, kFileName);
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

std::string refusal(const SmallModel& model) { return refusal(model.build().span()); }

::testing::AssertionResult is_refused(const SmallModel& model,
                                      std::initializer_list<std::string_view> parts) {
  const std::string message = refusal(model);
  if (message.empty()) return ::testing::AssertionFailure() << "the model loads";
  if (message.find('\n') != std::string::npos) {
    return ::testing::AssertionFailure() << "more than one line: " << message;
  }
  if (!message.starts_with(kFileName)) return ::testing::AssertionFailure() << "no file name: " << message;
  for (const std::string_view part : parts) {
    if (message.find(part) == std::string::npos) {
      return ::testing::AssertionFailure() << "nothing of '" << part << "' in: " << message;
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult loads(const SmallModel& model) {
  const std::string message = refusal(model);
  if (message.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << message;
}

namespace {

const std::vector<TokenId> kPrompt{TokenId{1}, TokenId{4}, TokenId{2}};

std::vector<std::vector<float>> run(const Model& model, const std::vector<TokenId>& tokens,
                                    ActivationType activations) {
  Session session(model, {.ctx_size = tokens.size(), .n_threads = 1, .activations = activations});
  std::vector<std::vector<float>> all;
  session.run_all(tokens,
                  [&](Position, std::span<const float> row) { all.emplace_back(row.begin(), row.end()); });
  return all;
}

}  // namespace

std::vector<std::vector<float>> logits(const Model& model, const std::vector<TokenId>& tokens) {
  return run(model, tokens, ActivationType::automatic);
}

std::vector<std::vector<float>> logits(const SmallModel& model) {
  return logits(LoadedModel(model).model, kPrompt);
}

::testing::AssertionResult agree_unquantized(const SmallModel& model, const SmallModel& other) {
  constexpr double kMostError = 1e-4;  // of the logits' root mean square
  const auto ours = run(LoadedModel(model).model, kPrompt, ActivationType::f32);
  const auto theirs = run(LoadedModel(other).model, kPrompt, ActivationType::f32);
  double most = 0;
  double squares = 0;
  std::size_t n = 0;
  for (std::size_t t = 0; t < ours.size(); ++t) {
    for (std::size_t i = 0; i < ours[t].size(); ++i, ++n) {
      const auto value = static_cast<double>(theirs[t][i]);
      most = std::max(most, std::fabs(static_cast<double>(ours[t][i]) - value));
      squares += value * value;
    }
  }
  const double rms = std::sqrt(squares / static_cast<double>(n));
  if (most <= kMostError * rms) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "a logit differs by " << most << ", where their rms is " << rms;
}

}  // namespace bitnet::test
