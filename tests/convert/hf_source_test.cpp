// Folders in each form come out as the model that they were made of: the same logits, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/half.h"
#include "bitnet/error.h"
#include "bitnet/session.h"
#include "convert/converted.h"
#include "convert/huggingface/hf_source.h"
#include "gguf/writer.h"
#include "quant/coded_row.h"
#include "quant/i2_s.h"
#include "support/golden.h"
#include "support/hf_folder.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using convert::ConvertOptions;
using convert::SourceTensor;
using quant::TensorType;

const std::vector<TokenId> kIds{TokenId{1}, TokenId{4}, TokenId{2}, TokenId{9}};

// A folder as the file that it is converted to, loaded.
Model converted(HfFolder& folder, ConvertOptions options = {}, std::size_t shards = 1) {
  options.force = true;
  const std::string file = folder.file("converted.gguf");
  const convert::ConvertReport report = convert_file(folder.write(shards), file, options);
  EXPECT_FALSE(report.failure);
  EXPECT_TRUE(report.is_lossless());
  return Model::load(file);
}

gguf::File opened(const AlignedBytes& file) { return gguf::File::from_bytes(file.span(), "small.gguf"); }

// A model without the keys that no folder has: its labels alone tell its activation.
SmallModel small(const std::string& architecture, const SmallShape& shape = {}) {
  return SmallModel(architecture, shape);
}

// What a folder of the model gives, and the model itself.
void expect_same_logits(const SmallModel& model, HfForm form, const ConvertOptions& options = {},
                        std::size_t shards = 1) {
  const LoadedModel expected(model);
  HfFolder folder(opened(expected.file), form);
  EXPECT_EQ(logits(converted(folder, options, shards), kIds), logits(expected.model, kIds));
}

// A folder says 1 / scale, which has to be a float that has the scale as its inverse.
void make_scales_invertible(SmallModel& model) {
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    float scale = 0;
    std::byte* const at = &t.data[t.n_elements() / 4];
    std::memcpy(&scale, at, sizeof scale);
    const float inverse = 1.0F / scale;
    scale = 1.0F / inverse;
    std::memcpy(at, &scale, sizeof scale);
    ASSERT_EQ(1.0F / scale, inverse);
  }
}

class HfFamilies : public ::testing::TestWithParam<const char*> {};

TEST_P(HfFamilies, PackedAutobitlinearFoldersGiveTheModelsLogits) {
  expect_same_logits(small(GetParam()), HfForm::autobitlinear);
}

TEST_P(HfFamilies, PackedBitlinearFoldersGiveTheModelsLogits) {
  SmallModel model = small(GetParam());
  make_scales_invertible(model);
  expect_same_logits(model, HfForm::bitlinear);
}

TEST_P(HfFamilies, MastersGiveTheLogitsOfTheirRounding) {
  SmallModel model = small(GetParam());
  std::map<std::string, HfMasters> masters;
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    const HfMasters drawn = draw_masters(t.n_elements(), static_cast<std::uint32_t>(masters.size()));
    t.set_i2s(drawn.trits, drawn.scale);
    masters.emplace(t.name, drawn);
  }
  const LoadedModel expected(model);
  HfFolder folder(opened(expected.file), HfForm::online, masters);
  EXPECT_EQ(logits(converted(folder), kIds), logits(expected.model, kIds));

  // Where config.json does not say what they are, the user may.
  folder.config.erase("quantization_config");
  const std::string file = folder.file("rounded.gguf");
  convert_file(folder.write(), file, {.plan = {.type = TensorType::i2_s, .absmean = true}, .split = {}},
               {.absmean = true});
  EXPECT_EQ(logits(Model::load(file), kIds), logits(expected.model, kIds));
}

