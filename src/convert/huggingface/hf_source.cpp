#include "convert/huggingface/hf_source.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/config.h"
#include "convert/huggingface/families.h"
#include "convert/huggingface/packed_rows.h"
#include "convert/huggingface/safetensors.h"
#include "convert/huggingface/stored_parts.h"
#include "convert/huggingface/vocabulary.h"
#include "convert/target_types.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_choice.h"
#include "quant/coded_row.h"

namespace bitnet::convert {
namespace {

namespace fs = std::filesystem;
using quant::TensorType;

constexpr std::uint32_t kDefaultAlignment = 32;
constexpr std::string_view kConfig = "config.json";

// Where the values of a tensor come from.
struct Origin {
  std::vector<StoredPart> parts{};
  std::uint64_t rows = 1;               // of each part
  std::uint64_t interleaved_heads = 0;  // 0: rows are in their order
  std::vector<float> computed{};        // instead of parts
};

std::optional<std::size_t> find_non_finite(const quant::Matrix& row) {
  return quant::info(row.type).check.find_fault(row, 0, 1);
}

class HfSource : public Source {
 public:
  HfSource(const std::string& folder, const HfSourceOptions& options, std::vector<std::string>& notes)
      : folder_(folder),
        name_(printable(folder, kMaxPrintedPath)),
        weights_(Safetensors::open_folder(folder)) {
    const std::string path = (fs::path(folder) / kConfig).string();
    const Json json = read_object(path);
    put_general();
    config_ = read_hf_config(json, printable(path, kMaxPrintedPath), options.takes_dense, keys_, notes);
    if (options.hidden_act) {
      keys_.set(std::string(config_.family->architecture) + ".hidden_activation",
                name_of(*options.hidden_act));
    }
    add_tensors(notes);
    put_vocabulary(keys_, read_hf_vocabulary(folder, json, config_.shape.vocab, notes));
    put_file_type();
  }

  const std::string& name() const override { return name_; }
  std::vector<std::string> files() const override;
  gguf::KeyValues keys() const override { return keys_; }
  std::uint64_t alignment() const override { return kDefaultAlignment; }
  std::vector<Repair> repairs() const override { return {}; }
  std::span<const SourceTensor> tensors() const override { return tensors_; }
  SharedRows shared_rows(std::size_t tensor) const override;

