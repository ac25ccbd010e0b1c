// What an examination finds in good files, odd ones and broken ones.
#include "model/inspect/inspection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "model/synthetic/synthetic.h"
#include "quant/i2_s.h"
#include "support/block_types.h"
#include "support/inspected.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

std::vector<std::byte> file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> canary_bytes() { return file_bytes(BITNET_MODELS "/canary.gguf"); }

const Finding* find(const Inspection& in, const std::string& topic) {
  const auto found = std::ranges::find(in.findings, topic, &Finding::topic);
  return found == in.findings.end() ? nullptr : &*found;
}

::testing::AssertionResult finds(const Inspection& in, FindingLevel level, const std::string& topic,
                                 const std::string& part) {
  for (const Finding& f : in.findings) {
    if (f.topic != topic) continue;
    if (f.level != level || (f.what + "; " + f.meaning).find(part) == std::string::npos) {
      return ::testing::AssertionFailure()
             << name_of(f.level) << ": " << f.topic << ": " << f.what << "; " << f.meaning;
    }
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "nothing about " << topic;
}

TEST(Inspection, FindsTheCanaryHealthy) {
  const Inspection in = inspect_bytes(canary_bytes());
  EXPECT_TRUE(in.is_parsed);
  EXPECT_TRUE(in.is_usable());
  EXPECT_FALSE(in.refusal.has_value());
  EXPECT_EQ(in.architecture, "bitnet-b1.58");
  EXPECT_EQ(in.gguf_version, 3U);
  EXPECT_GT(in.keys.size(), 10U);
  for (const Finding& f : in.findings) {
    EXPECT_LE(f.level, FindingLevel::note) << f.topic << ": " << f.what;
    EXPECT_FALSE(f.meaning.empty()) << f.topic;
  }
  EXPECT_TRUE(finds(in, FindingLevel::ok, "loading", "takes this file"));
  EXPECT_TRUE(finds(in, FindingLevel::ok, "codes", "nowhere"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "head", "tied"));
}

// Against values counted here one by one.
TEST(Inspection, CountsEveryCodeAndValue) {
  const SmallModel model("bitnet-b1.58");
  const Inspection in = inspect_small(model);
  ASSERT_EQ(in.tensors.size(), model.tensors().size());
  for (std::size_t i = 0; i < in.tensors.size(); ++i) {
    const SmallTensor& t = model.tensors()[i];
    const TensorSummary& got = in.tensors[i];
    EXPECT_EQ(got.name, t.name);
    if (t.type == kI2S) {
      const quant::Matrix w{quant::TensorType::i2_s, t.dims[1], t.dims[0], t.data.data(), 1.0F};
      std::vector<float> row(w.cols);
      std::array<std::uint64_t, 3> n{};
      for (std::size_t r = 0; r < w.rows; ++r) {
        quant::i2_s::decode_row(w, r, row.data());
        for (const float v : row) ++n[static_cast<std::size_t>(v + 1)];
      }
      EXPECT_EQ(got.codes.minus, n[0]);
      EXPECT_EQ(got.codes.zero, n[1]);
      EXPECT_EQ(got.codes.plus, n[2]);
      EXPECT_EQ(got.codes.invalid, 0U);
      EXPECT_EQ(got.scale, quant::i2_s::tensor_scale(w.data, w.rows, w.cols));
    } else if (t.type == kF32) {
      const auto* values = reinterpret_cast<const float*>(t.data.data());
      ASSERT_TRUE(got.range.has_value());
      EXPECT_EQ(got.range->min, *std::min_element(values, values + t.n_elements()));
      EXPECT_EQ(got.range->max, *std::max_element(values, values + t.n_elements()));
      EXPECT_EQ(got.range->n_not_finite, 0U);
    }
  }
}

TEST(InspectedLayout, IsNamedForTheCanaryInEachOfThree) {
  const std::vector<std::byte> x86 = canary_bytes();
  const Inspection right = inspect_bytes(x86);
  EXPECT_EQ(right.layout.verdict(), I2sLayout::x86);
  EXPECT_EQ(right.layout.n_pairs(), 28U);
  EXPECT_TRUE(finds(right, FindingLevel::ok, "layout", "I2_S in the layout x86"));
  for (const I2sLayout layout : {I2sLayout::arm, I2sLayout::rows4}) {
    const Inspection other = inspect_bytes(in_i2s_layout(x86, layout));
    EXPECT_EQ(other.layout.verdict(), layout);
    EXPECT_TRUE(other.is_usable());
    EXPECT_TRUE(finds(other, FindingLevel::note, "layout",
                      "I2_S in the layout " + std::string(name_of(layout)) + " (agreement"));
    EXPECT_TRUE(finds(other, FindingLevel::note, "layout", "copies to the layout of x86"));
    // What one reading finds under its layout, the other finds under its own.
    EXPECT_NEAR(other.layout.evidence(layout), right.layout.evidence(I2sLayout::x86), 1e-6);
    ASSERT_TRUE(other.i2s.has_value());
    EXPECT_EQ(other.i2s->layout, layout);
    EXPECT_GT(other.i2s->copied_bytes, 500'000U);
  }
}

// A file whose key contradicts its weights.
TEST(InspectedLayout, IsAnErrorWhereTheFileSaysAnotherThanItShows) {
  SmallModel model("bitnet-b1.58");
  model.set("ternary.i2_s.layout", "arm");
  const Inspection silent = inspect_small(model);
  EXPECT_TRUE(finds(silent, FindingLevel::ok, "layout", "I2_S in the layout arm: its key"));
  // Zeros where the norm is small, in the layout of x86.
  for (SmallTensor& t : model.tensors()) {
    std::vector<float> norm(t.n_elements());
    for (std::size_t i = 0; i < norm.size(); ++i) norm[i] = 0.1F + static_cast<float>(i * 37 % 128);
    if (t.is_norm()) t.set_f32(norm);
    if (t.type != kI2S) continue;
    std::vector<std::int8_t> trits(t.n_elements());
    for (std::size_t i = 0; i < trits.size(); ++i) {
      const bool is_zero = (i * 37 % 128) < 1000 * i % 131;
      trits[i] = static_cast<std::int8_t>(is_zero ? 0 : i % 2 == 0 ? 1 : -1);
    }
    t.set_i2s(trits, 0.1F);
  }
  const Inspection wrong = inspect_small(model);
  EXPECT_EQ(wrong.layout.verdict(), I2sLayout::x86);
  EXPECT_FALSE(wrong.is_usable());
  EXPECT_TRUE(finds(wrong, FindingLevel::error, "layout", "and read as arm: its key ternary.i2_s.layout"));
}

TEST(InspectedLayout, IsUnknownForRandomWeights) {
  for (const char* name : {"random-bitnet-b1.58", "random-bitnet", "random-llama"}) {
    const Inspection in =
        inspect_bytes(file_bytes(std::string(BITNET_TEST_DATA "/models/") + name + ".gguf"));
    EXPECT_EQ(in.layout.verdict(), std::nullopt) << name;
    EXPECT_GT(in.layout.n_pairs(), 0U) << name;
    EXPECT_TRUE(finds(in, FindingLevel::note, "layout", "cannot tell")) << name;
    EXPECT_TRUE(in.is_usable()) << name;
  }
  ThreadPool pool(2);
  const AnonymousMemory synthetic = make_synthetic_model(*find_synthetic_preset("tiny"), 1, pool);
  const Inspection in = inspect_bytes({static_cast<const std::byte*>(synthetic.data()), synthetic.size()});
  EXPECT_EQ(in.layout.verdict(), std::nullopt);
  EXPECT_TRUE(finds(in, FindingLevel::ok, "layout", "I2_S in the layout x86: its key"));
}

// By the architecture, by evidence against it, and by half of that.
TEST(InspectedActivation, IsNamedWithItsReason) {
  const Inspection own = inspect_small(SmallModel("bitnet-b1.58"));
  EXPECT_TRUE(finds(own, FindingLevel::ok, "activation", "relu^2: its architecture, bitnet-b1.58"));
  ASSERT_TRUE(own.hidden_act.has_value());
  EXPECT_EQ(own.hidden_act->act, HiddenAct::relu2);
  SmallShape shape{.layers = 24, .kv_heads = 4, .sentence_piece = true, .vocab = 32002};
  const Inspection relabelled = inspect_small(SmallModel("bitnet-b1.58", shape));
  EXPECT_TRUE(finds(relabelled, FindingLevel::note, "activation", "SiLU: though labelled bitnet-b1.58"));
  EXPECT_TRUE(has(find(relabelled, "activation")->advice, "--hidden-act relu2"));
  shape.layers = 3;
  const Inspection doubtful = inspect_small(SmallModel("bitnet-b1.58", shape));
  EXPECT_TRUE(finds(doubtful, FindingLevel::warning, "activation", "relu^2: its architecture"));
  SmallModel gelu("llama");
  gelu.set("llama.hidden_activation", "gelu");
  const Inspection refused = inspect_small(gelu);
  EXPECT_TRUE(finds(refused, FindingLevel::error, "loading", "'gelu' is not implemented"));
  EXPECT_FALSE(refused.hidden_act.has_value());
}

// Keys as of BitNet-b1.58-2B-4T, which is looked for by them alone: the tensors are small.
SmallModel with_keys_of_2b4t(float scale) {
  SmallModel model("bitnet-b1.58");
  for (const auto& [key, value] :
       {std::pair{"block_count", 30U}, std::pair{"embedding_length", 2560U},
        std::pair{"feed_forward_length", 6912U}, std::pair{"attention.head_count", 20U}}) {
    model.set(model.key(key), std::uint32_t{value});
  }
  float factor = 1;
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    factor *= 1.03F;  // all different, by a third in all
    const float s = scale < 1 ? scale / factor : scale * factor;
    std::memcpy(t.data.data() + t.n_elements() / 4, &s, sizeof s);
  }
  return model;
}

TEST(InspectedScales, Of2b4tAreSuspectedWhereTheyAreTheInverse) {
  const Inspection right = inspect_small(with_keys_of_2b4t(1.2F));
  EXPECT_TRUE(finds(right, FindingLevel::ok, "inverse scales", "not their inverse"));
  const Inspection wrong = inspect_small(with_keys_of_2b4t(1 / 1.2F));
  EXPECT_TRUE(finds(wrong, FindingLevel::warning, "inverse scales", "14 of 14 scales are below 1"));
  EXPECT_TRUE(finds(wrong, FindingLevel::warning, "inverse scales", "likely, not sure"));
  const Inspection neither = inspect_small(with_keys_of_2b4t(0.01F));
  EXPECT_TRUE(finds(neither, FindingLevel::note, "inverse scales", "neither"));
  EXPECT_EQ(find(inspect_small(SmallModel("bitnet-b1.58")), "inverse scales"), nullptr);
}

// The published file of BitNet-b1.58-2B-4T in small.
TEST(InspectedTokenizer, ExplainsTheQuirksOfThePublishedFile) {
  SmallModel model("bitnet-b1.58");
  // In place of the small model's begin, its end and the last of its fillers.
  const AlignedBytes small = model.build();
  const gguf::File file = gguf::File::from_bytes(small.span(), "small");
  const gguf::StringArray spellings = *file.get_strings("tokenizer.ggml.tokens");
  std::vector<std::string> pieces(spellings.begin(), spellings.end());
  std::vector<std::int32_t> types(pieces.size(), 1);
  const std::vector<std::string> controls{"<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"};
  for (std::size_t i = 0; i < controls.size(); ++i) {
    const std::size_t at = i < 2 ? i : pieces.size() - 1;
    pieces[at] = controls[i];
    types[at] = 3;
  }
  model.remove_key("tokenizer.ggml.pre").remove_key("tokenizer.ggml.add_bos_token");
  model.set("tokenizer.ggml.tokens", pieces).set("tokenizer.ggml.token_type", types);
  model.set("tokenizer.chat_template",
            std::string("{% for m in messages %}Human: {{ m }}\n\nBITNETAssistant: {% endfor %}"));
  const Inspection in = inspect_small(model);
  EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
  EXPECT_TRUE(finds(in, FindingLevel::note, "pre-tokenizer", "llama-bpe, which the engine takes"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "chat template", "BITNETAssistant"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "chat template", "its template bitnet"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "end of turn", "EOS is 1 '<|end_of_text|>'"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "end of turn", "a turn ends with 299 '<|eot_id|>'"));
  EXPECT_TRUE(finds(in, FindingLevel::note, "BOS", "the engine puts 0 '<|begin_of_text|>' first"));
}

TEST(InspectedTokenizer, SaysWhatItCannotKnow) {
  SmallModel model("bitnet-b1.58");
  model.set("tokenizer.chat_template", std::string("{{ something else }}"));
  model.remove_key("tokenizer.ggml.token_type").remove_key("tokenizer.ggml.eos_token_id");
  const Inspection in = inspect_small(model);
  EXPECT_TRUE(finds(in, FindingLevel::warning, "chat template", "refuse to guess"));
  EXPECT_TRUE(finds(in, FindingLevel::warning, "token types", "missing"));
  EXPECT_TRUE(finds(in, FindingLevel::warning, "end of text", "no token ends the text"));
}

// What run and chat say, too.
TEST(InspectedTokenizer, SaysOfATemplateWhyItCannotBeUsed) {
  SmallModel model("bitnet-b1.58");
  model.set("tokenizer.chat_template",
            std::string("{{'<|im_start|>' + m['role'] + m['content'] + '<|im_end|>'}}"));
  const Inspection chatml = inspect_small(model);
  EXPECT_TRUE(chatml.is_usable());
  EXPECT_TRUE(finds(chatml, FindingLevel::warning, "chat template",
                    "its chat template is chatml, but the vocabulary has no token <|im_start|>"));
  EXPECT_EQ(find(chatml, "chat template")->advice, "pass --template NAME: falcon3, minicpm, instruct");
  const std::string falcon = "{{'<|' + m['role'] + '|>\\n' + m['content'] + '\\n'}}{{ '<|assistant|>\\n' }}";
  model.set("tokenizer.chat_template", "{# not <|im_start|> #}" + falcon);
  EXPECT_TRUE(finds(inspect_small(model), FindingLevel::ok, "chat template", "recognised as falcon3"));
}

TEST(InspectedTensors, ReportWhatIsWrongWithThem) {
  const auto changed = [](const char* tensor, auto change) {
    SmallModel model("bitnet-b1.58");
    change(model.tensor(tensor));
    return inspect_small(model);
  };
  const Inspection code3 =
      changed("blk.1.ffn_up.weight", [](SmallTensor& t) { t.data[100] = std::byte{0xFF}; });
  EXPECT_TRUE(
      finds(code3, FindingLevel::error, "codes", "the code 3 occurs 4 times in tensor blk.1.ffn_up.weight"));
  EXPECT_TRUE(finds(code3, FindingLevel::error, "loading", "code 3"));
  EXPECT_FALSE(code3.is_usable());
  ASSERT_TRUE(code3.refusal.has_value());
  EXPECT_EQ(code3.refusal->find("bitnet inspect"), std::string::npos);  // that is where one is

  const auto with_scale = [&](float scale) {
    return changed("blk.0.attn_q.weight", [=](SmallTensor& t) {
      std::memcpy(t.data.data() + t.n_elements() / 4, &scale, sizeof scale);
    });
  };
  EXPECT_TRUE(finds(with_scale(-1), FindingLevel::warning, "scales", "blk.0.attn_q.weight"));
  EXPECT_TRUE(finds(with_scale(NAN), FindingLevel::error, "scales", "blk.0.attn_q.weight"));

  const auto with_weight = [&](float weight) {
    return changed("blk.1.ffn_norm.weight",
                   [=](SmallTensor& t) { std::memcpy(t.data.data() + 8, &weight, sizeof weight); });
  };
  EXPECT_TRUE(finds(with_weight(NAN), FindingLevel::error, "norms",
                    "NaN or infinite in tensor blk.1.ffn_norm.weight"));
  EXPECT_TRUE(finds(with_weight(1e6F), FindingLevel::warning, "norms", "blk.1.ffn_norm.weight"));
  EXPECT_TRUE(finds(with_weight(0), FindingLevel::warning, "norms", "1 of them 0"));

  const Inspection zeros = changed("blk.0.attn_k.weight", [](SmallTensor& t) {
    t.set_i2s(std::vector<std::int8_t>(t.n_elements(), 0), 1.0F);
  });
  EXPECT_TRUE(finds(zeros, FindingLevel::warning, "zero rate", "blk.0.attn_k.weight"));
  const Inspection ones = changed("blk.0.attn_k.weight", [](SmallTensor& t) {
    t.set_i2s(std::vector<std::int8_t>(t.n_elements(), 1), 1.0F);
  });
  EXPECT_TRUE(finds(ones, FindingLevel::warning, "balance", "blk.0.attn_k.weight"));
  const Inspection unread = changed("blk.0.attn_k.weight", [](SmallTensor& t) { t.type = 16; });
  EXPECT_TRUE(finds(unread, FindingLevel::error, "types", "IQ2_XXS"));
  EXPECT_FALSE(unread.is_usable());
}

// By the table of types, so that the shares of all types and the rest add up to the file.
TEST(InspectedTensors, OfTypesThatAreNotReadHaveTheirSize) {
  SmallModel model("bitnet-b1.58", {.hidden = 256, .ffn = 512, .vocab = 301});
  const std::vector<std::pair<std::uint32_t, std::size_t>> types{{35, 66}, {34, 54}, {12, 144}};
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string name = std::array{"attn_q", "ffn_up", "ffn_down"}[i];
    SmallTensor& t = model.tensor("blk.0." + name + ".weight");
    t.type = types[i].first;
    t.data.assign(t.n_elements() / 256 * types[i].second, std::byte{1});
  }
  SmallTensor& unknown = model.tensor("blk.1.attn_q.weight");
  unknown.type = 777;
  unknown.data.assign(32 * 1000, std::byte{1});
  const std::vector<std::byte> file = model.to_gguf().build();
  const Inspection in = inspect_bytes(file);
  EXPECT_FALSE(in.is_usable());
  const auto summary = [&](const std::string& name) {
    return *std::ranges::find(in.tensors, "blk." + name + ".weight", &TensorSummary::name);
  };
  EXPECT_EQ(summary("0.attn_q").bytes, 256U * 66);
  EXPECT_EQ(summary("0.attn_q").type, "TQ2_0");
  EXPECT_EQ(summary("0.ffn_up").bytes, 512U * 54);
  EXPECT_EQ(summary("0.ffn_down").bytes, 512U * 144);
  EXPECT_EQ(summary("1.attn_q").bytes, 32000U);
  EXPECT_EQ(summary("1.attn_q").type, "type 777");
  std::uint64_t all = in.other_bytes();
  for (const TensorSummary& t : in.tensors) all += t.bytes;
  EXPECT_EQ(all, file.size());
  EXPECT_LT(in.other_bytes(), file.size() / 20);
}