INSTANTIATE_TEST_SUITE_P(All, HfFamilies, ::testing::Values("bitnet-b1.58", "bitnet", "llama", "qwen3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

TEST(HfSource, AHeadOfItsOwnAndSeveralFilesGiveTheModelsLogits) {
  SmallModel model = small("llama");
  SmallTensor head{.name = "output.weight", .dims = {128, 300}, .type = kF16, .data = {}};
  head.draw(7);
  model.add(head);
  expect_same_logits(model, HfForm::autobitlinear, {}, 3);
}

TEST(HfSource, HeadsOfAnotherWidthAndPaddedRowsGiveTheModelsLogits) {
  expect_same_logits(small("qwen3", {.heads = 2, .kv_heads = 1, .head_dim = 128}), HfForm::autobitlinear);
  // The keys' two rows are less than a byte's four.
  expect_same_logits(small("llama", {.heads = 64, .kv_heads = 1}), HfForm::autobitlinear);
}

TEST(HfSource, FoldersOfTheGoldenModelsGiveTheirLogits) {
  for (const char* name : {"random-bitnet-b1.58", "random-bitnet", "random-llama"}) {
    const Golden golden = load_golden(name);
    const gguf::File original = gguf::File::open(golden.model);
    HfFolder folder(original, HfForm::autobitlinear);
    EXPECT_EQ(logits(converted(folder), golden.ids), logits(Model::load(golden.model), golden.ids)) << name;
  }
}

TEST(HfSource, FloatsThatAreTernaryInGroupsBecomeTheirBlocks) {
  const Golden golden = load_golden("random-qwen3-ptq1_0");
  HfFolder folder(gguf::File::open(golden.model), HfForm::floats);
  constexpr auto kType = TensorType::ptq1_0;
  const Model model =
      converted(folder, {.plan = {.type = kType, .head = {}, .embedding = kType}, .split = {}});
  EXPECT_EQ(logits(model, golden.ids), logits(Model::load(golden.model), golden.ids));
}

TEST(HfSource, ReadingWhatDividesAsWhatMultipliesGivesOtherLogits) {
  SmallModel model = small("bitnet-b1.58");
  make_scales_invertible(model);
  const LoadedModel expected(model);
  HfFolder folder(opened(expected.file), HfForm::bitlinear);
  EXPECT_EQ(logits(converted(folder), kIds), logits(expected.model, kIds));
  folder.config["quantization_config"]["linear_class"] = "autobitlinear";
  EXPECT_NE(logits(converted(folder), kIds), logits(expected.model, kIds));
}

std::vector<float> unrounded_logits(const Model& model) {
  Session session(model, {.ctx_size = kIds.size(), .n_threads = 1, .activations = ActivationType::f32});
  std::vector<float> all;
  session.run_all(
      kIds, [&](Position, std::span<const float> row) { all.insert(all.end(), row.begin(), row.end()); });
  return all;
}

class HfFloats : public ::testing::TestWithParam<const char*> {};

TEST_P(HfFloats, KeepTheirValuesAndTheirType) {
  const LoadedModel expected(small(GetParam()));
  HfFolder folder(opened(expected.file), HfForm::floats);
  std::vector<std::string> notes;
  const auto source = convert::open_hf_source(folder.write(), {}, notes);
  const gguf::File file = opened(expected.file);
  EXPECT_EQ(source->tensors().size(), file.tensors().size());
  for (std::size_t i = 0; i < source->tensors().size(); ++i) {
    const SourceTensor& t = source->tensors()[i];
    const gguf::Tensor* original = file.find_tensor(t.name);
    ASSERT_NE(original, nullptr) << t.name;
    const bool half = t.name == "token_embd.weight" || t.name == "output.weight";
    EXPECT_EQ(t.type, half ? TensorType::f16 : TensorType::f32) << t.name;
    EXPECT_TRUE(std::ranges::equal(t.dims, std::span(original->dims).first(original->n_dims))) << t.name;
    if (original->type != kI2S) continue;
    quant::Matrix w{
        .type = TensorType::i2_s, .rows = t.rows(), .cols = t.cols(), .data = original->extent.data()};
    w.scale = quant::i2_s::tensor_scale(w.data, w.rows, w.cols);
    std::vector<float> want(w.cols);
    std::vector<float> got(w.cols);
    for (std::uint64_t r = 0; r < t.rows(); ++r) {
      quant::i2_s::decode_row(w, r, want.data());
      source->read_values(i, r, got.data());
      ASSERT_EQ(got, want) << t.name << " row " << r;
    }
  }
  // Without the rounding of activations, which floats don't have, only the order of sums differs.
  const std::vector<float> ours = unrounded_logits(converted(folder));
  const std::vector<float> theirs = unrounded_logits(expected.model);
  ASSERT_EQ(ours.size(), theirs.size());
  EXPECT_GT(compare(ours.data(), theirs.data(), ours.size()).cosine, 0.999999);
}

TEST_P(HfFloats, BecomeTernaryAgainWithTheModelsLogits) {
  expect_same_logits(small(GetParam()), HfForm::floats, {.plan = {.type = TensorType::i2_s}, .split = {}});
}

INSTANTIATE_TEST_SUITE_P(All, HfFloats, ::testing::Values("llama", "qwen3", "maple"),
                         [](const auto& info) { return std::string(info.param); });

TEST(HfSource, ModulesThatAreNotConvertedAreFloats) {
  SmallModel model = small("bitnet-b1.58");
  const LoadedModel expected(model);
  HfFolder folder(opened(expected.file), HfForm::autobitlinear);
  HfFolder floats(opened(expected.file), HfForm::floats);
  const std::string module = "model.layers.1.mlp.down_proj";
  folder.remove(module + ".weight_scale");
  folder.tensor(module + ".weight") = floats.tensor(module + ".weight");
  folder.config["quantization_config"]["modules_to_not_convert"] = {"lm_head", "layers.1.mlp.down_proj"};
  std::vector<std::string> notes;
  const auto source = convert::open_hf_source(folder.write(), {}, notes);
  for (const SourceTensor& t : source->tensors()) {
    if (t.role != convert::TensorRole::layer_matrix) continue;
    EXPECT_EQ(t.type, t.name == "blk.1.ffn_down.weight" ? TensorType::f32 : TensorType::i2_s) << t.name;
  }
}

TEST(HfSource, TheFileIsNamedAsTheFolderAndSaysItsLayout) {
  const LoadedModel expected(small("llama"));
  HfFolder folder(opened(expected.file), HfForm::autobitlinear);
  const std::string name = std::filesystem::path(folder.path()).filename();
  const std::string path = folder.write();
  for (const std::string& spelling : {path, path + "/"}) {
    std::vector<std::string> notes;
    const auto source = convert::open_hf_source(spelling, {}, notes);
    const std::vector<std::byte> header = gguf::Writer(source->keys(), source->alignment()).header();
    const gguf::File file = gguf::File::from_bytes(header, "x");
    EXPECT_EQ(file.get_string("general.name"), name);
    EXPECT_EQ(file.get_string("ternary.i2_s.layout"), "x86");
  }
}

TEST(HfSource, TheVocabularyEncodesAsTheModels) {
  for (const char* architecture : {"llama", "bitnet"}) {  // byte-level BPE and SentencePiece
    const LoadedModel expected(small(architecture));
    HfFolder folder(opened(expected.file), HfForm::autobitlinear);
    const Model model = converted(folder);
    const EncodeOptions options{.add_bos = true, .parse_special = true};
    const std::string text = "ab cab </s> \xC3\xA9";
    EXPECT_EQ(model.tokenizer().encode(text, options), expected.model.tokenizer().encode(text, options));
    EXPECT_EQ(model.tokenizer().eos(), expected.model.tokenizer().eos());
  }
}

// Why a folder is refused; empty: it isn't.
std::string refusal_of(HfFolder& folder, const convert::SourceOptions& options = {}) {
  const std::string file = folder.file("converted.gguf");
  try {
    convert_file(folder.write(), file, {}, options);
  } catch (const ModelError& error) {
    EXPECT_FALSE(std::filesystem::exists(file));
    return error.what();
  }
  return {};
}

HfFolder small_folder(HfForm form = HfForm::autobitlinear) {
  static const LoadedModel model(small("bitnet-b1.58"));
  return HfFolder(opened(model.file), form);
}

const std::string kQ = "model.layers.0.self_attn.q_proj.weight";

TEST(HfSource, ABitNetModelWithDenseWeightsIsRefusedUnlessTold) {
  const LoadedModel model(small("bitnet-b1.58"));
  HfFolder folder(opened(model.file), HfForm::floats);
  EXPECT_TRUE(has(refusal_of(folder), "dense weights"));
  EXPECT_EQ(refusal_of(folder, {.absmean = true}), "");
  std::vector<std::string> notes;
  const auto source = convert::open_hf_source(folder.path(), {.takes_dense = true}, notes);
  for (const SourceTensor& t : source->tensors()) EXPECT_FALSE(t.is_master) << t.name;
}

TEST(HfSource, RefusesScalesThatAreNone) {
  for (const float value : {0.0F, -1.0F, std::nanf(""), HUGE_VALF}) {
    HfFolder folder = small_folder();
    folder.tensor(kQ + "_scale").data.assign(reinterpret_cast<const char*>(&value), sizeof value);
    EXPECT_TRUE(has(refusal_of(folder), "is no scale"));
  }
  HfFolder two = small_folder();
  two.tensor(kQ + "_scale") = {kQ + "_scale", "F32", {2}, std::string(8, '\x3F')};
  EXPECT_TRUE(has(refusal_of(two), "where one float is expected"));
  HfFolder none = small_folder();
  none.remove(kQ + "_scale");
  EXPECT_TRUE(has(refusal_of(none), "q_proj.weight_scale: missing"));
}

TEST(HfSource, RefusesTheCodeThatStandsForNothing) {
  HfFolder folder = small_folder();
  folder.tensor(kQ).data[130] |= static_cast<char>(3 << 4);
  EXPECT_TRUE(has(refusal_of(folder),
                  "row 65 of " + kQ + " holds the code 3, which stands for nothing, at column 2"));
}

// Rows of a packed matrix that are looked through before they are read: by themselves, or, where those that
// share bytes are read together, with these. A quarter of the rows of llama's queries is a head, of its keys
// half a head, so that interleaving parts them.
TEST(HfSource, LooksThroughEveryPackedRowBeforeItIsRead) {
  const LoadedModel model(small("llama"));
  for (const std::string name : {"q", "k"}) {
    const std::string stored = "model.layers.0.self_attn." + name + "_proj.weight";
    constexpr std::uint64_t kCols = 128;
    const std::uint64_t rows = name == "q" ? 128 : 64;
    const std::uint64_t byte_rows = rows / 4;
    for (std::uint64_t row = 0; row < rows; row += 5) {
      HfFolder folder(opened(model.file), HfForm::bitlinear);
      char& byte = folder.tensor(stored).data[row % byte_rows * kCols + 9];
      byte = static_cast<char>(byte | 3 << (2 * (row / byte_rows)));
      std::vector<std::string> notes;
      const auto source = convert::open_hf_source(folder.write(), {}, notes);
      const auto at =
          std::ranges::find(source->tensors(), "blk.0.attn_" + name + ".weight", &SourceTensor::name);
      const auto tensor = static_cast<std::size_t>(at - source->tensors().begin());
      const convert::SharedRows shared = source->shared_rows(tensor);
      EXPECT_EQ(shared.step, name == "q" ? byte_rows : rows);
      std::size_t n_faults = 0;
      for (std::uint64_t begin = 0; begin < shared.step; ++begin) {
        std::optional<std::string> fault;
        bool is_read = false;
        for (std::uint64_t r = begin; r < rows; r += shared.step) {
          if (!fault) fault = source->check(tensor, r, r + 1);
          quant::CodedRow codes;
          ASSERT_TRUE(source->read_coded(tensor, r, codes));
          is_read |= (codes.words[0] >> 18 & 3U) == 3;
        }
        EXPECT_EQ(fault.has_value(), is_read) << name << " " << row << " " << begin;
        if (!fault) continue;
        EXPECT_TRUE(has(*fault, "row " + std::to_string(row) + " of " + stored + " holds the code 3"));
        ++n_faults;
      }
      EXPECT_EQ(n_faults, 1U) << name << " " << row;
    }
  }
}

TEST(HfSource, RefusesFloatsThatAreNoNumbers) {
  HfFolder folder = small_folder();
  folder.tensor("model.embed_tokens.weight").data.replace(256, 2, "\xFF\x7F");
  EXPECT_TRUE(has(refusal_of(folder), "no finite number"));
}

TEST(HfSource, RefusesTensorsThatAreMissingTooManyOrOfAnotherShape) {
  HfFolder missing = small_folder();
  missing.remove("model.layers.1.input_layernorm.weight");
  EXPECT_TRUE(has(refusal_of(missing), "model.layers.1.input_layernorm.weight: missing"));
  HfFolder extra = small_folder();
  extra.tensors.push_back({"model.layers.0.self_attn.q_proj.bias", "F32", {1}, std::string(4, '\0')});
  EXPECT_TRUE(has(refusal_of(extra), "q_proj.bias: has no place in the graph"));
  HfFolder shape = small_folder();
  std::swap(shape.tensor(kQ).shape[0], shape.tensor(kQ).shape[1]);
  EXPECT_TRUE(has(refusal_of(shape), "[128, 32] where 128 packed rows of 128 take [32, 128]"));
  HfFolder norm = small_folder();
  norm.tensor("model.norm.weight").shape = {64, 2};
  EXPECT_TRUE(has(refusal_of(norm), "[64, 2] where config.json asks for [128]"));
  HfFolder layers = small_folder();
  layers.config["num_hidden_layers"] = 4000;
  EXPECT_TRUE(has(refusal_of(layers), "4000 layers"));
}

TEST(HfSource, RefusesWeightsInAnotherFormThanTheConfigSays) {
  HfFolder packed = small_folder();
  packed.config["quantization_config"]["quantization_mode"] = "online";
  EXPECT_TRUE(has(refusal_of(packed), "is U8 where floats"));
  HfFolder floats = small_folder(HfForm::floats);
  floats.config["quantization_config"] = {{"quant_method", "bitnet"}};
  EXPECT_TRUE(has(refusal_of(floats), "is F32 where config.json's quantization_config has packed U8"));
  HfFolder excluded = small_folder();
  excluded.config["quantization_config"]["modules_to_not_convert"] = {"q_proj"};
  EXPECT_TRUE(has(refusal_of(excluded), "is U8 where floats"));
  HfFolder doubles = small_folder();
  doubles.tensor("model.norm.weight") = {"model.norm.weight", "F64", {128}, std::string(1024, '\0')};
  EXPECT_TRUE(has(refusal_of(doubles), "is F64 where floats"));
}

TEST(HfSource, ATiedHeadMayBeThereOnceMoreButNotAnother) {
  HfFolder folder = small_folder();
  HfStored head = folder.tensor("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  folder.tensors.push_back(head);
  std::vector<std::string> notes;
  convert::open_hf_source(folder.write(), {}, notes);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "lm_head.weight is the embedding once more"));
  folder.tensor("lm_head.weight").data[0] ^= 1;
  EXPECT_TRUE(has(refusal_of(folder), "differs from the embedding"));
  // The same values in a wider type.
  HfStored wide = folder.tensor("model.embed_tokens.weight");
  ASSERT_EQ(wide.dtype, "F16");
  wide.name = "lm_head.weight";
  wide.dtype = "F32";
  wide.data.clear();
  for (std::size_t at = 0; at < head.data.size(); at += 2) {
    std::uint16_t half = 0;
    std::memcpy(&half, &head.data[at], 2);
    const float value = f16_to_f32(half);
    wide.data.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  folder.tensor("lm_head.weight") = wide;
  notes.clear();
  convert::open_hf_source(folder.write(), {}, notes);
  EXPECT_EQ(notes.size(), 1U);
  HfFolder untied = small_folder();
  untied.config["tie_word_embeddings"] = false;
  EXPECT_TRUE(has(refusal_of(untied), "lm_head.weight: missing"));
}

TEST(HfSource, AFolderOfSomethingElseIsToldSo) {
  const TempDirectory directory;
  std::vector<std::string> notes;
  try {
    convert::open_hf_source(directory.path(), {}, notes);
    FAIL() << "it was opened";
  } catch (const ModelError& error) {
    EXPECT_TRUE(has(error.what(), "is no model's folder: it has no config.json"));
  }
}

TEST(HfSource, FrequenciesThatAnyReaderComputesAreLeftOut) {
  HfFolder folder = small_folder();
  folder.tensors.push_back(
      {"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {1}, std::string(4, '\0')});
  EXPECT_EQ(refusal_of(folder), "");
}

}  // namespace
}  // namespace bitnet::test
