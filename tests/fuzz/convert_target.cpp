// Whole conversions: of GGUF files, and of folders as Hugging Face's transformers writes them.
#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "bitnet/model.h"
#include "convert/convert.h"
#include "convert/open_source.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "fuzz/tiny_models.h"
#include "gguf/gguf.h"
#include "support/hf_folder.h"
#include "support/small_model.h"
#include "support/temp_directory.h"

namespace bitnet::fuzz {
namespace {

using quant::TensorType;
using test::HfForm;
using test::SmallModel;
using test::TempDirectory;

// What is asked for, drawn by the input itself, so that it does the same each time.
convert::PlanOptions options_for(std::string_view input) {
  constexpr std::array<std::optional<TensorType>, 6> kTypes{std::nullopt,        TensorType::i2_s,
                                                            TensorType::tq1_0,   TensorType::tq2_0,
                                                            TensorType::q2_0_64, TensorType::f16};
  std::size_t sum = input.size();
  for (const char c : input) sum += static_cast<unsigned char>(c);
  convert::PlanOptions plan{.type = kTypes[sum % kTypes.size()]};
  if (sum / kTypes.size() % 3 == 0) plan.head = TensorType::q8_0;
  plan.absmean = sum / kTypes.size() % 2 == 0;
  return plan;
}

// Refuses it, or writes a file that says the same, is taken or refused in good order, and is what comes of
// converting it once more.
void convert_all(const std::string& from, const convert::PlanOptions& plan) {
  static ThreadPool pool(1);
  const TempDirectory out;
  const std::string file = out.file("a.gguf");
  const auto written = [&](const std::string& path, const std::string& to, const convert::PlanOptions& how) {
    std::vector<std::string> notes;
    const auto source = convert::open_source(path, {.absmean = how.absmean}, pool, notes);
    const convert::ConvertReport report = convert::convert(*source, to, {.plan = how, .split = {}}, pool, {});
    require(!report.failure, "what was written is not what was read");
    return report.is_written;
  };
  try {
    if (!written(from, file, plan)) return;
  } catch (const ModelError&) {
    require(out.is_empty(), "something is left of a conversion that was refused");
    return;
  } catch (const UsageError&) {  // the types don't go together
    require(out.is_empty(), "something is left of a conversion that was refused");
    return;
  }
  read_or_refuse([&] { (void)Model::load(file); });
  try {
    written(file, out.file("b.gguf"), {});
    require(test::content_of(file) == test::content_of(out.file("b.gguf")),
            "a file that was converted is not what comes of converting it");
  } catch (const ModelError& e) {
    throw Broken(std::string("a file that was converted is refused: ") + e.what());
  }
}

void run_conversion(std::string_view input) {
  const MemoryFile file(input);
  convert_all(file.path(), options_for(input));
}

std::vector<std::string> files() {
  std::vector<std::string> all;
  for (const char* architecture : {"bitnet-b1.58", "llama", "qwen3", "maple", "minicpm"}) {
    all.push_back(file_of(SmallModel(architecture, kTiny)));
  }
  for (const std::uint32_t type : {test::kTQ1_0, test::kTQ2_0, test::kQ2_0, test::kQ8_0})
    all.push_back(file_with_blocks(type));
  for (const std::uint32_t type : {test::kIq2BnR4, test::kIq1Bn})
    all.push_back(file_with_row_scales(type, true));
  for (const std::uint32_t type : {test::kQ4_0, test::kQ5_0}) {  // ternary values that it does not hold
    SmallModel model("llama", kTiny);
    test::SmallTensor& embedding = model.tensor("token_embd.weight");
    std::vector<float> values(embedding.n_elements());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.5F * (static_cast<float>(i * 7 % 3) - 1);
    embedding.type = type;
    embedding.data = test::round_as_ggml(type, values);
    all.push_back(file_of(model));
  }
  return all;
}

// A folder as one input: each file behind a line with its name.
constexpr std::string_view kFile = "\n@@file ";
constexpr std::array<std::string_view, 9> kNames{"config.json",
                                                 "generation_config.json",
                                                 "tokenizer.json",
                                                 "tokenizer_config.json",
                                                 "tokenizer.model",
                                                 "chat_template.jinja",
                                                 "model.safetensors",
                                                 "model-00001-of-00002.safetensors",
                                                 "model-00002-of-00002.safetensors"};
constexpr std::string_view kIndex = "model.safetensors.index.json";

bool is_known(std::string_view name) {
  return name == kIndex || std::ranges::find(kNames, name) != kNames.end();
}

void run_folder(std::string_view input) {
  const TempDirectory folder;
  const convert::PlanOptions plan = options_for(input);
  while (true) {
    const std::size_t begin = input.find(kFile);
    if (begin == std::string_view::npos) break;
    input.remove_prefix(begin + kFile.size());
    const std::string name(input.substr(0, input.find('\n')));
    if (!is_known(name)) continue;
    input.remove_prefix(std::min(input.size(), name.size() + 1));
    test::write_file(folder.file(name), input.substr(0, input.find(kFile)));
  }
  convert_all(folder.path(), plan);
}

std::string as_input(test::HfFolder folder, std::size_t shards) {
  const std::string path = folder.write(shards);
  std::string input;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    require(is_known(name), "a folder has a file that is never made up");
    input.append(kFile).append(name).append("\n").append(test::content_of(entry.path().string()));
  }
  return input;
}

std::vector<std::string> folders() {
  std::vector<std::string> all;
  const auto add = [&](const char* architecture, HfForm form, bool sentence_piece, std::size_t shards) {
    test::SmallShape shape = kTiny;
    shape.sentence_piece = sentence_piece;
    const test::AlignedBytes bytes = SmallModel(architecture, shape).build();
    all.push_back(as_input(test::HfFolder(gguf::File::from_bytes(bytes.span(), "m.gguf"), form), shards));
  };
  for (const char* architecture : {"bitnet-b1.58", "llama", "qwen3", "maple"})
    add(architecture, HfForm::autobitlinear, false, 1);
  add("llama", HfForm::bitlinear, true, 2);
  add("qwen3", HfForm::floats, false, 1);
  return all;
}

}  // namespace

const Target kConvertGguf{
    "convert_gguf",
    files,
    run_conversion,
    {"GGUF", "general.architecture", "general.alignment", "split.count", "split.no", ".scale", ".weight"},
    150};
const Target kConvertFolder{
    "convert_folder",
    folders,
    run_folder,
    {std::string(kFile), "\"BF16\"", "\"F32\"", "\"U8\"", "weight_scale", "\"quantization_config\"",
     "\"linear_class\"", "\"autobitlinear\"", "\"weight_map\"", "\"data_offsets\"", "\"added_tokens\""},
    150};

}  // namespace bitnet::fuzz