TEST(Inspection, CountsParameters) {
  const SmallModel model("bitnet-b1.58");
  std::uint64_t n = 0;
  for (const SmallTensor& t : model.tensors()) n += t.n_elements();
  const Inspection in = inspect_small(model);
  EXPECT_EQ(in.n_parameters, n);
  EXPECT_EQ(in.n_files, 1U);
}

TEST(InspectedTensors, OfTernaryValuesThatWereRoundedLopsidedlyAreNamed) {
  for (const std::uint32_t type : {kQ4_0, kQ5_0}) {
    SmallModel model("llama");
    SmallTensor& t = model.tensor("token_embd.weight");
    std::vector<float> values(t.n_elements());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.5F * (static_cast<float>(i * 7 % 3) - 1);
    t.type = type;
    t.data = round_as_ggml(type, values);
    const std::string type_name(block_type(type).name);
    EXPECT_TRUE(finds(inspect_small(model), FindingLevel::warning, "rounded",
                      "in tensor token_embd.weight: ternary ones in " + type_name));
    const std::vector<std::string> warnings = LoadedModel(model).model.info().warnings;
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0].find("the ternary values of 1 matrix were rounded"), 0U) << warnings[0];
    t.data[type == kQ4_0 ? 2 : 6] ^= std::byte{1};  // of a code that they don't leave
    EXPECT_FALSE(finds(inspect_small(model), FindingLevel::warning, "rounded", ""));
    EXPECT_TRUE(LoadedModel(model).model.info().warnings.empty());
    t.data = random_blocks(type, t.n_elements(), 1).bytes;
    EXPECT_FALSE(finds(inspect_small(model), FindingLevel::warning, "rounded", ""));
  }
}

