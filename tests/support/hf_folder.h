// Folders as Hugging Face's transformers writes them, made of small models: the way back of a conversion,
// written from the formats' descriptions and not from what converts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "support/small_model.h"
#include "support/temp_directory.h"

namespace bitnet::test {

// How the ternary matrices of a model's layers are stored.
enum class HfForm {
  bitlinear,      // packed, w = code / weight_scale
  autobitlinear,  // packed, w = code * weight_scale
  online,         // masters, rounded when they are used
  floats,         // the ternary values
};

struct HfStored {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string data;
};

// Masters of a matrix: values, and what rounding by absmean makes of them.
struct HfMasters {
  std::vector<float> values;  // of bf16
  std::vector<std::int8_t> trits;
  float scale = 0;
};
HfMasters draw_masters(std::size_t n, std::uint32_t seed);

class HfFolder {
 public:
  // Of a model whose matrices are I2_S or, as HfForm::floats, of any type. `masters`: of HfForm::online, by
  // the names in `model`.
  HfFolder(const gguf::File& model, HfForm form, const std::map<std::string, HfMasters>& masters = {});

  // Throws std::out_of_range for an unknown name.
  HfStored& tensor(std::string_view name);
  void remove(std::string_view name);
  // Writes it, its weights in so many files, and gives the folder's path.
  std::string write(std::size_t shards = 1);
  std::string path() const { return directory_.path(); }
  std::string file(const std::string& name) const { return directory_.file(name); }

  nlohmann::ordered_json config, tokenizer, tokenizer_config, generation_config;
  std::string sentencepiece;  // tokenizer.model; empty: tokenizer.json is written
  std::vector<HfStored> tensors;

 private:
  void read_config(const gguf::File& model, HfForm form);
  void read_vocabulary(const gguf::File& model);
  void read_tensors(const gguf::File& model, HfForm form, const std::map<std::string, HfMasters>& masters);

  void add_experts(const std::string& name, const std::vector<float>& values, std::size_t rows,
                   std::size_t cols);

  TempDirectory directory_;
};

// A safetensors file of the tensors, one after another.
std::string safetensors_of(const std::vector<HfStored>& tensors);
// The same with this header.
std::string safetensors_of(const std::string& header, const std::string& data);

// SentencePiece's file: each piece with its score and its type's number.
struct HfPiece {
  std::string spelling;
  float score = 0;
  int type = 1;
};
std::string sentencepiece_of(const std::vector<HfPiece>& pieces, int model_type = 2,
                             bool add_dummy_prefix = true);

}  // namespace bitnet::test
