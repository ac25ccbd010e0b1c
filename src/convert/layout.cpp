#include "convert/layout.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "bitnet/error.h"
#include "gguf/split_names.h"
#include "model/custom_layout.h"

namespace bitnet::convert {
namespace {

// The first tensor of each part.
std::vector<std::size_t> first_tensors(const Plan& plan, const SplitOptions& split) {
  const std::size_t n = plan.tensors.size();
  std::vector<std::size_t> firsts{0};
  if (split.n_parts > 1) {
    if (split.n_parts > n) {
      throw UsageError("--parts " + std::to_string(split.n_parts) + " is more than there are tensors, " +
                       std::to_string(n));
    }
    const double each = static_cast<double>(plan.n_bytes()) / static_cast<double>(split.n_parts);
    double before = 0;
    for (std::size_t i = 1; i < n && firsts.size() < split.n_parts; ++i) {
      before += static_cast<double>(plan.tensors[i - 1].n_bytes());
      const std::size_t parts_left = split.n_parts - firsts.size();
      if (before >= each * static_cast<double>(firsts.size()) || n - i == parts_left) firsts.push_back(i);
    }
  } else if (split.part_bytes > 0) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t more = plan.tensors[i].n_bytes();
      if (bytes > 0 && more > split.part_bytes - std::min(bytes, split.part_bytes)) {
        firsts.push_back(i);
        bytes = 0;
      }
      bytes += more;
    }
  }
  return firsts;
}

gguf::KeyValues keys_of_part(const Plan& plan, std::size_t part, std::size_t n_parts) {
  gguf::KeyValues keys;
  if (part == 0) {
    keys = plan.keys;
  } else if (plan.alignment != gguf::Writer::kDefaultAlignment) {
    keys.set("general.alignment", static_cast<std::uint32_t>(plan.alignment));
  }
  if (n_parts > 1) {
    keys.set(gguf::kSplitNumberKey, static_cast<std::uint16_t>(part));
    keys.set(gguf::kSplitCountKey, static_cast<std::uint16_t>(n_parts));
    keys.set(gguf::kSplitTensorsKey, static_cast<std::int32_t>(plan.tensors.size()));
  }
  return keys;
}

void add_tensor(const TensorPlan& p, gguf::Writer& writer) {
  const quant::TypeInfo& info = quant::info(p.type);
  std::vector<std::uint64_t> dims = p.dims;
  std::uint32_t id = info.id;
  if (id == quant::kNoFileId) {
    id = kCustomTypeId;
    dims[0] = info.n_bytes(1, p.cols());
  }
  writer.add_tensor(p.name, dims, id, p.n_bytes());
}

}  // namespace

std::uint64_t Layout::n_bytes() const {
  std::uint64_t n = 0;
  for (const PartLayout& part : parts) n += part.writer.file_size();
  return n;
}

Layout make_layout(const Plan& plan, const SplitOptions& split) {
  const std::vector<std::size_t> firsts = first_tensors(plan, split);
  if (firsts.size() > gguf::kMostParts) {
    throw UsageError("--split would make " + std::to_string(firsts.size()) + " parts, more than " +
                     std::to_string(gguf::kMostParts) + ": choose a larger size");
  }
  Layout layout;
  layout.places.resize(plan.tensors.size());
  for (std::size_t k = 0; k < firsts.size(); ++k) {
    const std::size_t end = k + 1 < firsts.size() ? firsts[k + 1] : plan.tensors.size();
    PartLayout part{gguf::Writer(keys_of_part(plan, k, firsts.size()), plan.alignment), firsts[k], end};
    for (std::size_t i = part.first; i < end; ++i) add_tensor(plan.tensors[i], part.writer);
    const std::uint64_t data = part.first < end ? part.writer.data_offset(0) : 0;
    for (std::size_t i = part.first; i < end; ++i) {
      layout.places[i] = {k, data + part.writer.place_in_data(i - part.first)};
    }
    layout.parts.push_back(std::move(part));
  }
  return layout;
}

std::vector<std::string> file_names(const std::string& output, std::size_t n_parts) {
  if (n_parts == 1) return {output};
  constexpr std::string_view kEnding = ".gguf";
  std::string stem = output;
  if (stem.ends_with(kEnding)) stem.resize(stem.size() - kEnding.size());
  if (const std::size_t ending = gguf::parts_ending_of(output); ending != 0) {
    stem = output.substr(0, output.size() - ending);
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < n_parts; ++i) names.push_back(stem + gguf::parts_ending(i, n_parts));
  return names;
}

}  // namespace bitnet::convert
