// The layers of the source: no include points upwards, and none sideways.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;

// What a layer may include beside itself and the public interface.
struct Layer {
  std::string_view name;
  std::vector<std::string_view> below;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all{
      {"base", {}},
      {"gguf", {"base"}},
      {"quant", {"base", "gguf"}},
      {"kernels", {"base", "quant"}},
      {"tokenizer", {"base"}},
      {"model", {"base", "gguf", "quant", "kernels", "tokenizer"}},
      {"engine", {"base", "gguf", "quant", "kernels", "tokenizer", "model"}},
      {"diagnostics", {"base", "gguf", "quant", "kernels", "tokenizer", "model", "engine"}},
      {"convert", {"base", "gguf", "quant", "kernels", "tokenizer", "model", "engine", "diagnostics"}},
      {"service", {"base", "gguf", "quant", "kernels", "tokenizer", "model", "engine", "diagnostics"}},
      {"cli",
       {"base", "gguf", "quant", "kernels", "tokenizer", "model", "engine", "diagnostics", "convert",
        "service"}},
  };
  return all;
}

// The folders that a source's own headers are in: "base" of #include "base/half.h".
std::vector<std::string> included_layers(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> found;
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kInclude = "#include \"";
    if (!line.starts_with(kInclude)) continue;
    found.push_back(line.substr(kInclude.size(), line.find('/') - kInclude.size()));
  }
  return found;
}

TEST(Layers, IncludeOnlyWhatIsBelowThem) {
  const fs::path source = fs::path(BITNET_MODELS).parent_path() / "src";
  std::size_t n_files = 0;
  for (const Layer& layer : layers()) {
    for (const auto& entry : fs::recursive_directory_iterator(source / layer.name)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp") continue;
      ++n_files;
      for (const std::string& used : included_layers(entry.path())) {
        EXPECT_TRUE(used == layer.name || used == "bitnet" || std::ranges::count(layer.below, used) != 0)
            << entry.path() << " includes " << used;
      }
    }
  }
  EXPECT_GT(n_files, 200U);
}

TEST(Layers, AreAllThereAre) {
  const fs::path source = fs::path(BITNET_MODELS).parent_path() / "src";
  for (const auto& entry : fs::directory_iterator(source)) {
    if (!entry.is_directory()) continue;
    EXPECT_TRUE(std::ranges::count(layers(), entry.path().filename().string(), &Layer::name) == 1)
        << entry.path() << " is no layer";
  }
}

}  // namespace
}  // namespace bitnet::test