  std::optional<std::string> check(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const override;
  std::span<const std::byte> stored(std::size_t tensor) const override;
  bool read_coded(std::size_t tensor, std::uint64_t row, quant::CodedRow& out) const override;
  void read_values(std::size_t tensor, std::uint64_t row, float* out) const override;
  void give_back(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const override;

 private:
  // A row in the files.
  struct Row {
    const StoredPart* part;
    std::span<const std::byte> bytes;
    unsigned which = 0;  // of the rows in a packed byte row
  };

  void put_general();
  void put_file_type();
  void add_tensors(std::vector<std::string>& notes);
  void add(const HfTensor& wanted, StoredParts& parts);
  Row row_of(std::size_t tensor, std::uint64_t row) const;
  // Of a row's bytes, among those of its tensor in the files.
  static std::uint64_t index_of(const Row& row) {
    return static_cast<std::uint64_t>(row.bytes.data() - row.part->stored->data.data()) / row.bytes.size();
  }
  // Whether the rows that share bytes make one piece (pieces.h).
  bool are_read_together(std::size_t tensor) const;
  static std::string row_name(const StoredPart& part, std::uint64_t row);
  std::optional<std::string> packed_fault(std::size_t tensor, const Row& row) const;
  std::optional<std::string> float_fault(std::size_t tensor, const Row& row) const;
  // Of floats, which may lie at any address.
  quant::Matrix matrix_of(std::size_t tensor, const Row& row) const {
    return {.type = row.part->floats, .rows = 1, .cols = tensors_[tensor].cols(), .data = row.bytes.data()};
  }
  template <typename Advise>
  void for_ranges(std::size_t tensor, std::uint64_t begin, std::uint64_t end, Advise advise) const;

  std::string folder_;
  std::string name_;
  Safetensors weights_;
  gguf::KeyValues keys_;
  HfConfig config_;
  std::vector<SourceTensor> tensors_;
  std::vector<Origin> origins_;  // of each
};

void HfSource::put_general() {
  std::error_code error;
  fs::path path = fs::absolute(folder_, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const std::string name = path.filename().string();
  // The architecture is the first key of every file.
  keys_.set("general.architecture", "");
  if (!name.empty() && name != "." && name != "..")
    keys_.set("general.name", printable(name, kMaxPrintedName));
}

void HfSource::put_file_type() {
  TensorType most = TensorType::f32;
  for (const SourceTensor& tensor : tensors_) {
    if (tensor.role == TensorRole::layer_matrix) most = tensor.type;
  }
  keys_.set("general.file_type", file_type_of(most).value_or(0));
  keys_.set("general.quantization_version", std::uint32_t{2});
  // Readers need not tell it by the weights.
  if (most == TensorType::i2_s) keys_.set(kI2sLayoutKey, name_of(I2sLayout::x86));
}

void HfSource::add_tensors(std::vector<std::string>& notes) {
  const HfShape& shape = config_.shape;
  if (shape.layers * (3 * shape.experts + 1) > weights_.tensors().size()) {
    throw ModelError(name_,
                     "config.json has " + std::to_string(shape.layers) + " layers" +
                         (shape.experts != 0 ? " of " + std::to_string(shape.experts) + " experts" : "") +
                         ", and there are no more than " + std::to_string(weights_.tensors().size()) +
                         " tensors",
                     "config.json and weights are not of the same model");
  }
  StoredParts parts(weights_, config_, name_);
  for (const HfTensor& wanted : tensors_of(*config_.family, shape)) add(wanted, parts);
  parts.check_leftovers(notes);
  if (config_.rope_factors.empty()) return;
  const auto output_norm = std::ranges::find(tensors_, "output_norm.weight", &SourceTensor::name);
  const auto at = output_norm - tensors_.begin();
  tensors_.insert(output_norm, SourceTensor{.name = "rope_freqs.weight",
                                            .dims = {config_.rope_factors.size()},
                                            .origin = "rope_scaling"});
  origins_.insert(origins_.begin() + at, Origin{.computed = config_.rope_factors});
}

void HfSource::add(const HfTensor& wanted, StoredParts& parts) {
  const bool is_matrix = wanted.rows != 0;
  Origin origin{.rows = is_matrix ? wanted.rows : 1, .interleaved_heads = wanted.interleaved_heads};
  for (const std::vector<std::string>& names : wanted.parts) {
    origin.parts.push_back(parts.take(wanted, names));
    const StoredPart& first = origin.parts.front();
    const StoredPart& part = origin.parts.back();
    if (part.floats != first.floats || part.is_packed != first.is_packed) {
      weights_.refuse(*part.stored, "is " + part.stored->dtype_name + " where " +
                                        printable(first.stored->name, kMaxPrintedName) + " is " +
                                        first.stored->dtype_name);
    }
  }
  const StoredPart& first = origin.parts.front();
  SourceTensor tensor{.name = wanted.name, .dims = {wanted.cols}, .origin = {}, .role = wanted.role};
  if (is_matrix) tensor.dims.push_back(wanted.rows);
  if (wanted.parts.size() > 1) tensor.dims.push_back(wanted.parts.size());
  tensor.is_master = wanted.role == TensorRole::layer_matrix && config_.weights == HfWeights::masters &&
                     config_.is_converted(module_of_weight(first.stored->name));
  tensor.origin = first.stored->dtype_name;
  // Norms and routers are F32 in every GGUF file.
  tensor.type = first.is_packed || tensor.is_master ? TensorType::i2_s
                : wanted.role == TensorRole::other  ? TensorType::f32
                                                    : first.floats;
  tensors_.push_back(std::move(tensor));
  origins_.push_back(std::move(origin));
}

std::vector<std::string> HfSource::files() const {
  std::vector<std::string> files;
  for (std::size_t part = 0; part < weights_.n_parts(); ++part) files.push_back(weights_.path(part));
  const auto add_if_there = [&](std::string_view name) {
    const fs::path path = fs::path(folder_) / name;
    std::error_code error;
    if (fs::exists(path, error)) files.push_back(path.string());
  };
  add_if_there(kConfig);
  add_if_there(kSafetensorsIndex);
  for (const std::string_view name : kVocabularyFiles) add_if_there(name);
  return files;
}

// Not where interleaving takes the rows that share bytes to other places in their quarters of the rows.
bool HfSource::are_read_together(std::size_t tensor) const {
  const Origin& origin = origins_[tensor];
  if (origin.parts.empty() || !origin.parts.front().is_packed) return false;
  const std::uint64_t head_rows = origin.interleaved_heads == 0 ? 1 : origin.rows / origin.interleaved_heads;
  return byte_rows_of(origin.rows) % head_rows == 0;
}

SharedRows HfSource::shared_rows(std::size_t tensor) const {
  if (!are_read_together(tensor)) return Source::shared_rows(tensor);
  const std::uint64_t rows = origins_[tensor].rows;
  return {.group = rows, .step = byte_rows_of(rows)};
}

HfSource::Row HfSource::row_of(std::size_t tensor, std::uint64_t row) const {
  const Origin& origin = origins_[tensor];
  const StoredPart& part = origin.parts[row / origin.rows];
  row %= origin.rows;
  if (origin.interleaved_heads != 0) {
    const std::uint64_t head_rows = origin.rows / origin.interleaved_heads;
    const std::uint64_t in_head = row % head_rows;
    row += in_head % 2 * (head_rows / 2) + in_head / 2 - in_head;
  }
  const std::uint64_t cols = tensors_[tensor].cols();
  if (part.is_packed) {
    const std::uint64_t byte_rows = byte_rows_of(origin.rows);
    return {.part = &part,
            .bytes = part.stored->data.subspan(row % byte_rows * cols, cols),
            .which = static_cast<unsigned>(row / byte_rows)};
  }
  const std::uint64_t n_bytes = quant::info(part.floats).n_bytes(1, cols);
  return {.part = &part, .bytes = part.stored->data.subspan(row * n_bytes, n_bytes)};
}

// Calls advise(file, bytes) for what holds rows [begin, end), and perhaps some beside them; once for those
// that are read together.
template <typename Advise>
void HfSource::for_ranges(std::size_t tensor, std::uint64_t begin, std::uint64_t end, Advise advise) const {
  if (origins_[tensor].parts.empty()) return;
  const bool together = are_read_together(tensor);
  for (std::uint64_t row = begin; row < end;) {
    const Row first = row_of(tensor, row);
    const std::byte* from = first.bytes.data();
    const std::byte* to = from;
    if (first.which != 0 && together) {
      ++row;
      continue;
    }
    for (; row < end; ++row) {
      const Row next = row_of(tensor, row);
      if (next.part != first.part || next.which != first.which) break;
      from = std::min(from, next.bytes.data());
      to = std::max(to, next.bytes.data() + next.bytes.size());
    }
    advise(weights_.file(first.part->stored->part), std::span(from, to));
  }
}

std::optional<std::string> HfSource::check(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const {
  for_ranges(tensor, begin, end,
             [](const MappedFile& file, std::span<const std::byte> bytes) { file.populate(bytes); });
  if (origins_[tensor].parts.empty()) return std::nullopt;
  for (std::uint64_t row = begin; row < end; ++row) {
    const Row found = row_of(tensor, row);
    const auto fault = found.part->is_packed ? packed_fault(tensor, found) : float_fault(tensor, found);
    if (fault) return *fault + "; the file is damaged: download it again";
  }
  return std::nullopt;
}

std::string HfSource::row_name(const StoredPart& part, std::uint64_t row) {
  return "row " + std::to_string(row) + " of " + printable(part.stored->name, kMaxPrintedName);
}

// Rows that are read together are looked through with the first of them.
std::optional<std::string> HfSource::packed_fault(std::size_t tensor, const Row& row) const {
  const bool together = are_read_together(tensor);
  if (together && row.which != 0) return std::nullopt;
  const std::uint64_t rows = origins_[tensor].rows;
  const std::uint64_t byte_rows = byte_rows_of(rows);
  const std::uint64_t byte_row = index_of(row);
  // Those behind the last are padding.
  const std::uint64_t n_rows = (rows - byte_row + byte_rows - 1) / byte_rows;
  const auto bad =
      find_code_3(row.bytes, row.which, together ? static_cast<unsigned>(n_rows) : row.which + 1);
  if (!bad) return std::nullopt;
  return row_name(*row.part, byte_row + bad->which * byte_rows) +
         " holds the code 3, which stands for nothing, at column " + std::to_string(bad->column);
}

std::optional<std::string> HfSource::float_fault(std::size_t tensor, const Row& row) const {
  const auto bad = find_non_finite(matrix_of(tensor, row));
  if (!bad) return std::nullopt;
  return row_name(*row.part, index_of(row)) + " has a value that is no finite number at column " +
         std::to_string(*bad);
}

std::span<const std::byte> HfSource::stored(std::size_t tensor) const {
  const Origin& origin = origins_[tensor];
  if (origin.parts.empty()) return std::as_bytes(std::span(origin.computed));
  const StoredPart& part = origin.parts.front();
  const bool as_it_is = origin.parts.size() == 1 && !part.is_packed && origin.interleaved_heads == 0 &&
                        tensors_[tensor].type == part.floats;
  return as_it_is ? part.stored->data : std::span<const std::byte>();
}

bool HfSource::read_coded(std::size_t tensor, std::uint64_t row, quant::CodedRow& out) const {
  const Origin& origin = origins_[tensor];
  if (origin.parts.empty() || !origin.parts.front().is_packed) return false;
  const Row found = row_of(tensor, row);
  out.codebook = quant::Codebook::ternary;
  out.resize(found.bytes.size(), found.bytes.size());
  unpack_row(found.bytes, found.which, out.words.data());
  out.scales[0] = found.part->scale;
  return true;
}

void HfSource::read_values(std::size_t tensor, std::uint64_t row, float* out) const {
  const Origin& origin = origins_[tensor];
  if (origin.parts.empty()) {
    std::ranges::copy(origin.computed, out);
    return;
  }
  const Row found = row_of(tensor, row);
  if (found.part->is_packed) {
    for (std::size_t i = 0; i < found.bytes.size(); ++i) {
      const auto code = (std::to_integer<unsigned>(found.bytes[i]) >> (2 * found.which)) & 3U;
      out[i] = static_cast<float>(static_cast<int>(code) - 1) * found.part->scale;
    }
    return;
  }
  const quant::Matrix one = matrix_of(tensor, found);
  quant::info(one.type).decode_row(one, 0, out);
}

void HfSource::give_back(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const {
  for_ranges(tensor, begin, end,
             [](const MappedFile& file, std::span<const std::byte> bytes) { file.give_back(bytes); });
}

}  // namespace

std::unique_ptr<Source> open_hf_source(const std::string& folder, const HfSourceOptions& options,
                                       std::vector<std::string>& notes) {
  std::error_code error;
  if (!fs::exists(fs::path(folder) / kConfig, error)) {
    throw ModelError(printable(folder, kMaxPrintedPath), "is no model's folder: it has no config.json",
                     "name a folder that was downloaded whole, or a GGUF file");
  }
  return std::make_unique<HfSource>(folder, options, notes);
}

}  // namespace bitnet::convert
