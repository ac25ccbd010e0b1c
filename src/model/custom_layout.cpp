#include "model/custom_layout.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

using enum quant::TensorType;

constexpr std::uint64_t kMostValuesOfByte = 4;

constexpr std::string_view kQk256 = "bitnet.qk256.";
constexpr std::string_view kBitnet32 = "bitnet.bitnet32.";
constexpr std::string_view kTensors = "tensors";
constexpr std::string_view kColumns = "columns";
constexpr std::string_view kCodebook = "codebook";
constexpr std::string_view kScales = "scales";
constexpr std::array kQk256Keys{kTensors, kColumns, kCodebook, kScales};
constexpr std::array kBitnet32Keys{kTensors, kColumns};

struct Qk256Type {
  std::string_view codebook;
  std::string_view scales;
  quant::TensorType type;
};
constexpr std::array kQk256Types{
    Qk256Type{"ternary", "none", qk256_ternary},
    Qk256Type{"ternary", "block", qk256_scaled_ternary},
    Qk256Type{"four_level", "none", qk256_four_level},
    Qk256Type{"four_level", "block", qk256_scaled_four_level},
    Qk256Type{"thirds", "none", qk256_thirds},
    Qk256Type{"thirds", "block", qk256_scaled_thirds},
};

// The keys of one layout.
class Keys {
 public:
  Keys(const gguf::File& file, std::string_view prefix, std::span<const std::string_view> suffixes)
      : file_(file), prefix_(prefix) {
    bool has_one = false;
    for (std::size_t i = 0; i < file.n_keys(); ++i) {
      if (!file.key(i).starts_with(prefix)) continue;
      has_one = true;
      const std::string_view suffix = file.key(i).substr(prefix.size());
      if (std::ranges::find(suffixes, suffix) == suffixes.end()) {
        refuse(suffix, "is unknown, and what it asks for may change the values", "use a newer version");
      }
    }
    if (!has_one) return;
    is_there_ = true;
    for (const std::string_view suffix : suffixes) {
      if (!file.find(name(suffix))) {
        refuse(suffix, "missing", "all keys of this layout must be there: convert the model again");
      }
    }
  }

  bool are_there() const { return is_there_; }
  std::string name(std::string_view suffix) const { return std::string(prefix_).append(suffix); }

  [[noreturn]] void refuse(std::string_view suffix, const std::string& what,
                           std::string_view hint = "convert the model again") const {
    throw ModelError(printable(file_.name(), kMaxPrintedPath),
                     "key " + printable(name(suffix), kMaxPrintedName) + ": " + what, hint);
  }

  // One of the words; its place among them does not matter.
  template <typename Words>
  std::string_view word(std::string_view suffix, const Words& words) const {
    const std::string_view found = *file_.get_string(name(suffix));
    if (std::ranges::find(words, found) == std::end(words)) {
      refuse(suffix, "'" + printable(found, kMaxPrintedName) + "' is none of " + joined(words));
    }
    return found;
  }

  // Adds the tensors that the keys name.
  void add_tensors(quant::TensorType type, CustomLayouts& layouts) const {
    const gguf::StringArray names = *file_.get_strings(name(kTensors));
    const gguf::NumberArray columns = *file_.get_numbers(name(kColumns));
    if (names.size() != columns.size()) {
      refuse(kColumns,
             std::to_string(columns.size()) + " numbers for " + std::to_string(names.size()) + " tensors");
    }
    std::size_t i = 0;
    for (const std::string_view tensor_name : names) add(tensor_name, columns.int_at(i++), type, layouts);
  }

