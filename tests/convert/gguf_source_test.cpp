// GGUF files as what is converted: what is put right in them, and what is refused.
#include "convert/gguf_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "base/half.h"
#include "bitnet/error.h"
#include "convert/converted.h"
#include "convert/repairs.h"
#include "gguf/gguf.h"
#include "model/i2s/layout_judge.h"
#include "model/tensor_layout.h"
#include "support/block_types.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using convert::ConvertReport;
using convert::Repair;

const Repair* find_repair(const ConvertReport& report, const std::string& topic) {
  for (const Repair& repair : report.repairs) {
    if (repair.topic == topic) return &repair;
  }
  return nullptr;
}

class Repairs : public ::testing::Test {
 protected:
  // Converts the model and opens what comes of it.
  gguf::File mended(const SmallModel& model, const convert::SourceOptions& options = {}) {
    write_bytes(from_, model.to_gguf().build());
    report_ = convert_file(from_, to_, {.plan = {}, .split = {}, .force = true}, options);
    return gguf::File::open(to_);
  }

  TempDirectory directory_;
  const std::string from_ = directory_.file("from.gguf");
  const std::string to_ = directory_.file("to.gguf");
  ConvertReport report_;
};

// The metadata that Microsoft's 2B-4T file is published with.
SmallModel published_2b4t() {
  SmallModel model("bitnet-b1.58");
  model.spell(298, "<|begin_of_text|>", TokenType::control);
  model.spell(299, "<|eot_id|>", TokenType::control);
  model.remove_key("tokenizer.ggml.pre");
  model.set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  model.set("tokenizer.chat_template",
            std::string("{% for m in messages %}Human: {{ m }}\n\nBITNETAssistant: {% endfor %}"));
  return model;
}

TEST_F(Repairs, MendTheMetadataOfThePublishedFile) {
  const gguf::File file = mended(published_2b4t());
  EXPECT_EQ(file.get_string("tokenizer.ggml.pre"), "llama-bpe");
  EXPECT_EQ(file.get_uint("tokenizer.ggml.eos_token_id"), 299U);
  const Model model = Model::load(to_);
  const ChatChoice choice = choose_chat_template(model.chat_hints(), model.tokenizer());
  EXPECT_EQ(choice.chosen, ChatTemplate::bitnet) << choice.obstacle;
  EXPECT_EQ(model.chat_hints().chat_template.find("BITNETAssistant"), std::string_view::npos);
  for (const std::string topic : {"pre-tokenizer", "end of turn", "chat template"}) {
    EXPECT_NE(find_repair(report_, topic), nullptr) << topic;
  }
  // Once is enough.
  const ConvertReport again = convert_file(to_, directory_.file("again.gguf"));
  EXPECT_TRUE(again.repairs.empty());
  EXPECT_EQ(content_of(directory_.file("again.gguf")), content_of(to_));
}

TEST_F(Repairs, CanBeLeftUndone) {
  const gguf::File file = mended(published_2b4t(), {.repairs = false});
  EXPECT_TRUE(report_.repairs.empty());
  EXPECT_EQ(content_of(to_), content_of(from_));
}

TEST_F(Repairs, GiveAPreTokenizerThatNobodyKnowsItsName) {
  SmallModel model = published_2b4t();
  model.set("tokenizer.ggml.pre", std::string("default"));
  const gguf::File file = mended(model);
  EXPECT_EQ(file.get_string("tokenizer.ggml.pre"), "llama-bpe");
  ASSERT_NE(find_repair(report_, "pre-tokenizer"), nullptr);
  EXPECT_TRUE(has(find_repair(report_, "pre-tokenizer")->what, "'default'"));
}

