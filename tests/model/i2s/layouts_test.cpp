// Models in each layout of I2_S: told apart where they were trained, and computed alike.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/checked_files.h"
#include "model/i2s/layout_choice.h"
#include "model/model_impl.h"
#include "support/small_model.h"
#include "support/split_model.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using namespace std::chrono_literals;
using Logits = std::vector<std::vector<float>>;

constexpr I2sLayout kLayoutsToCopy[] = {I2sLayout::arm, I2sLayout::rows4};
const std::vector<TokenId> kLayoutPrompt{TokenId{1}, TokenId{4}, TokenId{2}};

std::vector<std::byte> canary_in(I2sLayout layout) {
  const std::string text = content_of(BITNET_MODELS "/canary.gguf");
  return in_i2s_layout(AlignedBytes(std::as_bytes(std::span(text))).span(), layout);
}

// A random model, written in a layout.
AlignedBytes small_in(I2sLayout layout, const SmallModel& model) {
  return AlignedBytes(in_i2s_layout(model.build().span(), layout));
}

// The model points into the file.
Model load_layout(const AlignedBytes& file, const LoadOptions& options = {}) {
  return Model::from_bytes(file.span(), "layout.gguf", options);
}

std::size_t n_layout_lines(const Model& model) {
  return static_cast<std::size_t>(std::ranges::count_if(
      model.info().assumptions,
      [](const std::string& line) { return line.find("--i2s-layout") != std::string::npos; }));
}

TEST(I2sLayoutOfAFile, IsToldByItsWeightsAndChangesNoBit) {
  const Logits want = logits(load_layout(AlignedBytes(canary_in(I2sLayout::x86))), kLayoutPrompt);
  for (const I2sLayout layout : kI2sLayouts) {
    const AlignedBytes file(canary_in(layout));
    for (const unsigned n_threads : {1U, 3U}) {
      const Model model = load_layout(file, {.n_threads = n_threads});
      const I2sInfo& info = model.info().i2s;
      EXPECT_EQ(info.layout, layout);
      EXPECT_EQ(info.certainty, Certainty::concluded);
      EXPECT_TRUE(has(info.reason, "agreement of norm weights"));
      EXPECT_EQ(info.copied_bytes > 0, layout != I2sLayout::x86);
      EXPECT_EQ(n_layout_lines(model), layout == I2sLayout::x86 ? 0U : 1U);
      EXPECT_EQ(logits(model, kLayoutPrompt), want) << name_of(layout);
    }
  }
}

TEST(I2sLayoutOfAFile, IsWhatTheCallerSays) {
  const Logits want = logits(load_layout(AlignedBytes(canary_in(I2sLayout::x86))), kLayoutPrompt);
  for (const I2sLayout written : kI2sLayouts) {
    const AlignedBytes file(canary_in(written));
    for (const I2sLayout said : kI2sLayouts) {
      const Model model = load_layout(file, {.i2s_layout = said});
      EXPECT_EQ(model.info().i2s.layout, said);
      EXPECT_EQ(model.info().i2s.certainty, Certainty::said);
      EXPECT_EQ(n_layout_lines(model), 0U);
      EXPECT_EQ(logits(model, kLayoutPrompt) == want, said == written) << name_of(said);
    }
  }
}

TEST(I2sLayoutOfAFile, IsTakenForX86WhereNothingTells) {
  const AlignedBytes file = SmallModel("bitnet-b1.58").build();
  const Model model = load_layout(file);
  EXPECT_EQ(model.info().i2s.layout, I2sLayout::x86);
  EXPECT_EQ(model.info().i2s.certainty, Certainty::assumed);
  EXPECT_EQ(model.info().i2s.copied_bytes, 0U);
  EXPECT_EQ(n_layout_lines(model), 1U);
  EXPECT_EQ(logits(model, kLayoutPrompt),
            logits(load_layout(file, {.i2s_layout = I2sLayout::x86}), kLayoutPrompt));
}

