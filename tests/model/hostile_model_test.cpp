// Exhaustive damage to a small valid model. Whatever happens, it is refused with a ModelError or it loads and
// runs: any other exception fails the test, and a sanitizer build fails on any access outside the file.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/session.h"
#include "support/small_model.h"

namespace bitnet::test {
namespace {

// As little as ternary rows allow, so that all of the header can be damaged bit by bit.
constexpr SmallShape kTiny{.layers = 1, .hidden = 128, .heads = 2, .kv_heads = 1, .ffn = 128, .vocab = 6};

// Everything that reads the file: its notes, its vocabulary, its weights.
void use(const Model& model) {
  std::size_t n_bytes = model.chat_hints().chat_template.size();
  for (const std::string& note : model.info().notes) n_bytes += note.size();
  const Tokenizer& tokenizer = model.tokenizer();
  for (std::size_t i = 0; i < model.info().vocab; ++i) {
    n_bytes += tokenizer.bytes_of(TokenId{static_cast<std::int32_t>(i)}, true).size();
  }
  EXPECT_LT(n_bytes, 10000U);
  try {
    tokenizer.encode("ab ba", {.add_bos = true, .parse_special = true});
  } catch (const UsageError&) {  // a byte whose token was damaged away
  }
  Session session(model, {.n_threads = 1, .prefill_chunk = 2});
  const std::vector<TokenId> prompt{TokenId{0}, TokenId{static_cast<std::int32_t>(model.info().vocab) - 1}};
  EXPECT_EQ(session.run(std::span(prompt).first(1)).size(), model.info().vocab);
  if (session.ctx_size() >= 3) {
    EXPECT_EQ(session.run(prompt).size(), model.info().vocab);
  }
}

// Whether the file, whose bytes are aligned, is refused; it is used if not.
bool is_refused_or_runs(std::span<const std::byte> file) {
  try {
    use(Model::from_bytes(file, "m.gguf"));
    return false;
  } catch (const ModelError& error) {
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    return true;
  }
}

class HostileModel : public ::testing::TestWithParam<const char*> {
 protected:
  SmallModel model{GetParam(), kTiny};
  GgufBuilder builder = model.to_gguf();
  AlignedBytes file{builder.build()};
};

TEST_P(HostileModel, NoBitFlipInTheHeaderDoesHarm) {
  EXPECT_FALSE(is_refused_or_runs(file.span()));
  std::size_t n_refused = 0;
  for (std::byte& byte : file.span().first(builder.header_size())) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::byte mask = std::byte{1} << bit;
      byte ^= mask;
      n_refused += is_refused_or_runs(file.span()) ? 1U : 0U;
      byte ^= mask;
    }
  }
  // Names of needed keys and tensors, lengths, types, shapes, offsets: nearly everything but spellings.
  EXPECT_GT(n_refused, builder.header_size() * 8 / 2);
}

TEST_P(HostileModel, CutAnywhereItIsRefused) {
  const std::size_t header = builder.header_size();
  for (std::size_t n = 0; n < file.span().size(); n += n < header ? 1 : 37) {
    const AlignedBytes cut(file.span().first(n));
    EXPECT_TRUE(is_refused_or_runs(cut.span())) << n << " bytes";
  }
  const AlignedBytes cut(file.span().first(file.span().size() - 1));
  EXPECT_TRUE(is_refused_or_runs(cut.span()));
}

TEST_P(HostileModel, NoAbsurdNumberInTheHeaderDoesHarm) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<std::byte> valid(file.span().begin(), file.span().end());
  for (const GgufField& field : builder.fields()) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, kMax, kMax >> 1,
                                      kMax >> 8, kMax >> 32, kMax >> 40, kMax - 31}) {
      std::vector<std::byte> bytes = valid;
      if (field.size == 8) {
        patch(bytes, field.offset, value);
      } else {
        patch(bytes, field.offset, static_cast<std::uint32_t>(value));
      }
      const AlignedBytes damaged(bytes);
      const bool refused = is_refused_or_runs(damaged.span());
      if (value == kMax) {
        EXPECT_TRUE(refused) << field.name;
      }
    }
  }
}

// Data that no check reads: norms and embeddings of any bits, codes of any but 3.
TEST_P(HostileModel, NoValueOfTheWeightsDoesHarm) {
  for (SmallTensor& t : model.tensors()) {
    for (const unsigned fill : {0x00U, 0x80U, 0xAAU, 0x7BU, 0x7FU, 0xFFU}) {
      SmallModel m = model;
      for (std::byte& byte : m.tensor(t.name).data) byte = static_cast<std::byte>(fill);
      is_refused_or_runs(m.build().span());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, HostileModel, ::testing::Values("bitnet-b1.58", "bitnet"),
                         [](const auto& info) {
                           return std::string(info.param == std::string("bitnet") ? "SentencePiece" : "Bpe");
                         });

}  // namespace
}  // namespace bitnet::test