TEST_F(Repairs, GiveAPreTokenizerThatIsAnotherVocabularysItsName) {
  SmallModel model = published_2b4t();
  const std::string right = "llama-bpe";
  for (const std::string wrong : {"gpt-2", "smaug-bpe"}) {
    EXPECT_EQ(mended(model.set("tokenizer.ggml.pre", wrong)).get_string("tokenizer.ggml.pre"), right);
    ASSERT_NE(find_repair(report_, "pre-tokenizer"), nullptr);
    EXPECT_TRUE(has(find_repair(report_, "pre-tokenizer")->what, "'" + wrong + "'"));
  }
  EXPECT_EQ(mended(model.set("tokenizer.ggml.pre", "qwen2")).get_string("tokenizer.ggml.pre"), "qwen2");
  SmallModel other("llama");  // whose vocabulary is none of Llama 3's
  EXPECT_EQ(mended(other.set("tokenizer.ggml.pre", "gpt-2")).get_string("tokenizer.ggml.pre"), "gpt-2");
}

TEST_F(Repairs, LeaveAPreTokenizerThatTheVocabularyDoesNotTell) {
  SmallModel model("bitnet-b1.58");
  model.remove_key("tokenizer.ggml.pre");
  EXPECT_FALSE(mended(model).find("tokenizer.ggml.pre"));
}

TEST_F(Repairs, WriteDownAnActivationThatTheLabelGivesWrong) {
  const SmallShape shape{.layers = 24,
                         .hidden = 128,
                         .heads = 4,
                         .kv_heads = 4,
                         .ffn = 128,
                         .sentence_piece = true,
                         .vocab = 32002};
  const gguf::File file = mended(SmallModel("bitnet-b1.58", shape));
  EXPECT_EQ(file.get_string("bitnet-b1.58.hidden_activation"), "silu");
  EXPECT_NE(find_repair(report_, "activation"), nullptr);
  EXPECT_FALSE(mended(SmallModel("bitnet-b1.58")).find("bitnet-b1.58.hidden_activation"));
}

TEST_F(Repairs, WriteDownTheActivationThatIsAskedFor) {
  const gguf::File file = mended(SmallModel("bitnet"), {.hidden_act = HiddenAct::relu2});
  EXPECT_EQ(file.get_string("bitnet.hidden_activation"), "relu2");
  EXPECT_TRUE(report_.repairs.empty());
}

TEST_F(Repairs, BringI2sToTheLayoutOfX86) {
  const std::vector<std::byte> x86 = SmallModel("llama").to_gguf().build();
  for (const I2sLayout layout : {I2sLayout::arm, I2sLayout::rows4}) {
    write_bytes(from_, in_i2s_layout(x86, layout));
    const ConvertReport report =
        convert_file(from_, to_, {.plan = {}, .split = {}, .force = true}, {.i2s_layout = layout});
    EXPECT_TRUE(report.is_lossless());
    EXPECT_NE(find_repair(report, "I2_S layout"), nullptr);
    const gguf::File file = gguf::File::open(to_);
    EXPECT_EQ(file.get_string("ternary.i2_s.layout"), "x86");
    const AlignedBytes bytes(x86);
    const gguf::File expected = gguf::File::from_bytes(bytes.span(), "x86");
    for (const gguf::Tensor& t : expected.tensors()) {
      EXPECT_TRUE(std::ranges::equal(file.find_tensor(t.name)->extent, t.extent)) << t.name;
    }
    // To another type, and without repairs.
    convert_file(from_, to_, {.plan = {.type = type_named("bitnet32")}, .split = {}, .force = true},
                 {.repairs = false, .i2s_layout = layout});
    convert_file(to_, directory_.file("back"),
                 {.plan = {.type = type_named("i2_s")}, .split = {}, .force = true});
    const gguf::File back = gguf::File::open(directory_.file("back"));
    EXPECT_EQ(back.get_string("ternary.i2_s.layout"), "x86");
    for (const gguf::Tensor& t : expected.tensors()) {
      EXPECT_TRUE(std::ranges::equal(back.find_tensor(t.name)->extent, t.extent)) << t.name;
    }
    convert_file(from_, to_, {.plan = {}, .split = {}, .force = true},
                 {.repairs = false, .i2s_layout = layout});
    EXPECT_EQ(gguf::File::open(to_).get_string("ternary.i2_s.layout"), name_of(layout));
  }
}

