#include "convert/huggingface/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/json_file.h"
#include "convert/huggingface/safetensors_header.h"

namespace bitnet::convert {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kDownloadAgain = "download it again";
constexpr std::size_t kMaxParts = 1000;  // each is held open

// An index names a file for each tensor.
constexpr JsonLimits kIndexLimits{.bytes = std::size_t{64} << 20, .values = std::size_t{1} << 21};

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

// Which file holds each tensor.
std::map<std::string, std::string, std::less<>> read_index(const std::string& path) {
  const std::string shown = printable(path, kMaxPrintedPath);
  const Json index = read_object(path, kIndexLimits);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object() || map->empty()) {
    throw ModelError(shown, "has no weight_map, which says where each tensor is", kDownloadAgain);
  }
  std::map<std::string, std::string, std::less<>> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_plain_file_name(file.get_ref<const std::string&>())) {
      throw ModelError(
          shown,
          "weight_map of " + printable(tensor, kMaxPrintedName) + ": " +
              printable(file.dump(-1, ' ', false, Json::error_handler_t::replace), kMaxPrintedName) +
              " is no name of a file in this folder",
          "only such are opened");
    }
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

}  // namespace

std::uint64_t StoredTensor::n_elements() const {
  std::uint64_t n = 1;
  for (const std::uint64_t dim : shape) n *= dim;
  return n;
}

std::string describe_shape(std::span<const std::uint64_t> shape) {
  std::string text;
  for (const std::uint64_t dim : shape) text.append(text.empty() ? "" : ", ").append(std::to_string(dim));
  return "[" + text + "]";
}

Safetensors Safetensors::open_file(const std::string& path) {
  Safetensors result;
  result.add_file(path);
  result.sort_by_name();
  return result;
}

Safetensors Safetensors::open_folder(const std::string& folder) {
  const fs::path single = fs::path(folder) / kSingle;
  const fs::path index = fs::path(folder) / kSafetensorsIndex;
  std::error_code error;
  if (fs::exists(single, error)) return open_file(single.string());
  if (!fs::exists(index, error)) {
    throw ModelError(printable(folder, kMaxPrintedPath),
                     "has neither " + std::string(kSingle) + " nor " + std::string(kSafetensorsIndex),
                     "weights in other forms (.bin, .pt) have to be saved as safetensors first");
  }
  const std::string shown = printable(index.string(), kMaxPrintedPath);
  const auto file_of = read_index(index.string());
  std::vector<std::string> parts;
  parts.reserve(file_of.size());
  for (const auto& [tensor, file] : file_of) parts.push_back(file);
  std::ranges::sort(parts);
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  if (parts.size() > kMaxParts) {
    throw ModelError(shown, "names " + std::to_string(parts.size()) + " files; at most " +
                                std::to_string(kMaxParts) + " are opened");
  }
  Safetensors result;
  for (const std::string& part : parts) {
    const fs::path path = fs::path(folder) / part;
    if (!fs::exists(path, error)) {
      throw ModelError(shown, "names " + printable(part, kMaxPrintedName) + ", which is not there",
                       "the download is incomplete");
    }
    result.add_file(path.string());
  }
  result.sort_by_name();
  for (const StoredTensor& tensor : result.tensors_) {
    const auto listed = file_of.find(tensor.name);
    if (listed == file_of.end())
      result.refuse(tensor, "is not in " + std::string(kSafetensorsIndex), kDownloadAgain);
    if (listed->second != parts[tensor.part]) {
      result.refuse(
          tensor, std::string(kSafetensorsIndex) + " has it in " + printable(listed->second, kMaxPrintedName),
          kDownloadAgain);
    }
  }
  for (const auto& [tensor, file] : file_of) {
    if (result.find(tensor) != nullptr) continue;
    throw ModelError(shown,
                     "tensor " + printable(tensor, kMaxPrintedName) + " is not in " +
                         printable(file, kMaxPrintedName) + ", where it should be",
                     kDownloadAgain);
  }
  return result;
}

void Safetensors::add_file(const std::string& path) {
  files_.emplace_back(path);
  paths_.push_back(path);
  const std::size_t part = files_.size() - 1;
  for (StoredTensor& tensor :
       read_safetensors_header(files_.back().bytes(), printable(path, kMaxPrintedPath))) {
    tensor.part = part;
    tensors_.push_back(std::move(tensor));
  }
}

void Safetensors::sort_by_name() {
  std::ranges::sort(tensors_, {}, &StoredTensor::name);
  const auto twice = std::ranges::adjacent_find(tensors_, {}, &StoredTensor::name);
  if (twice == tensors_.end()) return;
  refuse(*twice, "is in " + printable(path(std::next(twice)->part), kMaxPrintedPath) + " too",
         kDownloadAgain);
}

const StoredTensor* Safetensors::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(tensors_, name, {}, &StoredTensor::name);
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

void Safetensors::refuse(const StoredTensor& tensor, std::string_view what, std::string_view hint) const {
  throw ModelError(printable(path(tensor.part), kMaxPrintedPath),
                   "tensor " + printable(tensor.name, kMaxPrintedName) + ": " + std::string(what), hint);
}

}  // namespace bitnet::convert
