#include "support/hf_folder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>

#include "model/custom_layout.h"
#include "model/tensor_layout.h"
#include "quant/tensor_type.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string bf16_bytes(const std::vector<float>& values) {
  std::vector<std::uint16_t> halves;
  for (const float v : values)
    halves.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16));
  return bytes_of(halves);
}

// A tensor of a GGUF file, decoded.
struct Decoded {
  std::string name;
  std::uint32_t type = 0;
  std::size_t rows = 1;
  std::size_t cols = 0;
  std::vector<float> values;
  float scale = 1;  // of I2_S
  std::string data;
};

Decoded decode(const gguf::File& file, const gguf::Tensor& t) {
  Decoded d{.name = std::string(t.name),
            .type = t.type,
            .rows = t.dims[1] * t.dims[2],
            .cols = t.dims[0],
            .values = {},
            .data = {}};
  const quant::TypeInfo& type = *bitnet::layout_of(file, t, {}).type;
  quant::Matrix w{.type = type.type, .rows = d.rows, .cols = d.cols, .data = t.extent.data()};
  w.scale = d.scale = type.tensor_scale(w.data, w.rows, w.cols);
  d.values.resize(d.rows * d.cols);
  for (std::size_t r = 0; r < d.rows; ++r) type.decode_row(w, r, &d.values[r * d.cols]);
  d.data.assign(reinterpret_cast<const char*>(t.extent.data()), type.n_bytes(d.rows, d.cols));
  return d;
}

// GGUF files of the llama family have the two halves of each head interleaved, so that the values which are
// rotated together are neighbours; in transformers' weights the halves lie one behind the other.
template <typename T>
std::vector<T> halves_apart(const std::vector<T>& rows, std::size_t cols, std::size_t n_heads) {
  std::vector<T> out(rows.size());
  const std::size_t head_rows = rows.size() / cols / n_heads;
  for (std::size_t h = 0; h < n_heads; ++h) {
    for (std::size_t i = 0; i < head_rows; ++i) {
      const std::size_t to = i % 2 == 0 ? i / 2 : head_rows / 2 + i / 2;
      std::copy_n(&rows[(h * head_rows + i) * cols], cols, &out[(h * head_rows + to) * cols]);
    }
  }
  return out;
}

// Four quarters of the rows share bytes: row r + i * n of the matrix is in byte row r, at bits 2i.
std::string pack(const std::vector<float>& trits, std::size_t rows, std::size_t cols) {
  const std::size_t n = (rows + 3) / 4;
  std::string out(n * cols, '\0');
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t c = 0; c < cols; ++c) {
      const int code = static_cast<int>(trits[row * cols + c]) + 1;
      char& byte = out[row % n * cols + c];
      byte = static_cast<char>(static_cast<unsigned char>(byte) | code << (2 * (row / n)));
    }
  }
  return out;
}

std::string module_of(const std::string& name) {
  static const std::map<std::string, std::string> kNames{{"token_embd", "model.embed_tokens"},
                                                         {"output_norm", "model.norm"},
                                                         {"output", "lm_head"},
                                                         {"attn_norm", "input_layernorm"},
                                                         {"attn_q", "self_attn.q_proj"},
                                                         {"attn_k", "self_attn.k_proj"},
                                                         {"attn_v", "self_attn.v_proj"},
                                                         {"attn_q_norm", "self_attn.q_norm"},
                                                         {"attn_k_norm", "self_attn.k_norm"},
                                                         {"attn_sub_norm", "self_attn.attn_sub_norm"},
                                                         {"attn_output", "self_attn.o_proj"},
                                                         {"ffn_norm", "post_attention_layernorm"},
                                                         {"ffn_gate", "mlp.gate_proj"},
                                                         {"ffn_up", "mlp.up_proj"},
                                                         {"ffn_sub_norm", "mlp.ffn_sub_norm"},
                                                         {"ffn_down", "mlp.down_proj"},
                                                         {"ffn_gate_inp", "mlp.gate"}};
  const std::string stem = name.substr(0, name.rfind('.'));
  if (!stem.starts_with("blk.")) return kNames.at(stem);
  const std::size_t dot = stem.find('.', 4);
  return "model.layers." + stem.substr(4, dot - 4) + "." + kNames.at(stem.substr(dot + 1));
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_message(std::string& out, unsigned field, const std::string& content) {
  put_varint(out, field << 3 | 2);
  put_varint(out, content.size());
  out += content;
}

void put_number(std::string& out, unsigned field, std::uint64_t value) {
  put_varint(out, field << 3);
  put_varint(out, value);
}

}  // namespace

