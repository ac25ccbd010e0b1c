// GGUF files in other types and back: the same bytes, the same values, the same logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/session.h"
#include "convert/converted.h"
#include "gguf/gguf.h"
#include "support/block_types.h"
#include "support/canary.h"
#include "support/row_scaled_types.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
using convert::ConvertOptions;
using convert::ConvertReport;

const std::string kCanaryFile = BITNET_MODELS "/canary.gguf";

// Types that hold -1, 0 and +1 as they are, and their scale in blocks or beside them.
const std::vector<std::string> kLosslessTypes{
    "i2_s",         "tq1_0",    "tq2_0", "q2_0", "q2_0-64", "pq2_0", "ptq1_0", "qk256",
    "qk256-scales", "bitnet32", "q4_0",  "q6_k", "q8_0",    "bf16",  "f16",    "f32"};
const std::vector<std::string> kCodedTypes{"tq1_0",  "tq2_0", "q2_0",         "q2_0-64", "pq2_0",
                                           "ptq1_0", "qk256", "qk256-scales", "bitnet32"};

std::vector<float> logits_of(const std::string& path, ActivationType activations) {
  const Model model = Model::load(path);
  Session session(model, {.ctx_size = 64, .n_threads = 1, .activations = activations});
  const auto ids = model.tokenizer().encode("The capital of France is Paris.", {.add_bos = true});
  std::vector<float> all;
  session.run_all(ids, [&](Position, std::span<const float> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

class GgufConversion : public ::testing::TestWithParam<std::string> {
 protected:
  TempDirectory directory_;
  const std::string there_ = directory_.file("there.gguf");
  const std::string back_ = directory_.file("back.gguf");
};

INSTANTIATE_TEST_SUITE_P(Types, GgufConversion, ::testing::ValuesIn(kLosslessTypes), [](const auto& i) {
  std::string name = i.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST_P(GgufConversion, BringsTheCanaryBackByteForByte) {
  const ConvertReport there = convert_to(kCanaryFile, there_, GetParam());
  EXPECT_FALSE(there.failure);
  EXPECT_TRUE(there.is_lossless());
  const ConvertReport back = convert_to(there_, back_, "i2_s");
  EXPECT_TRUE(back.is_lossless());
  EXPECT_EQ(content_of(back_), content_of(kCanaryFile));
  EXPECT_EQ(content_of(there_) == content_of(kCanaryFile), GetParam() == "i2_s");
}

TEST(Conversions, OfRowsWithAScaleEachGiveI2SBack) {
  for (const std::uint32_t type : {kIq2Bn, kIq2BnR4, kIq1Bn}) {
    const TempDirectory directory;
    SmallModel in_i2s("llama");
    SmallModel m("llama");
    for (SmallTensor& t : m.tensors()) {
      if (t.type != kI2S) continue;
      std::vector<std::int8_t> trits(t.n_elements());
      for (std::size_t i = 0; i < trits.size(); ++i)
        trits[i] = static_cast<std::int8_t>(static_cast<int>(i * i % 7 % 3) - 1);
      in_i2s.tensor(t.name).set_i2s(trits, 0.375F);
      t.type = type;
      t.data = pack_row_scaled(type, trits, std::vector<float>(t.dims[1], 0.375F));
    }
    write_bytes(directory.file("from.gguf"), m.to_gguf().build());
    write_bytes(directory.file("i2_s.gguf"), in_i2s.to_gguf().build());
    EXPECT_TRUE(convert_to(directory.file("from.gguf"), directory.file("to.gguf"), "i2_s").is_lossless());
    convert_to(directory.file("i2_s.gguf"), directory.file("again.gguf"), "i2_s");
    EXPECT_EQ(content_of(directory.file("to.gguf")), content_of(directory.file("again.gguf")));
    // What is not asked for in another type stays as it is.
    convert_file(directory.file("from.gguf"), directory.file("same.gguf"), {});
    EXPECT_EQ(gguf::File::open(directory.file("same.gguf")).find_tensor("blk.0.attn_q.weight")->type, type);
  }
}

TEST(Conversions, FromEachTernaryTypeToTheNextEndWhereTheyBegan) {
  const TempDirectory directory;
  std::string at = kCanaryFile;
  for (const std::string& type : kCodedTypes) {
    const std::string next = directory.file(type);
    EXPECT_TRUE(convert_to(at, next, type).is_lossless()) << type;
    at = next;
  }
  convert_to(at, directory.file("end"), "i2_s");
  EXPECT_EQ(content_of(directory.file("end")), content_of(kCanaryFile));
}

// With activations rounded to int8 under one scale a token, as these models were trained, and without
// rounding.
TEST(Conversions, BetweenTernaryTypesChangeNoBitOfTheLogits) {
  const TempDirectory directory;
  const std::vector<float> rounded = logits_of(kCanaryFile, ActivationType::automatic);
  const std::vector<float> exact = logits_of(kCanaryFile, ActivationType::f32);
  for (const std::string& type : kCodedTypes) {
    const std::string file = directory.file(type);
    convert_to(kCanaryFile, file, type);
    EXPECT_EQ(logits_of(file, ActivationType::automatic), rounded) << type;
    EXPECT_EQ(logits_of(file, ActivationType::f32), exact) << type;
  }
}

// Of a scale that is a 16-bit float there is none beside the matrix.
TEST(Conversions, WithScalesInTheBlocksChangeNoBitOfTheLogitsEither) {
  const TempDirectory directory;
  SmallModel model("bitnet-b1.58", {.hidden = 256, .ffn = 512});
  for (SmallTensor& t : model.tensors()) {
    const float scale = 0.0625F;
    if (t.type == kI2S) std::memcpy(&t.data[t.data.size() - 32], &scale, sizeof scale);
  }
  const std::string from = directory.file("from.gguf");
  write_bytes(from, model.to_gguf().build());
  const std::vector<TokenId> tokens{TokenId{1}, TokenId{7}, TokenId{20}, TokenId{5}};
  const auto before = logits(Model::load(from), tokens);
  for (const std::string& type : kCodedTypes) {
    if (type == "qk256") continue;  // has no scales in its blocks
    const std::string to = directory.file(type);
    convert_to(from, to, type);
    EXPECT_EQ(gguf::File::open(to).find_tensor("blk.0.attn_q.scale"), nullptr);
    EXPECT_EQ(logits(Model::load(to), tokens), before) << type;
  }
}

TEST(Conversions, ToFloatsGiveTheLogitsOfUnroundedActivations) {
  const TempDirectory directory;
  const std::vector<float> exact = logits_of(kCanaryFile, ActivationType::f32);
  for (const std::string type : {"f32", "f16", "bf16"}) {
    const std::string file = directory.file(type);
    convert_to(kCanaryFile, file, type);
    const std::vector<float> logits = logits_of(file, ActivationType::automatic);
    ASSERT_EQ(logits.size(), exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(logits[i], exact[i], 1e-3) << type;
  }
}

TEST(Conversions, ThatAskForNothingGiveTheSameBytes) {
  const TempDirectory directory;
  std::size_t n_files = 0;
  for (const auto& entry : fs::directory_iterator(BITNET_TEST_DATA "/models")) {
    const std::string from = entry.path().string();
    if (!from.ends_with(".gguf")) continue;
    const std::string to = directory.file(entry.path().filename().string());
    EXPECT_TRUE(convert_file(from, to, {}, {.repairs = false}).is_lossless()) << from;
    EXPECT_EQ(content_of(to), content_of(from)) << from;
    ++n_files;
  }
  EXPECT_GT(n_files, 10U);
}

TEST(Conversions, OfHeadAndEmbeddingLeaveTheLayers) {
  const TempDirectory directory;
  const std::string file = directory.file("m.gguf");
  for (const std::string type : {"q8_0", "q6_k", "q4_0", "bf16", "f32"}) {
    const ConvertReport report =
        convert_file(kCanaryFile, file, {.plan = {.head = type_named(type)}, .split = {}, .force = true});
    for (const convert::TensorReport& t : report.tensors) {
      const bool is_head = t.name == "token_embd.weight";  // tied
      EXPECT_EQ(t.way == convert::Way::copy, !is_head) << t.name;
      ASSERT_TRUE(t.proof);
      EXPECT_EQ(t.proof->is_equal, !is_head || type == "f32") << t.name;
      if (is_head && type == "q8_0") {
        EXPECT_GT(t.proof->rms_error, 1e-4);
        EXPECT_LT(t.proof->rms_error, 0.02);
      }
    }
    EXPECT_FALSE(logits_of(file, ActivationType::automatic).empty());
  }
}

TEST(Conversions, SetTheFileTypeInItsPlace) {
  const TempDirectory directory;
  const std::string file = directory.file("m.gguf");
  for (const auto& [type, number] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"tq1_0", 36}, {"tq2_0", 37}, {"f16", 1}, {"f32", 0}, {"q8_0", 7}, {"bitnet32", 40}}) {
    convert_file(kCanaryFile, file, {.plan = {.type = type_named(type)}, .split = {}, .force = true});
    const gguf::File read = gguf::File::open(file);
    EXPECT_EQ(read.key(2), "general.file_type");
    EXPECT_EQ(read.get_uint("general.file_type"), number) << type;
  }
}

// A model whose matrices are of blocks with scales of their own.
std::string blocks_file(const TempDirectory& directory, std::uint32_t type, std::size_t width) {
  SmallModel model("llama", {.hidden = width, .ffn = 2 * width});
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    t.type = type;
    t.data = random_blocks(type, t.n_elements(), 7).bytes;
  }
  const std::string file = directory.file("blocks.gguf");
  write_bytes(file, model.to_gguf().build());
  return file;
}

std::string refusal_of(const std::string& from, const std::string& to, const ConvertOptions& options) {
  try {
    convert_file(from, to, options);
  } catch (const ModelError& e) {
    return e.what();
  }
  return {};
}

TEST(Conversions, KeepTheScalesOfBlocks) {
  const TempDirectory directory;
  const std::string from = blocks_file(directory, kTQ2_0, 256);
  for (const std::string type : {"q2_0-64", "q2_0", "bitnet32", "qk256-scales"}) {
    const std::string there = directory.file("there-" + type);
    const std::string back = directory.file("back-" + type);
    // Every code occurs, and only these types have the fourth.
    if (type == "bitnet32" || type == "qk256-scales") {
      EXPECT_TRUE(has(refusal_of(from, there, {.plan = {.type = type_named(type)}, .split = {}}), "no code"));
      continue;
    }
    EXPECT_TRUE(convert_to(from, there, type).is_lossless());
    EXPECT_TRUE(convert_to(there, back, "tq2_0").is_lossless());
    EXPECT_EQ(content_of(back), content_of(from)) << type;
  }
}

TEST(Conversions, RefuseScalesThatWouldBeMergedUnlessToldToRound) {
  const TempDirectory directory;
  const std::string from = blocks_file(directory, kPQ2_0, 256);
  const std::string to = directory.file("to.gguf");
  for (const std::string type : {"tq2_0", "i2_s", "qk256"}) {
    ConvertOptions options{.plan = {.type = type_named(type)}, .split = {}};
    const std::string refused = refusal_of(from, to, options);
    for (const std::string part : {"blocks.gguf", "blk.0.attn_q.weight", "PQ2_0", "--quantize absmean"}) {
      EXPECT_TRUE(has(refused, part)) << type << ": " << refused;
    }
    EXPECT_FALSE(fs::exists(to));
    options.plan.absmean = true;
    options.force = true;
    const ConvertReport report = convert_file(from, to, options);
    EXPECT_FALSE(report.failure);
    EXPECT_FALSE(report.is_lossless());
    EXPECT_FALSE(report.warnings.empty());
    for (const convert::TensorReport& t : report.tensors) {
      EXPECT_EQ(t.proof->rms_error > 0.01, t.way == convert::Way::rounded) << t.name;
    }
    fs::remove(to);
  }
  EXPECT_EQ(directory.n_files(), 1);
}

TEST(Conversions, NameTypesWhoseBlocksFitTheRows) {
  const TempDirectory directory;
  const std::string from = directory.file("narrow.gguf");
  write_bytes(from, SmallModel("llama", {.hidden = 128, .ffn = 384}).to_gguf().build());
  const std::string refused =
      refusal_of(from, directory.file("to"), {.plan = {.type = type_named("tq2_0")}, .split = {}});
  for (const std::string part : {"128 values are not whole blocks of 256", "i2_s", "q2_0-64", "bitnet32"}) {
    EXPECT_TRUE(has(refused, part));
  }
  EXPECT_TRUE(lacks(refused, ", tq1_0"));
}

TEST(Conversions, RefuseFloatsThatAreNotTernary) {
  const TempDirectory directory;
  SmallModel model("llama");
  SmallTensor& t = model.tensor("blk.1.ffn_up.weight");
  std::vector<float> values(t.n_elements(), 0.5F);
  values[300] = 0.25F;
  t.set_f32(values);
  const std::string from = directory.file("from.gguf");
  write_bytes(from, model.to_gguf().build());
  const std::string to = directory.file("to.gguf");
  const std::string refused = refusal_of(from, to, {.plan = {.type = type_named("i2_s")}, .split = {}});
  EXPECT_TRUE(has(refused, "blk.1.ffn_up.weight (F32)"));
  EXPECT_TRUE(has(refused, "not ternary"));
  const ConvertReport rounded =
      convert_file(from, to, {.plan = {.type = type_named("i2_s"), .absmean = true}, .split = {}});
  for (const convert::TensorReport& tensor : rounded.tensors) {
    EXPECT_EQ(tensor.proof->is_equal, tensor.name != "blk.1.ffn_up.weight") << tensor.name;
  }
}

TEST(Conversions, RefuseValuesThatDoNotFit) {
  const TempDirectory directory;
  SmallModel model("llama");
  SmallTensor& embedding = model.tensor("token_embd.weight");
  std::vector<float> values(embedding.n_elements(), 0.5F);
  values[200] = 70000.0F;
  embedding.set_f32(values);
  const std::string from = directory.file("from.gguf");
  write_bytes(from, model.to_gguf().build());
  const std::string to = directory.file("to.gguf");
  EXPECT_TRUE(has(refusal_of(from, to, {.plan = {.embedding = type_named("f16")}, .split = {}}),
                  "too large for F16"));
  EXPECT_FALSE(convert_file(from, to, {.plan = {.embedding = type_named("bf16")}, .split = {}}).failure);
}

TEST(Conversions, RefuseTheCodeThatStandsForNothing) {
  const TempDirectory directory;
  SmallModel model("llama");
  model.tensor("blk.0.attn_v.weight").data[5] |= std::byte{0xC0};
  const std::string from = directory.file("from.gguf");
  write_bytes(from, model.to_gguf().build());
  for (const std::string type : {"i2_s", "q2_0", "f16"}) {
    const std::string refused =
        refusal_of(from, directory.file("to"), {.plan = {.type = type_named(type)}, .split = {}});
    EXPECT_TRUE(has(refused, "blk.0.attn_v.weight")) << type << refused;
    EXPECT_TRUE(has(refused, "code 3")) << type << refused;
  }
  EXPECT_EQ(directory.n_files(), 1);
}

// Of an embedding too that is only looked up, which the engine does not read through.
TEST(Conversions, RefuseValuesThatAreNotFinite) {
  const TempDirectory directory;
  for (const char* name : {"token_embd.weight", "output.weight", "blk.0.ffn_norm.weight"}) {
    SmallModel model("llama");
    SmallTensor head = model.tensor("token_embd.weight");
    head.name = "output.weight";
    model.add(head);
    SmallTensor& tensor = model.tensor(name);
    std::vector<float> values(tensor.n_elements(), 0.5F);
    values[77] = std::numeric_limits<float>::quiet_NaN();
    tensor.set_f32(values);
    const std::string from = directory.file("from.gguf");
    write_bytes(from, model.to_gguf().build());
    const std::string refused = refusal_of(from, directory.file("to"), {.plan = {}, .split = {}});
    EXPECT_TRUE(has(refused, name));
    EXPECT_TRUE(has(refused, "value 77 is not a finite number"));
  }
  EXPECT_EQ(directory.n_files(), 1);
}

TEST(Conversions, RefuseTwoTypesForATiedHead) {
  const TempDirectory directory;
  EXPECT_THROW(
      convert_file(kCanaryFile, directory.file("to"),
                   {.plan = {.head = type_named("q8_0"), .embedding = type_named("f16")}, .split = {}}),
      UsageError);
}

}  // namespace
}  // namespace bitnet::test