// The shape of 2B-4T is told by its keys; a file of a few of its tensors runs nowhere, and is copied.
TEST_F(Repairs, TurnInverseScalesBack) {
  GgufBuilder file;
  file.add("general.architecture", "bitnet-b1.58")
      .add("bitnet-b1.58.block_count", std::uint32_t{30})
      .add("bitnet-b1.58.embedding_length", std::uint32_t{2560})
      .add("bitnet-b1.58.feed_forward_length", std::uint32_t{6912})
      .add("bitnet-b1.58.attention.head_count", std::uint32_t{20});
  const std::vector<std::int8_t> trits(256, 1);
  const std::vector<float> right{1.5625F, 1.1875F, 1.921875F};  // bf16
  for (std::size_t i = 0; i < right.size(); ++i) {
    file.add_i2s("t" + std::to_string(i), {128, 2}, trits, 1.0F / right[i]);
  }
  write_bytes(from_, file.build());
  const ConvertReport report = convert_file(from_, to_, {}, {.needs_model = false});
  ASSERT_NE(find_repair(report, "inverse scales"), nullptr);
  EXPECT_FALSE(report.failure);
  const gguf::File read = gguf::File::open(to_);
  for (std::size_t i = 0; i < right.size(); ++i) {
    const gguf::Tensor& t = read.tensors()[i];
    EXPECT_EQ(quant::info(quant::TensorType::i2_s).tensor_scale(t.extent.data(), 2, 128), right[i]);
  }
}

TEST_F(Repairs, GiveTernaryValuesBackThatWereRoundedToQ4AndQ5) {
  for (const std::uint32_t type : {kQ4_0, kQ5_0}) {
    SmallModel right("llama", {.vocab = 320});
    SmallTensor& embedding = right.tensor("token_embd.weight");
    std::mt19937 random(5);
    std::vector<float> values(embedding.n_elements());
    for (float& v : values) v = 0.03125F * (static_cast<float>(random() % 3) - 1);
    std::fill_n(values.begin() + 64, 32, 0.0F);  // a block of zeros
    embedding.set_f32(values);
    SmallModel rounded = right;
    rounded.tensor("token_embd.weight").type = type;
    rounded.tensor("token_embd.weight").data = round_as_ggml(type, values);
    write_bytes(from_, rounded.to_gguf().build());
    ASSERT_NE(logits(rounded), logits(right));

    const ConvertReport report =
        convert_file(from_, to_, {.plan = {.head = type_named("q2_0-64")}, .split = {}, .force = true});
    const Repair* const repair = find_repair(report, "rounded");
    ASSERT_NE(repair, nullptr);
    EXPECT_TRUE(repair->changes_values);
    EXPECT_FALSE(report.failure);
    // In the type that it had, too, or in the one like it that is written.
    const std::string kept = directory_.file("kept");
    EXPECT_FALSE(convert_file(from_, kept, {.plan = {}, .split = {}, .force = true}).failure);
    const std::string same = directory_.file("same");
    EXPECT_FALSE(convert_file(from_, same, {.plan = {.head = type_named("q4_0")}, .split = {}, .force = true})
                     .failure);
    for (const std::string& file : {to_, same, kept}) {
      const gguf::File read = gguf::File::open(file);
      const gguf::Tensor& t = *read.find_tensor("token_embd.weight");
      const quant::TypeInfo& found = *bitnet::layout_of(read, t, {}).type;
      const quant::Matrix w{found.type, t.dims[1], t.dims[0], t.extent.data(), 1.0F};
      std::vector<float> row(w.cols);
      for (std::size_t r = 0; r < w.rows; ++r) {
        found.decode_row(w, r, row.data());
        ASSERT_TRUE(std::equal(row.begin(), row.end(), &values[r * w.cols])) << file << ", row " << r;
      }
      EXPECT_EQ(
          find_repair(convert_file(file, directory_.file("again"), {.plan = {}, .split = {}, .force = true}),
                      "rounded"),
          nullptr);
    }
    // Left as it is where that is wanted.
    EXPECT_EQ(find_repair(convert_file(from_, directory_.file("again"),
                                       {.plan = {}, .split = {}, .force = true}, {.repairs = false}),
                          "rounded"),
              nullptr);
    EXPECT_EQ(content_of(directory_.file("again")), content_of(from_));
  }
}

