// The ways into a Model, and what holds for one that is there.
#include "bitnet/model.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "support/small_model.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

const std::vector<TokenId> kPrompt{TokenId{1}, TokenId{4}, TokenId{2}};

TEST(Model, IsTheSameFromAFileAndFromMemory) {
  const SmallModel small("llama");
  const TempFile file(small.build().span());
  const Model model = Model::load(file.path(), {.n_threads = 2});
  EXPECT_EQ(model.info().file, file.path());
  EXPECT_EQ(logits(model, kPrompt), logits(small));
}

TEST(Model, IsTheSameWithItsWeightsCopied) {
  for (const char* architecture : {"bitnet-b1.58", "llama"}) {  // with a tied head and with one of its own
    const SmallModel small(architecture);
    const TempFile file(small.build().span());
    const LoadOptions options{.n_threads = 2, .weights = WeightMemory::repack};
    EXPECT_EQ(logits(Model::load(file.path(), options), kPrompt), logits(small)) << architecture;
    const AlignedBytes bytes = small.build();
    EXPECT_EQ(logits(Model::from_bytes(bytes.span(), "m", options), kPrompt), logits(small)) << architecture;
  }
}

TEST(Model, NamesTheFileThatItRefuses) {
  const AlignedBytes bytes = SmallModel("llama").build();
  const TempFile file(bytes.span().first(bytes.span().size() - 1));
  for (const std::string& path : {file.path(), file.path() + "-is-not-there"}) {
    try {
      Model::load(path);
      FAIL() << "it loads";
    } catch (const ModelError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(path)) << error.what();
    }
  }
}

TEST(Model, RefusesUnalignedMemory) {
  std::vector<std::byte> shifted(32);
  const AlignedBytes bytes = SmallModel("llama").build();
  shifted.insert(shifted.end(), bytes.span().begin(), bytes.span().end());
  const AlignedBytes room{shifted};
  EXPECT_THROW(Model::from_bytes(room.span().subspan(32), "m.gguf"), UsageError);
}

TEST(Model, TellsHowFarLoadingIsAndEndsItWhenTold) {
  const AlignedBytes bytes = SmallModel("llama").build();
  std::vector<double> reported;
  LoadOptions options;
  options.on_progress = [&](double fraction) {
    reported.push_back(fraction);
    return true;
  };
  Model::from_bytes(bytes.span(), "m.gguf", options);
  EXPECT_EQ(reported, std::vector<double>{0});
  options.on_progress = [](double) { return false; };
  EXPECT_THROW(Model::from_bytes(bytes.span(), "m.gguf", options), RuntimeError);
}

TEST(Model, CanBeMoved) {
  SmallModel small("bitnet-b1.58");
  small.set("tokenizer.chat_template", "{{ a template }}");
  LoadedModel first(small);
  LoadedModel second(SmallModel("llama"));
  second.model = std::move(first.model);
  Model third = std::move(second.model);
  EXPECT_EQ(logits(third, kPrompt), logits(small));
  EXPECT_EQ(third.info().architecture, "bitnet-b1.58");
  EXPECT_EQ(third.chat_hints().architecture, "bitnet-b1.58");
  EXPECT_EQ(third.chat_hints().chat_template, "{{ a template }}");
}

}  // namespace
}  // namespace bitnet::test
