#include "quant/file_types.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/joined.h"

namespace bitnet::quant {
namespace {

struct RefusedType {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block;  // elements of a block, and its bytes; 0 where a tensor is no sequence of them
  std::uint32_t block_bytes;
  std::string_view remark = {};
  std::string_view advice = "requantize the model to I2_S, or F16 where it is not ternary";
  std::uint32_t row_bytes = 0;  // that a row has beside its blocks
};

constexpr std::string_view kReconvert = "convert the original weights to I2_S";
constexpr std::string_view kRepacked = "made for one processor, and withdrawn";
constexpr std::string_view kRetired = "of ik_llama.cpp, withdrawn";

// https://github.com/ggml-org/ggml/blob/master/include/ggml.h (enum ggml_type) and its ggml-common.h (the
// blocks), Microsoft's fork for 36-39, ik_llama.cpp for 142 and 143. Of an id that stands for
// several formats each has a row.
constexpr std::array kRefused{
    RefusedType{4, "Q4_2", 16, 10, "withdrawn"},
    RefusedType{5, "Q4_3", 16, 12, "withdrawn"},
    RefusedType{9, "Q8_1", 32, 36},
    RefusedType{15, "Q8_K", 256, 292},
    RefusedType{16, "IQ2_XXS", 256, 66},
    RefusedType{17, "IQ2_XS", 256, 74},
    RefusedType{18, "IQ3_XXS", 256, 98},
    RefusedType{19, "IQ1_S", 256, 50},
    RefusedType{21, "IQ3_S", 256, 110},
    RefusedType{22, "IQ2_S", 256, 82},
    RefusedType{23, "IQ4_XS", 256, 136},
    RefusedType{24, "I8", 1, 1},
    RefusedType{25, "I16", 1, 2},
    RefusedType{26, "I32", 1, 4},
    RefusedType{27, "I64", 1, 8},
    RefusedType{28, "F64", 1, 8, {}, "convert it to F32"},
    RefusedType{29, "IQ1_M", 256, 56},
    RefusedType{31, "Q4_0_4_4", 32, 18, kRepacked},
    RefusedType{32, "Q4_0_4_8", 32, 18, kRepacked},
    RefusedType{33, "Q4_0_8_8", 32, 18, kRepacked},
    RefusedType{37, "I8_S", 1, 1, {}, kReconvert},
    RefusedType{38, "TL1", 0, 0, "Microsoft's, made for one ARM processor", kReconvert},
    RefusedType{39, "TL2", 0, 0, "Microsoft's, made for one processor, or MXFP4", kReconvert},
    RefusedType{39, "MXFP4", 32, 17, {}, kReconvert},
    RefusedType{40, "NVFP4", 64, 36},
    RefusedType{42, "STQ1_0", 256, 42, "Tencent's", kReconvert},
    RefusedType{142, "IQ2_TN", 256, 66, kRetired, kReconvert},
    RefusedType{142, "IQ2_TN", 256, 64, kRetired, kReconvert, 4},
    RefusedType{143, "IQ1_TN", 256, 54, kRetired, kReconvert},
    RefusedType{143, "IQ1_TN", 64, 13, kRetired, kReconvert, 2},
};

// One of the formats of an id.
struct Format {
  const TypeInfo* read = nullptr;  // one of the two
  const RefusedType* refused = nullptr;
  std::optional<std::uint64_t> bytes;  // of the tensor; nullopt: not known, or its rows are not whole blocks