TEST(InverseScale, IsTheBf16ThatHasThisInverse) {
  for (std::uint32_t bits = 0x3F00; bits < 0x4080; ++bits) {
    const float right = bf16_to_f32(static_cast<std::uint16_t>(bits));
    EXPECT_EQ(convert::inverse_scale(1.0F / right), right);
  }
  const float odd = 1.2345678F;  // of no bf16
  EXPECT_EQ(convert::inverse_scale(odd), 1.0F / odd);
}

TEST_F(Repairs, FoldAScaleBesideATensorIntoTheTensors) {
  SmallModel model("llama");
  model.add(f32_tensor("blk.0.ffn_up.scale", 0.75F));
  write_bytes(from_, model.to_gguf().build());
  // It stays where nothing changes ...
  convert_file(from_, to_, {.plan = {}, .split = {}, .force = true});
  EXPECT_EQ(content_of(to_), content_of(from_));
  // ... and is one with the tensor's own when the way leads through another type.
  convert_to(from_, directory_.file("f32"), "f32");
  EXPECT_EQ(gguf::File::open(directory_.file("f32")).find_tensor("blk.0.ffn_up.scale"), nullptr);
  convert_to(directory_.file("f32"), directory_.file("i2_s"), "i2_s");
  const Model before = Model::load(from_);
  const Model after = Model::load(directory_.file("i2_s"));
  const std::vector<TokenId> tokens{TokenId{1}, TokenId{7}, TokenId{20}};
  EXPECT_EQ(logits(before, tokens), logits(after, tokens));
}

std::string refusal_of(const std::string& from, const convert::SourceOptions& options) {
  ThreadPool pool(1);
  std::vector<std::string> notes;
  try {
    convert::open_source(from, options, pool, notes);
  } catch (const ModelError& e) {
    return e.what();
  }
  return {};
}

TEST(GgufSource, RefusesATypeThatIsNotReadByName) {
  const TempDirectory directory;
  const std::string from = directory.file("from.gguf");
  SmallModel model("llama");
  SmallTensor& t = model.tensor("blk.1.attn_k.weight");
  t.type = 23;  // IQ4_XS
  t.data.resize(t.n_elements());
  write_bytes(from, model.to_gguf().build());
  for (const bool needs_model : {true, false}) {
    const std::string refused = refusal_of(from, {.needs_model = needs_model});
    EXPECT_TRUE(has(refused, "blk.1.attn_k.weight"));
    EXPECT_TRUE(has(refused, "IQ4_XS"));
  }
}

TEST(GgufSource, OfAnUnknownFamilyIsOnlyCopied) {
  const TempDirectory directory;
  const std::string from = directory.file("from.gguf");
  SmallModel model("llama");
  model.set("general.architecture", std::string("mamba"));
  write_bytes(from, model.to_gguf().build());
  EXPECT_TRUE(has(refusal_of(from, {}), "'mamba' is not supported"));
  convert_file(from, directory.file("to"), {}, {.needs_model = false});
  EXPECT_EQ(content_of(directory.file("to")), content_of(from));
}

TEST(GgufSource, RefusesWhatIsNoFile) {
  const TempDirectory directory;
  EXPECT_NE(refusal_of(directory.file("absent"), {}), "");
  EXPECT_NE(refusal_of("/dev/null", {}), "");
  write_bytes(directory.file("empty"), {});
  EXPECT_NE(refusal_of(directory.file("empty"), {}), "");
}

}  // namespace
}  // namespace bitnet::test
