// GGUF files: their headers, and whole models up to the first token.
#include "bitnet/error.h"
#include "bitnet/session.h"
#include "fuzz/target.h"
#include "fuzz/tiny_models.h"
#include "gguf/gguf.h"
#include "model/inspect/inspection.h"
#include "support/small_model.h"

namespace bitnet::fuzz {
namespace {

using test::AlignedBytes;
using test::SmallModel;
using test::SmallTensor;

const std::vector<std::string> kGgufWords{"GGUF",
                                          "general.architecture",
                                          "general.alignment",
                                          "split.count",
                                          "tokenizer.ggml.tokens",
                                          "tokenizer.ggml.merges",
                                          "tokenizer.chat_template",
                                          "rope.scaling.type",
                                          "yarn",
                                          "hidden_activation",
                                          "bitnet",
                                          "bitnet-b1.58",
                                          "llama",
                                          "qwen3",
                                          "maple",
                                          std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8),
                                          std::string("\0\0\0\0\0\0\0\x80", 8)};

void read_keys(const gguf::File& file) {
  for (std::size_t i = 0; i < file.n_keys(); ++i) {
    const gguf::Value value = file.value(i);
    require(value.to_display(40).find('\n') == std::string::npos, "a value is shown on several lines");
    require(file.find(file.key(i)).has_value(), "a key is not found");
    if (const auto strings = value.as_strings()) {
      std::size_t n = 0;
      for (const std::string_view text : *strings) n += text.size() < SIZE_MAX ? 1U : 0U;
      require(n == strings->size(), "an array has more or fewer strings than it says");
    }
    if (const auto numbers = value.as_numbers()) {
      for (std::size_t k = 0; k < numbers->size(); ++k) numbers->at(k);
    }
    value.as_flags();
    value.has_only_zeros();
  }
}

void read_gguf(std::string_view input) {
  const AlignedBytes bytes(bytes_of(input));
  std::string damage;
  const gguf::File looked_at = gguf::File::from_damaged(bytes.span(), "input", damage);
  read_keys(looked_at);
  bool is_sound = true;
  try {
    const gguf::File file = gguf::File::from_bytes(bytes.span(), "input");
    for (const gguf::Tensor& tensor : file.tensors()) {
      require(file.find_tensor(tensor.name) == &tensor, "a tensor is not found");
      const auto* const end = tensor.extent.data() + tensor.extent.size();
      require(tensor.extent.empty() || (tensor.extent.data() >= bytes.span().data() &&
                                        end <= bytes.span().data() + bytes.span().size()),
              "a tensor lies outside of the file");
      require(tensor.n_elements() / 8 <= tensor.extent.size(), "a tensor has more elements than bits");
    }
  } catch (const ModelError&) {
    is_sound = false;
  }
  require(is_sound == damage.empty(), "a file is refused and not damaged, or the other way round");
}

void use(const Model& model) {
  const auto last = static_cast<std::int32_t>(model.info().vocab) - 1;
  for (std::int32_t id = 0; id <= std::min(last, 1000); ++id) {
    (void)model.tokenizer().bytes_of(TokenId{id}, true);
  }
  Session session(model, {.ctx_size = 4, .n_threads = 1, .prefill_chunk = 2});
  const TokenId prompt[] = {TokenId{0}, TokenId{last}};
  require(session.run(prompt).size() == model.info().vocab, "logits of another number than there are tokens");
  (void)model.tokenizer().encode("ab ba", {.add_bos = true, .parse_special = true});
}

void run_model(std::string_view input) {
  const AlignedBytes bytes(bytes_of(input));
  read_or_refuse([&] { (void)inspect({.path = "input", .bytes = bytes.span()}, 1, {}); });
  read_or_refuse([&] {
    const Model model = Model::from_bytes(bytes.span(), "input");
    try {
      use(model);
    } catch (const UsageError&) {  // the context has no room, or the vocabulary not all bytes of the text
    }
  });
}

// Little beside the headers: a value of every type, and models without their matrices.
std::vector<std::string> headers() {
  test::GgufBuilder all;
  all.add("general.architecture", "llama").add("general.alignment", std::uint32_t{32}).add("b", true);
  all.add("u8", std::uint8_t{1})
      .add("i8", std::int8_t{-1})
      .add("u16", std::uint16_t{2})
      .add("i16", std::int16_t{-2});
  all.add("i32", std::int32_t{-3})
      .add("u64", std::uint64_t{4})
      .add("i64", std::int64_t{-4})
      .add("f", 0.5F)
      .add("d", 2.5);
  all.add_array("ids", std::vector<std::int32_t>{1, -2, 3}).add_array("scores", std::vector<float>{0, -1.5F});
  all.add_array("texts", std::vector<std::string>{"a", "", "bc"});
  all.add_f32("norm.weight", {4}, std::vector<float>{1, 2, 3, 4});
  std::vector<std::string> files{text_of(all.build())};
  for (const char* architecture : {"bitnet", "llama", "qwen3", "maple"}) {
    constexpr std::size_t kMatrix = 1024;  // bytes
    SmallModel model(architecture, kTiny);
    std::erase_if(model.tensors(), [](const SmallTensor& tensor) { return tensor.data.size() > kMatrix; });
    files.push_back(file_of(model));
  }
  return files;
}

std::vector<std::string> models() {
  std::vector<std::string> files;
  for (const char* architecture : {"bitnet", "bitnet-b1.58", "llama", "qwen3", "maple"}) {
    files.push_back(file_of(SmallModel(architecture, kTiny)));
  }
  for (const std::uint32_t type : {test::kTQ1_0, test::kTQ2_0, test::kQ1_0, test::kQ2_0, test::kQ4_0,
                                   test::kIQ4_NL, test::kQ4_K, test::kQ8_0, test::kQ6_K})
    files.push_back(file_with_blocks(type));
  for (const std::uint32_t type : {test::kIq2Bn, test::kIq2BnR4, test::kIq1Bn}) {
    files.push_back(file_with_row_scales(type, true));
    files.push_back(file_with_row_scales(type, false));
  }
  return files;
}

}  // namespace

const Target kGguf{"gguf", headers, read_gguf, kGgufWords, 3000};
const Target kModel{"model", models, run_model, kGgufWords, 600};

}  // namespace bitnet::fuzz