  std::string_view name() const { return read != nullptr ? read->name : refused->name; }
  bool fits(const StoredTensor& t) const {
    return bytes && *bytes <= t.room && t.room - *bytes < std::max<std::uint64_t>(t.alignment, 1);
  }
};

std::optional<std::uint64_t> bytes_of(const RefusedType& type, const StoredTensor& t) {
  if (type.block == 0 || t.cols % type.block != 0) return std::nullopt;
  const std::uint64_t n_blocks = t.rows * (t.cols / type.block);
  if (n_blocks > t.room / type.block_bytes) return std::nullopt;  // more than there can be
  return n_blocks * type.block_bytes + t.rows * type.row_bytes;
}

bool has_whole_groups(const TypeInfo& type, const StoredTensor& t) {
  return type.row_scaled == nullptr || t.rows % type.row_scaled->rows_together == 0;
}

// Those that are read come first.
std::vector<Format> formats_of(const StoredTensor& t) {
  std::vector<Format> formats;
  for (const TypeInfo& type : all_types()) {
    if (type.id != t.id || type.id == kNoFileId) continue;
    const bool is_whole = t.cols % type.block == 0 && has_whole_groups(type, t);
    formats.push_back(
        {&type, nullptr, is_whole ? std::optional(type.n_bytes(t.rows, t.cols)) : std::nullopt});
  }
  for (const RefusedType& type : kRefused) {
    if (type.id == t.id) formats.push_back({nullptr, &type, bytes_of(type, t)});
  }
  return formats;
}

// The formats that are read and fit.
std::vector<Format> readings_of(const StoredTensor& t, const std::vector<Format>& formats) {
  std::vector<Format> readings;
  for (const Format& f : formats) {
    if (f.read == nullptr || !has_whole_groups(*f.read, t)) continue;
    if (formats.size() == 1 || f.fits(t)) readings.push_back(f);
  }
  return readings;
}

const RefusedType* find_refused(const StoredTensor& t, const std::vector<Format>& formats) {
  const auto fits = [&](const Format& f) { return f.refused != nullptr && f.fits(t); };
  const auto found = std::ranges::find_if(formats, fits);
  if (found != formats.end()) return found->refused;
  return formats.empty() ? nullptr : formats.front().refused;  // nullptr where one of them is read
}

// "Q2_0 takes 720, Q2_0 (128) 680"
std::string sizes_of(const std::vector<Format>& formats) {
  std::string sizes;
  for (const Format& f : formats) {
    if (!f.bytes) continue;
    sizes += (sizes.empty() ? "" : ", ") + std::string(f.name()) + (sizes.empty() ? " takes " : " ") +
             std::to_string(*f.bytes);
  }
  return sizes;
}

std::string names_of_types_read() {
  std::vector<std::string_view> names;
  for (const TypeInfo& t : all_types()) {
    if (t.id != kNoFileId) names.push_back(t.name);
  }
  return joined(names);
}

}  // namespace

const TypeInfo* find_type(const StoredTensor& tensor) {
  const std::vector<Format> readings = readings_of(tensor, formats_of(tensor));
  return readings.size() == 1 ? readings.front().read : nullptr;
}

const TypeInfo* find_type(std::uint32_t ggml_id) {
  const std::vector<Format> formats = formats_of({.id = ggml_id});
  return formats.size() == 1 ? formats.front().read : nullptr;
}

std::string describe_refused_type(const StoredTensor& tensor) {
  const std::string type = "type " + std::to_string(tensor.id);
  const std::vector<Format> formats = formats_of(tensor);
  if (formats.empty()) return type + " is unknown; this program reads " + names_of_types_read();
  if (const std::vector<Format> readings = readings_of(tensor, formats); !readings.empty()) {
    return type + " stands for several formats, and so few values fit the " + std::to_string(tensor.room) +
           " bytes that are there in more than one (" + sizes_of(readings) + "); store the tensor as F32";
  }
  if (const RefusedType* t = find_refused(tensor, formats)) {
    const std::string remark = t->remark.empty() ? "" : " (" + std::string(t->remark) + ")";
    return type + ", " + std::string(t->name) + remark + ", is not read; " + std::string(t->advice);
  }
  if (const TypeInfo* read = formats.front().read; read != nullptr && !has_whole_groups(*read, tensor)) {
    return type + ", " + std::string(read->name) + ", has its rows in groups of " +
           std::to_string(read->row_scaled->rows_together) + ", and " + std::to_string(tensor.rows) +
           " are not whole ones; convert the model again";
  }
  const std::string sizes = sizes_of(formats);
  if (sizes.empty()) {
    return type + ", " + std::string(formats.front().name()) + ", has blocks of " +
           std::to_string(formats.front().read->block) + " values, and rows of " +
           std::to_string(tensor.cols) + " are not whole ones; convert the model again";
  }
  return type + " stands for several formats, told apart by the tensor's size, and none fits the " +
         std::to_string(tensor.room) + " bytes that are there (" + sizes +
         "); the file is cut short or damaged: download it again";
}

std::string name_of_type(const StoredTensor& tensor) {
  const std::vector<Format> formats = formats_of(tensor);
  if (formats.empty()) return "type " + std::to_string(tensor.id);
  const auto fits = [&](const Format& f) { return f.fits(tensor); };
  const auto found = std::ranges::find_if(formats, fits);
  return std::string((found == formats.end() ? formats.front() : *found).name());
}

std::uint64_t n_bytes_of_type(const StoredTensor& tensor) {
  const std::vector<Format> formats = formats_of(tensor);
  if (formats.size() == 1 && formats.front().read != nullptr &&
      has_whole_groups(*formats.front().read, tensor)) {
    return formats.front().read->n_bytes(tensor.rows, tensor.cols);
  }
  // Of the formats that fit, the one that leaves the least room: what is left should be padding.
  std::uint64_t most = 0;
  for (const Format& f : formats) {
    if (f.bytes && *f.bytes <= tensor.room) most = std::max(most, *f.bytes);
  }
  return most > 0 ? most : tensor.room;
}

}  // namespace bitnet::quant
