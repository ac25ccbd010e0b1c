// Models in several files: finding the other parts and making one File of all.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "gguf/cursor.h"
#include "gguf/gguf.h"
#include "gguf/load.h"
#include "gguf/split_names.h"

namespace bitnet::gguf {
namespace {

constexpr std::uint64_t kMostPartsNamed = 99999;  // the names have five digits
constexpr std::size_t kNumberDigits = 5;

// What a part says of itself.
struct Split {
  std::uint64_t number = 0;  // from 0
  std::uint64_t count = 1;
  std::uint64_t n_tensors = 0;  // in all parts

  std::string place() const { return "part " + std::to_string(number + 1) + " of " + std::to_string(count); }
};

[[noreturn]] void refuse(const File& file, const std::string& what, std::string_view hint) {
  throw ModelError(printable(file.name(), kMaxPrintedPath), what, hint);
}

Split split_of(const File& file) {
  Split split;
  split.count = file.get_uint(kSplitCountKey).value_or(1);
  if (split.count <= 1) return {};
  const auto number = file.get_uint(kSplitNumberKey);
  const auto n_tensors = file.get_uint(kSplitTensorsKey);
  if (split.count > kMostPartsNamed || !number || *number >= split.count || !n_tensors) {
    refuse(file,
           "keys " + std::string(kSplitNumberKey) + ", " + std::string(kSplitCountKey) + ", " +
               std::string(kSplitTensorsKey) + ": a part of a split model, but not which",
           kFetchAgain);
  }
  split.number = *number;
  split.n_tensors = *n_tensors;
  return split;
}

std::string five_digits(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(kNumberDigits - std::min(digits.size(), kNumberDigits), '0') + digits;
}

std::string file_name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Where in the last tensor's bytes another GGUF file begins; npos: nowhere.
std::size_t find_next_file(const File& file) {
  if (file.tensors().empty()) return std::string_view::npos;
  const Tensor& last = *std::ranges::max_element(file.tensors(), {}, &Tensor::file_offset);
  const std::span<const std::byte> bytes = last.extent;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += static_cast<std::size_t>(file.alignment())) {
    if (std::memcmp(&bytes[at], "GGUF", 4) != 0) continue;
    const auto version = load<std::uint32_t>(&bytes[at + 4]);
    if (version == 2 || version == 3) return static_cast<std::size_t>(last.file_offset) + at;
  }
  return std::string_view::npos;
}

// The other parts were not found: one that has them all behind it was joined by cat.
[[noreturn]] void refuse_alone(const File& file, const Split& split, const std::string& why,
                               std::string_view hint) {
  if (const std::size_t at = find_next_file(file); at != std::string_view::npos) {
    refuse(file,
           "is " + split.place() + " of a split model with another behind it, from byte " +
               std::to_string(at) + " on: parts put together by cat are no model",
           "keep the parts as they were and name one of them, or join them with llama-gguf-split --merge");
  }
  refuse(file, "is " + split.place() + " of a split model, " + why, hint);
}

// What the parts say of each other must agree.
void check_part(const File& part, const Split& wanted, const File& metadata) {
  const Split got = split_of(part);
  if (got.number != wanted.number || got.count != wanted.count || got.n_tensors != wanted.n_tensors) {
    refuse(part,
           "is " + got.place() + " of a model of " + std::to_string(got.n_tensors) + " tensors, where " +
               wanted.place() + " of one of " + std::to_string(wanted.n_tensors) + " is expected",
           "the parts are of different models, or have changed names: download them again");
  }
  for (std::size_t i = 0; i < part.n_keys(); ++i) {
    const std::string_view key = part.key(i);
    if (key.starts_with("split.") || key == "general.alignment") continue;
    const auto of_first = metadata.find(key);
    if (!of_first) {
      refuse(part, quoted("key", key) + " is not in the first part, which has to hold all metadata",
             "convert or split the model again");
    }
    const std::string here = part.value(i).to_display(kMaxPrintedName);
    const std::string there = of_first->to_display(kMaxPrintedName);
    if (here != there) {
      refuse(part, quoted("key", key) + " is " + here + ", where the first part has " + there,
             "the parts are of different models: download them again");
    }
  }
}

}  // namespace

std::string parts_ending(std::uint64_t number, std::uint64_t count) {
  return "-" + five_digits(number + 1) + "-of-" + five_digits(count) + ".gguf";
}

std::size_t parts_ending_of(std::string_view path) {
  constexpr std::string_view kForm = "-#####-of-#####.gguf";
  if (path.size() < kForm.size()) return 0;
  const std::string_view end = path.substr(path.size() - kForm.size());
  const bool fits = std::ranges::equal(
      end, kForm, [](char c, char form) { return form == '#' ? c >= '0' && c <= '9' : c == form; });
  return fits ? kForm.size() : 0;
}

void File::add_other_parts(const MappedFile::ReadHook& on_read) {
  const Split split = split_of(*this);
  if (split.count == 1) return;
  const std::string all =
      "put all " + std::to_string(split.count) + " parts into one folder and name any of them";
  if (!mapping_) refuse_alone(*this, split, "and the others are not known", all);
  const std::string ending = parts_ending(split.number, split.count);
  if (!name_->ends_with(ending)) {
    refuse_alone(*this, split,
                 parts_ending_of(*name_) != 0
                     ? "and its name says otherwise"
                     : "and its name does not end in " + ending + ", as it would to find the others",
                 "give the parts their names back");
  }
  const std::string stem = name_->substr(0, name_->size() - ending.size());
  std::vector<File> others;
  for (std::uint64_t i = 0; i < split.count; ++i) {
    if (i == split.number) continue;
    const std::string path = stem + parts_ending(i, split.count);
    if (!identity_of(path)) {
      refuse_alone(*this, split,
                   "and part " + std::to_string(i + 1) + ", " +
                       printable(file_name_of(path), kMaxPrintedPath) + ", is not beside it",
                   all);
    }
    others.push_back(map(path, on_read));
    others.back().parse();
  }
  const File& first = split.number == 0 ? *this : others.front();
  std::size_t n_tensors = tensors_.size();
  for (const File& other : others) n_tensors += other.tensors_.size();
  Split wanted = split;
  for (std::uint64_t i = 0, k = 0; i < split.count; ++i) {
    wanted.number = i;
    check_part(i == split.number ? *this : others[k++], wanted, first);
  }
  if (n_tensors != split.n_tensors) {
    refuse(first,
           std::string(kSplitTensorsKey) + " is " + std::to_string(split.n_tensors) +
               ", but all parts have " + std::to_string(n_tensors) + " tensors",
           kFetchAgain);
  }
  join(std::move(others), static_cast<std::size_t>(split.number));
}

// `place`: of this part among all.
void File::join(std::vector<File> others, std::size_t place) {
  if (place > 0) {
    File self = std::move(*this);
    *this = std::move(others.front());
    others.erase(others.begin());
    others.insert(others.begin() + static_cast<std::ptrdiff_t>(place) - 1, std::move(self));
  }
  other_parts_ = std::move(others);
  for (std::size_t i = 0; i < other_parts_.size(); ++i) {
    for (Tensor tensor : std::exchange(other_parts_[i].tensors_, {})) {
      tensor.part = static_cast<std::uint32_t>(i + 1);
      tensors_.push_back(tensor);
    }
    other_parts_[i].tensor_order_ = {};
  }
  index_tensor_names();
}

}  // namespace bitnet::gguf
