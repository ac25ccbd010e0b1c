// The files of a folder as Hugging Face's transformers writes it.
#include "bitnet/error.h"
#include "convert/huggingface/config.h"
#include "convert/huggingface/json_file.h"
#include "convert/huggingface/safetensors_header.h"
#include "convert/huggingface/sentencepiece_file.h"
#include "convert/huggingface/tokenizer_json.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"
#include "support/hf_folder.h"
#include "support/small_model.h"

namespace bitnet::fuzz {
namespace {

constexpr std::uint64_t kRows = 300;  // of the embedding, in what follows

// The folder of a small model of each kind of vocabulary.
std::vector<std::string> of_folders(std::string (*file)(const test::HfFolder& folder)) {
  std::vector<std::string> files;
  for (const char* architecture : {"llama", "bitnet", "qwen3", "maple"}) {
    for (const bool sentence_piece : {false, true}) {
      const test::SmallModel model(architecture, {.sentence_piece = sentence_piece});
      const test::AlignedBytes bytes = model.build();
      const test::HfFolder folder(gguf::File::from_bytes(bytes.span(), "m.gguf"), test::HfForm::bitlinear);
      if (std::string text = file(folder); !text.empty()) files.push_back(std::move(text));
    }
  }
  return files;
}

void run_tokenizer_json(std::string_view input) {
  const MemoryFile file(input);
  try {
    std::vector<std::string> notes;
    const convert::TokenizerJson read = convert::read_tokenizer_json(file.path(), kRows, notes);
    require(read.vocabulary.tokens.size() == kRows && read.vocabulary.types.size() == kRows,
            "a token for each row of the embedding");
  } catch (const ModelError&) {
  }
  try {
    std::vector<std::string> notes;
    (void)convert::read_json_beside_model(file.path(), notes);
  } catch (const ModelError&) {
  }
}

std::vector<std::string> tokenizers() {
  return of_folders(
      [](const test::HfFolder& folder) { return folder.tokenizer.is_null() ? "" : folder.tokenizer.dump(); });
}

void run_sentencepiece(std::string_view input) {
  try {
    const auto file = convert::read_sentencepiece(bytes_of(input), "input");
    require(file.pieces.size() == file.scores.size() && file.pieces.size() == file.types.size(),
            "a score and a type for each piece");
  } catch (const ModelError&) {
  }
}

std::vector<std::string> sentencepieces() {
  return {test::sentencepiece_of(
              {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}, {"<0x41>", 0, 6}, {"ab", -1, 1}}),
          test::sentencepiece_of({{"<unk>", 0, 2}, {"\xe2\x96\x81x", -2.5F, 4}}, 2, false)};
}

void run_safetensors(std::string_view input) {
  try {
    for (const convert::StoredTensor& tensor : convert::read_safetensors_header(bytes_of(input), "input")) {
      const auto* const begin = reinterpret_cast<const char*>(tensor.data.data());
      require(tensor.data.empty() ||
                  (begin >= input.data() && begin + tensor.data.size() <= input.data() + input.size()),
              "a tensor lies outside of the file");
      (void)tensor.n_elements();
      (void)convert::describe_shape(tensor.shape);
    }
  } catch (const ModelError&) {
  }
}

std::vector<std::string> safetensors() {
  return {
      test::safetensors_of(
          {{"a.weight", "BF16", {2, 3}, std::string(12, '\1')}, {"b", "U8", {1, 4}, "abcd"}}),
      test::safetensors_of({{"scale", "F32", {}, std::string(4, '\0')}}),
      test::safetensors_of(
          R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[0,7],"data_offsets":[0,0]}})", "")};
}

void run_hf_config(std::string_view input) {
  for (const bool takes_dense : {false, true}) {
    try {
      const convert::Json json = convert::parse_object(input, "config.json");
      gguf::KeyValues keys;
      keys.set("general.architecture", "");
      std::vector<std::string> notes;
      const auto config = convert::read_hf_config(json, "config.json", takes_dense, keys, notes);
      require(config.family != nullptr && config.shape.hidden > 0 && config.shape.layers > 0,
              "a shape of something");
      if (config.shape.layers <= 4) (void)convert::tensors_of(*config.family, config.shape);
      (void)gguf::Writer(std::move(keys), 32).header();
    } catch (const ModelError&) {
    }
  }
}

std::vector<std::string> configs() {
  return of_folders([](const test::HfFolder& folder) { return folder.config.dump(); });
}

const std::vector<std::string> kJsonWords{
    "null", "true", "[]", "{}", "1e999", "-1", "18446744073709551615", "\\ud800", "\\u0000"};

std::vector<std::string> with_json(std::vector<std::string> words) {
  words.insert(words.end(), kJsonWords.begin(), kJsonWords.end());
  return words;
}

}  // namespace

const Target kTokenizerJson{
    "tokenizer_json", tokenizers, run_tokenizer_json,
    with_json({"\"ByteLevel\"", "\"Split\"", "\"Sequence\"", "\"BPE\"", "\"merges\"", "\"added_tokens\"",
               "\"ignore_merges\"", "\"byte_fallback\"", "\"Metaspace\"", "\"TemplateProcessing\""}),
    400};
const Target kSentencePiece{"sentencepiece", sentencepieces, run_sentencepiece, {}, 6000};
const Target kSafetensors{
    "safetensors", safetensors, run_safetensors,
    with_json({"\"dtype\"", "\"shape\"", "\"data_offsets\"", "__metadata__", "\"BF16\""}), 6000};
const Target kHfConfig{
    "hf_config", configs, run_hf_config,
    with_json({"\"rope_scaling\"", "\"rope_parameters\"", "\"rope_theta\"", "\"llama3\"", "\"yarn\"",
               "\"factor\"", "\"quantization_config\"", "\"bitnet\"", "\"linear_class\"", "\"head_dim\"",
               "\"num_key_value_heads\"", "\"hidden_act\"", "\"silu\"", "\"relu2\""}),
    1500};

}  // namespace bitnet::fuzz