 private:
  void add(std::string_view tensor_name, std::int64_t cols, quant::TensorType type,
           CustomLayouts& layouts) const {
    const quant::TypeInfo& info = quant::info(type);
    const std::string shown = "tensor " + printable(tensor_name, kMaxPrintedName);
    const gguf::Tensor* tensor = file_.find_tensor(tensor_name);
    if (tensor == nullptr) refuse(kTensors, shown + " is not in the file");
    if (tensor->type != kCustomTypeId) {
      refuse(kTensors, shown + " is of type " + std::to_string(tensor->type) + ", not I8 (24) as " +
                           std::string(info.name) + " is stored");
    }
    const auto most = static_cast<std::int64_t>(tensor->extent.size() * kMostValuesOfByte);
    const auto block = static_cast<std::int64_t>(info.block);
    if (cols < 1 || cols > most || cols % block != 0) {
      refuse(kColumns, std::to_string(cols) + " of " + shown + " is no multiple of " + std::to_string(block) +
                           " that its bytes can hold");
    }
    const std::uint64_t row_bytes = info.n_bytes(1, static_cast<std::uint64_t>(cols));
    if (tensor->dims[0] != row_bytes) {
      refuse(kColumns, shown + " has rows of " + std::to_string(tensor->dims[0]) + " bytes, where " +
                           std::to_string(cols) + " values of " + std::string(info.name) + " take " +
                           std::to_string(row_bytes));
    }
    if (!layouts.try_emplace(tensor, CustomLayout{type, static_cast<std::uint64_t>(cols)}).second) {
      refuse(kTensors, shown + " is named twice");
    }
  }

  const gguf::File& file_;
  std::string_view prefix_;
  bool is_there_ = false;
};

std::string key_of(std::string_view prefix, std::string_view suffix) {
  return std::string(prefix).append(suffix);
}

void set_tensors(std::string_view prefix, const std::vector<CustomTensor>& tensors, gguf::KeyValues& keys) {
  std::vector<std::string> names;
  std::vector<std::uint32_t> columns;
  for (const CustomTensor& tensor : tensors) {
    names.push_back(tensor.name);
    columns.push_back(static_cast<std::uint32_t>(tensor.layout.cols));
  }
  keys.set_array(key_of(prefix, kTensors), std::span<const std::string>(names));
  keys.set_array(key_of(prefix, kColumns), std::span<const std::uint32_t>(columns));
}

void remove_keys(std::string_view prefix, std::span<const std::string_view> suffixes, gguf::KeyValues& keys) {
  for (const std::string_view suffix : suffixes) keys.remove(key_of(prefix, suffix));
}

}  // namespace

bool set_custom_layout_keys(std::span<const CustomTensor> tensors, gguf::KeyValues& keys) {
  std::vector<CustomTensor> in_qk256;
  std::vector<CustomTensor> in_bitnet32;
  for (const CustomTensor& tensor : tensors) {
    (tensor.layout.type == bitnet32 ? in_bitnet32 : in_qk256).push_back(tensor);
  }
  for (const CustomTensor& tensor : in_qk256) {
    if (tensor.layout.type != in_qk256.front().layout.type) return false;
  }
  if (in_qk256.empty()) {
    remove_keys(kQk256, kQk256Keys, keys);
  } else {
    const auto type = std::ranges::find(kQk256Types, in_qk256.front().layout.type, &Qk256Type::type);
    set_tensors(kQk256, in_qk256, keys);
    keys.set(key_of(kQk256, kCodebook), type->codebook);
    keys.set(key_of(kQk256, kScales), type->scales);
  }
  if (in_bitnet32.empty()) {
    remove_keys(kBitnet32, kBitnet32Keys, keys);
  } else {
    set_tensors(kBitnet32, in_bitnet32, keys);
  }
  return true;
}

bool is_custom_layout_key(std::string_view key) {
  return key.starts_with(kQk256) || key.starts_with(kBitnet32);
}

CustomLayouts read_custom_layouts(const gguf::File& file) {
  CustomLayouts layouts;
  if (const Keys keys(file, kQk256, kQk256Keys); keys.are_there()) {
    const std::string_view codebook =
        keys.word(kCodebook, std::array<std::string_view, 3>{"ternary", "four_level", "thirds"});
    const std::string_view scales = keys.word(kScales, std::array<std::string_view, 2>{"none", "block"});
    const auto type = std::ranges::find_if(
        kQk256Types, [&](const Qk256Type& t) { return t.codebook == codebook && t.scales == scales; });
    keys.add_tensors(type->type, layouts);
  }
  if (const Keys keys(file, kBitnet32, kBitnet32Keys); keys.are_there()) keys.add_tensors(bitnet32, layouts);
  return layouts;
}

}  // namespace bitnet