// Blocks with scales of their own: their values are measured, and scales that are lost are found.
TEST(InspectedTensors, InBlocksAreMeasuredByTheirValues) {
  for (const std::uint32_t type : {kQ8_0, kQ6_K, kQ4_0}) {
    SmallModel model("bitnet-b1.58", {.hidden = 256, .ffn = 512, .vocab = 301});
    SmallTensor& t = model.tensor("token_embd.weight");
    const PackedBlocks blocks = random_blocks(type, t.n_elements(), 4);
    t.type = type;
    t.data = blocks.bytes;
    const std::string name(block_type(type).name);
    const Inspection in = inspect_small(model);
    EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
    EXPECT_TRUE(finds(in, FindingLevel::note, "head", "(tied), " + name));
    const auto embedding = std::ranges::find(in.tensors, "token_embd.weight", &TensorSummary::name);
    ASSERT_NE(embedding, in.tensors.end());
    EXPECT_EQ(embedding->type, name);
    EXPECT_EQ(embedding->bytes, blocks.bytes.size());
    const auto [least, greatest] = std::ranges::minmax(blocks.values);
    ASSERT_TRUE(embedding->range.has_value());
    EXPECT_EQ(embedding->range->min, least);
    EXPECT_EQ(embedding->range->max, greatest);

    const BlockLayout layout = layout_of(type);
    const std::uint16_t infinity = 0x7C00;
    std::memcpy(&t.data[7 * layout.bytes + layout.scale_at], &infinity, sizeof infinity);
    const Inspection lost = inspect_small(model);
    EXPECT_TRUE(finds(lost, FindingLevel::error, "loading", "block 7 has a scale"));
    EXPECT_TRUE(finds(lost, FindingLevel::error, "values", "infinite in tensor token_embd.weight"));
    EXPECT_TRUE(finds(lost, FindingLevel::error, "values", "the engine refuses the file"));
  }
}