HfMasters draw_masters(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  HfMasters m;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float drawn = (static_cast<float>(random() >> 8) * 0x1p-23F - 1) * 0.25F;
    m.values.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(drawn) & 0xFFFF0000U));
    sum += std::fabs(static_cast<double>(m.values.back()));
  }
  m.scale = std::max(static_cast<float>(sum / static_cast<double>(n)), 1e-5F);
  for (const float v : m.values) {
    m.trits.push_back(static_cast<std::int8_t>(std::clamp(std::nearbyint(v / m.scale), -1.0F, 1.0F)));
  }
  return m;
}

HfFolder::HfFolder(const gguf::File& model, HfForm form, const std::map<std::string, HfMasters>& masters) {
  read_config(model, form);
  read_vocabulary(model);
  read_tensors(model, form, masters);
}

void HfFolder::read_config(const gguf::File& model, HfForm form) {
  const std::string architecture(*model.get_string("general.architecture"));
  const auto count = [&](const char* suffix) { return model.get_uint(architecture + "." + suffix).value(); };
  const auto number = [&](const char* suffix) {
    return model.find(architecture + "." + suffix)->as_number().value();
  };
  static const std::map<std::string, std::string> kClasses{{"bitnet-b1.58", "BitNetForCausalLM"},
                                                           {"bitnet", "BitnetForCausalLM"},
                                                           {"llama", "LlamaForCausalLM"},
                                                           {"qwen3", "Qwen3ForCausalLM"},
                                                           {"maple", "MapleForCausalLM"}};
  config = {{"architectures", {kClasses.at(architecture)}},
            {"hidden_act", architecture == "bitnet-b1.58" ? "relu2" : "silu"},
            {"hidden_size", count("embedding_length")},
            {"intermediate_size", count("feed_forward_length")},
            {"max_position_embeddings", count("context_length")},
            {"num_attention_heads", count("attention.head_count")},
            {"num_hidden_layers", count("block_count")},
            {"num_key_value_heads", count("attention.head_count_kv")},
            {"rms_norm_eps", number("attention.layer_norm_rms_epsilon")},
            {"rope_theta", number("rope.freq_base")},
            {"tie_word_embeddings", model.find_tensor("output.weight") == nullptr},
            {"vocab_size", count("vocab_size")}};
  if (const auto length = model.get_uint(architecture + ".attention.key_length")) {
    config["head_dim"] = *length;
  } else if (architecture == "qwen3") {
    config["head_dim"] = count("embedding_length") / count("attention.head_count");
  }
  if (architecture == "maple") {
    config["moe_intermediate_size"] = count("expert_feed_forward_length");
    config["num_experts"] = count("expert_count");
    config["num_experts_per_tok"] = count("expert_used_count");
    config["sliding_window"] = count("attention.sliding_window");
    config["nope_on_global_attention"] = true;
    const auto sliding = model.find("maple.attention.sliding_window_pattern")->as_flags().value();
    for (const bool slides : sliding) {
      config["layer_types"].push_back(slides ? "sliding_attention" : "full_attention");
    }
  }
  if (form == HfForm::floats) return;
  Json& quantization = config["quantization_config"];
  quantization = {{"quant_method", "bitnet"}, {"modules_to_not_convert", nullptr}};
  // Offline and bitlinear are what is meant where nothing is said.
  if (form != HfForm::bitlinear) quantization["linear_class"] = "autobitlinear";
  if (form == HfForm::online) quantization["quantization_mode"] = "online";
}