TEST(I2sLayoutOfAFile, IsWhatItsKeySays) {
  SmallModel model("llama");
  const Logits want = logits(load_layout(model.build()), kLayoutPrompt);
  for (const I2sLayout layout : kI2sLayouts) {
    model.set(std::string(kI2sLayoutKey), std::string(name_of(layout)));
    const AlignedBytes file = small_in(layout, model);
    const Model said = load_layout(file);
    EXPECT_EQ(said.info().i2s.layout, layout);
    EXPECT_EQ(said.info().i2s.certainty, Certainty::said);
    EXPECT_EQ(n_layout_lines(said), 0U);
    EXPECT_TRUE(said.info().notes.empty());
    EXPECT_EQ(logits(said, kLayoutPrompt), want);
    EXPECT_NE(
        logits(load_layout(small_in(I2sLayout::x86, model), {.i2s_layout = I2sLayout::arm}), kLayoutPrompt),
        want);
  }
  for (const char* name : {"tl1", "", "X86"}) {
    model.set(std::string(kI2sLayoutKey), name);
    EXPECT_TRUE(is_refused(model, {kI2sLayoutKey, "is no layout", "x86, arm, rows4"}));
  }
  model.set(std::string(kI2sLayoutKey), std::uint32_t{1});
  EXPECT_TRUE(is_refused(model, {kI2sLayoutKey}));
}

// Such a model has no rows to pack by fours.
TEST(I2sLayoutOfAFile, IsRefusedAsRows4WhereTheRowsAreNotFours) {
  const AlignedBytes file = SmallModel("llama", {.heads = 64, .kv_heads = 1}).build();
  EXPECT_NO_THROW(load_layout(file, {.i2s_layout = I2sLayout::arm}));
  try {
    load_layout(file, {.i2s_layout = I2sLayout::rows4});
    ADD_FAILURE() << "it loads";
  } catch (const ModelError& e) {
    EXPECT_TRUE(has(e.what(), "2 rows cannot be in the layout rows4"));
  }
}

TEST(I2sLayoutOfAFile, IsNothingWithoutI2sTensors) {
  SmallModel model("llama");
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    t.type = kF16;
    t.draw(3);
  }
  const AlignedBytes file = model.build();
  const Model loaded = load_layout(file, {.i2s_layout = I2sLayout::arm});
  EXPECT_EQ(loaded.info().i2s.layout, std::nullopt);
  EXPECT_TRUE(loaded.info().assumptions.empty());
}

TEST(I2sLayoutOfAFile, IsThatOfATernaryEmbeddingAndHeadToo) {
  SmallModel model("bitnet-b1.58");
  SmallTensor& embedding = model.tensor("token_embd.weight");
  embedding.type = kI2S;
  embedding.draw(5);
  const Logits want = logits(load_layout(model.build()), kLayoutPrompt);
  for (const I2sLayout layout : kLayoutsToCopy) {
    const AlignedBytes file = small_in(layout, model);
    const Model copied = load_layout(file, {.i2s_layout = layout});
    EXPECT_EQ(logits(copied, kLayoutPrompt), want);
    EXPECT_GT(copied.impl().weights.i2s_copies.size(), 0U);
    const Model repacked = load_layout(file, {.weights = WeightMemory::repack, .i2s_layout = layout});
    EXPECT_EQ(logits(repacked, kLayoutPrompt), want);
    EXPECT_EQ(repacked.impl().weights.i2s_copies.size(), 0U) << "it would be there twice";
  }
}

TEST(I2sLayoutOfAFile, IsJudgedOnceWhereThatIsRemembered) {
  TempDirectory directory;
  const std::string path = directory.file("arm.gguf");
  const std::string list = directory.file("list");
  write_file(path, canary_in(I2sLayout::arm));
  const LoadOptions options{.checked_list = list, .checked_min_age = 0s};
  const Model first = Model::load(path, options);
  EXPECT_EQ(CheckedFiles(list, 0s).find(gguf::File::open(path)).layout, LayoutVerdict::arm);
  const Model second = Model::load(path, options);
  EXPECT_EQ(second.info().i2s.layout, I2sLayout::arm);
  EXPECT_EQ(second.info().i2s.certainty, Certainty::concluded);
  EXPECT_NE(second.info().i2s.reason, first.info().i2s.reason);
  EXPECT_EQ(logits(second, kLayoutPrompt), logits(first, kLayoutPrompt));
  // Were it judged again, this would be found out.
  CheckedFiles(list, 0s).add(gguf::File::open(path), LayoutVerdict::unknown);
  EXPECT_EQ(Model::load(path, options).info().i2s.certainty, Certainty::assumed);
  // An option asks nobody, and leaves what was found.
  LoadOptions asked = options;
  asked.i2s_layout = I2sLayout::rows4;
  EXPECT_EQ(Model::load(path, asked).info().i2s.layout, I2sLayout::rows4);
  EXPECT_EQ(CheckedFiles(list, 0s).find(gguf::File::open(path)).layout, LayoutVerdict::unknown);
}

}  // namespace
}  // namespace bitnet::test