TEST(InspectedTensors, OfAnUnknownArchitectureAreMeasuredAllTheSame) {
  SmallModel model("bitnet-b1.58");
  model.set("general.architecture", std::string("mamba"));
  const Inspection in = inspect_small(model);
  EXPECT_TRUE(finds(in, FindingLevel::error, "loading", "'mamba' is not supported"));
  EXPECT_TRUE(finds(in, FindingLevel::ok, "codes", "nowhere"));
  EXPECT_EQ(in.tensors.size(), model.tensors().size());
}

TEST(Inspection, OfWhatIsNoModelSaysSo) {
  for (const std::string& text : {std::string("GGUF"), std::string("hello, world"), std::string(100, '\0')}) {
    const Inspection in = inspect_bytes(std::as_bytes(std::span(text)));
    EXPECT_FALSE(in.is_parsed);
    EXPECT_FALSE(in.is_usable());
    EXPECT_TRUE(in.refusal.has_value());
    EXPECT_NE(find(in, "file"), nullptr);
  }
  const Inspection missing = inspect({.path = "/nowhere.gguf", .bytes = {}}, 1);
  EXPECT_TRUE(has(missing.refusal.value_or(""), "/nowhere.gguf"));
}

TEST(Inspection, ShowsWhatStandsBeforeTheDamage) {
  const std::vector<std::byte> whole = canary_bytes();
  const Inspection cut = inspect_bytes(std::span(whole).first(whole.size() / 2));
  EXPECT_TRUE(cut.is_parsed);
  EXPECT_FALSE(cut.is_usable());
  EXPECT_TRUE(finds(cut, FindingLevel::error, "file", "damaged or incomplete"));
  EXPECT_TRUE(finds(cut, FindingLevel::ok, "chat template", "bitnet"));
  EXPECT_EQ(cut.architecture, "bitnet-b1.58");
  EXPECT_EQ(cut.tensors.size(), 46U);
  for (const TensorSummary& t : cut.tensors) EXPECT_EQ(t.bytes, 0U);
  EXPECT_TRUE(cut.is_damaged);
  EXPECT_EQ(cut.n_parameters, 0U);
  EXPECT_EQ(cut.other_bytes(), 0U);
}