void HfFolder::read_vocabulary(const gguf::File& model) {
  const auto tokens = *model.get_strings("tokenizer.ggml.tokens");
  const auto types = *model.get_numbers("tokenizer.ggml.token_type");
  const bool is_sentencepiece = *model.get_string("tokenizer.ggml.model") == "llama";
  std::vector<HfPiece> pieces;
  Json vocab = Json::object();
  Json added = Json::array();
  std::vector<std::string> spellings;
  for (const std::string_view token : tokens) {
    const auto type = static_cast<int>(types.int_at(spellings.size()));
    if (type == static_cast<int>(TokenType::control)) {
      added.push_back(
          {{"id", spellings.size()}, {"content", token}, {"special", true}, {"normalized", false}});
    }
    // All of them: who saves has those that stand before others in both lists.
    vocab[std::string(token)] = spellings.size();
    pieces.push_back({std::string(token), 0, type});
    spellings.emplace_back(token);
  }
  const auto id = [&](const char* key) {
    return model.get_uint(std::string("tokenizer.ggml.") + key).value_or(0);
  };
  config["bos_token_id"] = id("bos_token_id");
  config["eos_token_id"] = id("eos_token_id");
  tokenizer_config = {{"bos_token", spellings[id("bos_token_id")]},
                      {"eos_token", {{"content", spellings[id("eos_token_id")]}, {"special", true}}},
                      {"add_bos_token", model.get_bool("tokenizer.ggml.add_bos_token").value_or(true)}};
  generation_config = {{"eos_token_id", {id("eos_token_id")}}};
  if (is_sentencepiece) {
    sentencepiece = sentencepiece_of(pieces);
    return;
  }
  Json merges = Json::array();
  const gguf::StringArray stored = *model.get_strings("tokenizer.ggml.merges");
  for (const std::string_view merge : stored) merges.push_back(merge);
  // Llama 3's.
  const Json split{
      {"type", "Split"},
      {"pattern",
       {{"Regex",
         R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}}},
      {"behavior", "Isolated"},
      {"invert", false}};
  const Json byte_level{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  tokenizer = {{"added_tokens", added},
               {"normalizer", nullptr},
               {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
               {"post_processor", nullptr},
               {"model", {{"type", "BPE"}, {"ignore_merges", true}, {"vocab", vocab}, {"merges", merges}}}};
}

void HfFolder::read_tensors(const gguf::File& model, HfForm form,
                            const std::map<std::string, HfMasters>& masters) {
  const bool interleaved = config["architectures"][0] == "LlamaForCausalLM";
  for (const gguf::Tensor& t : model.tensors()) {
    Decoded d = decode(model, t);
    if (d.name.ends_with("_exps.weight")) {
      add_experts(d.name, d.values, t.dims[1], t.dims[0]);
      continue;
    }
    std::string module = module_of(d.name);
    // 1bitLLM's own names.
    if (config["architectures"][0] == "BitnetForCausalLM") {
      for (const auto& [ours, theirs] : {std::pair{"self_attn.attn_sub_norm", "self_attn.inner_attn_ln"},
                                         std::pair{"mlp.ffn_sub_norm", "mlp.ffn_layernorm"}}) {
        if (module.ends_with(ours))
          module.replace(module.size() - std::strlen(ours), std::string::npos, theirs);
      }
    }
    const bool is_vector = t.n_dims == 1;
    std::vector<std::uint64_t> shape{d.rows, d.cols};
    if (is_vector) shape = {d.cols};
    if (d.type == kF16 || d.type == kF32) {
      tensors.push_back({module + ".weight", d.type == kF16 ? "F16" : "F32", shape, d.data});
      continue;
    }
    std::vector<float> values = form == HfForm::online ? masters.at(d.name).values : d.values;
    if (interleaved && module.ends_with("q_proj")) {
      values = halves_apart(values, d.cols, config["num_attention_heads"]);
    }
    if (interleaved && module.ends_with("k_proj")) {
      values = halves_apart(values, d.cols, config["num_key_value_heads"]);
    }
    if (form == HfForm::online) {
      tensors.push_back({module + ".weight", "BF16", shape, bf16_bytes(values)});
    } else if (form == HfForm::floats) {
      tensors.push_back({module + ".weight", "F32", shape, bytes_of(values)});
    } else {
      for (float& v : values) v = v == 0 ? 0.0F : std::copysign(1.0F, v);
      tensors.push_back({module + ".weight", "U8", {(d.rows + 3) / 4, d.cols}, pack(values, d.rows, d.cols)});
      const float scale = form == HfForm::bitlinear ? 1.0F / d.scale : d.scale;
      tensors.push_back({module + ".weight_scale", "F32", {1}, bytes_of(std::vector{scale})});
    }
  }
}

// "blk.0.ffn_up_exps.weight": a matrix of each expert.
void HfFolder::add_experts(const std::string& name, const std::vector<float>& values, std::size_t rows,
                           std::size_t cols) {
  const std::string layer = name.substr(4, name.find('.', 4) - 4);
  const std::size_t at = name.find("ffn_") + 4;
  const std::string kind = name.substr(at, name.find("_exps") - at);
  for (std::size_t e = 0; e * rows * cols < values.size(); ++e) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(e * rows * cols);
    const std::vector<float> own(begin, begin + static_cast<std::ptrdiff_t>(rows * cols));
    tensors.push_back(
        {"model.layers." + layer + ".mlp.experts." + std::to_string(e) + "." + kind + "_proj.weight",
         "F32",
         {rows, cols},
         bytes_of(own)});
  }
}

HfStored& HfFolder::tensor(std::string_view name) {
  const auto at = std::ranges::find(tensors, name, &HfStored::name);
  if (at == tensors.end()) throw std::out_of_range("no tensor " + std::string(name));
  return *at;
}

void HfFolder::remove(std::string_view name) {
  if (std::erase_if(tensors, [&](const HfStored& t) { return t.name == name; }) == 0) {
    throw std::out_of_range("no tensor " + std::string(name));
  }
}

std::string HfFolder::write(std::size_t shards) {
  write_file(file("config.json"), config.dump());
  write_file(file("tokenizer_config.json"), tokenizer_config.dump());
  write_file(file("generation_config.json"), generation_config.dump());
  if (sentencepiece.empty()) {
    write_file(file("tokenizer.json"), tokenizer.dump());
  } else {
    write_file(file("tokenizer.model"), sentencepiece);
  }

  if (shards == 1) {
    write_file(file("model.safetensors"), safetensors_of(tensors));
    return path();
  }
  Json map = Json::object();
  for (std::size_t s = 0; s < shards; ++s) {
    const std::string name =
        "model-0000" + std::to_string(s + 1) + "-of-0000" + std::to_string(shards) + ".safetensors";
    std::vector<HfStored> share;
    for (std::size_t i = s; i < tensors.size(); i += shards) {
      share.push_back(tensors[i]);
      map[tensors[i].name] = name;
    }
    write_file(file(name), safetensors_of(share));
  }
  write_file(file("model.safetensors.index.json"),
             Json{{"metadata", {{"total_size", 0}}}, {"weight_map", map}}.dump());
  return path();
}

std::string safetensors_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string safetensors_of(const std::vector<HfStored>& tensors) {
  Json header{{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const HfStored& t : tensors) {
    header[t.name] = {
        {"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {data.size(), data.size() + t.data.size()}}};
    data += t.data;
  }
  return safetensors_of(header.dump(), data);
}

std::string sentencepiece_of(const std::vector<HfPiece>& pieces, int model_type, bool add_dummy_prefix) {
  std::string out;
  for (const HfPiece& piece : pieces) {
    std::string message;
    put_message(message, 1, piece.spelling);
    put_varint(message, 2 << 3 | 5);
    message.append(reinterpret_cast<const char*>(&piece.score), sizeof piece.score);
    if (piece.type != 1) put_number(message, 3, static_cast<std::uint64_t>(piece.type));
    put_message(out, 1, message);
  }
  std::string trainer;
  put_number(trainer, 3, static_cast<std::uint64_t>(model_type));
  put_message(out, 2, trainer);
  std::string normalizer;
  put_message(normalizer, 1, "identity");
  put_number(normalizer, 3, add_dummy_prefix ? 1 : 0);
  put_message(out, 3, normalizer);
  return out;
}

}  // namespace bitnet::test