// Never anything but a report, whatever the bytes are.
TEST(Inspection, TakesAnyDamage) {
  const SmallModel model("bitnet-b1.58",
                         {.layers = 1, .hidden = 128, .heads = 2, .kv_heads = 1, .ffn = 128, .vocab = 6});
  GgufBuilder builder = model.to_gguf();
  const std::vector<std::byte> good = builder.build();
  for (std::size_t size = 1; size < builder.header_size(); size += 13) {
    EXPECT_FALSE(inspect_bytes(std::span(good).first(size)).is_usable());
  }
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::vector<std::byte> bad = good;
    for (int k = 0; k < 3; ++k)
      bad[random() % builder.header_size()] ^= static_cast<std::byte>(1U << random() % 8);
    const Inspection in = inspect_bytes(bad);
    EXPECT_FALSE(in.findings.empty());
  }
  for (const GgufField& field : builder.fields()) {  // every count, length, type and offset at its largest
    std::vector<std::byte> bad = good;
    for (std::size_t k = 0; k < field.size; ++k) bad[field.offset + k] = std::byte{0xFF};
    EXPECT_FALSE(inspect_bytes(bad).findings.empty()) << field.name;
  }
}

TEST(Inspection, StopsWhenTold) {
  int n_questions = 0;
  const Inspection in = inspect({.path = BITNET_MODELS "/canary.gguf", .bytes = {}}, 1,
                                [&](double) { return ++n_questions < 3; });
  EXPECT_EQ(n_questions, 3);
  EXPECT_EQ(in.tensors.size(), 2U);
}

}  // namespace
}  // namespace bitnet::test
