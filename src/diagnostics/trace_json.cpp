// What is said about a trace, and the form in which the tensors' index is JSON and their values stand beside
// it.
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/trace_formats.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20;
constexpr int kMaxDepth = 16;
constexpr std::string_view kSchema = "bitnet.trace";

Json parse_object(std::string_view text, const std::string& name) {
  if (text.size() > kMaxJsonBytes)
    throw ModelError(name, "is larger than any trace's JSON", "write it again");
  // Copying and destroying what is nested without end would take a stack without end.
  bool too_deep = false;
  const auto watch_depth = [&](int depth, Json::parse_event_t, const Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  Json json = Json::parse(text, watch_depth, /*allow_exceptions=*/false);
  if (too_deep || !json.is_object())
    throw ModelError(name, "is no JSON object", "it is damaged, or no trace: write it again");
  const Json schema = json.value("schema", Json(kSchema));
  if (schema != kSchema || json.value("version", Json(1)) != 1) {
    throw ModelError(name, "is no trace in a form that this version knows",
                     "write one with bitnet trace -o FILE.npz");
  }
  return json;
}

std::vector<TokenId> ids_of(const Json& json, const char* field, const std::string& name) {
  std::vector<TokenId> ids;
  const auto refuse = [&] {
    throw ModelError(name, std::string(field) + " is no list of token ids", "write it as [1, 2, 3]");
  };
  const auto found = json.find(field);
  if (found == json.end() || found->is_null()) return ids;
  if (!found->is_array()) refuse();
  for (const Json& id : *found) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) refuse();
    ids.push_back(TokenId{id.get<std::int32_t>()});
  }
  return ids;
}

std::string text_of(const Json& json, const char* field) {
  const Json value = json.value(field, Json());
  return value.is_string() ? printable(value.get<std::string>(), kMaxPrintedPath) : "";
}

TraceInfo info_of(const Json& json, const std::string& name) {
  TraceInfo info;
  info.model = text_of(json, "model");
  info.backend = text_of(json, "backend");
  info.kv_type = text_of(json, "kv_type");
  info.activations = text_of(json, "activations");
  info.hidden_act = text_of(json, "hidden_act");
  info.i2s_layout = text_of(json, "i2s_layout");
  info.head = text_of(json, "head");
  info.program = text_of(json, "program");
  info.commit = text_of(json, "commit");
  info.ids = ids_of(json, "ids", name);
  info.greedy = ids_of(json, "greedy", name);
  const Json margins = json.value("greedy_margin", Json());
  if (margins.is_null()) return info;
  if (!margins.is_array()) throw ModelError(name, "greedy_margin is no list of numbers", "write it again");
  for (const Json& margin : margins) {
    if (!margin.is_number()) throw ModelError(name, "greedy_margin is no list of numbers", "write it again");
    info.greedy_margin.push_back(margin.get<double>());
  }
  if (info.greedy_margin.size() != info.greedy.size()) {
    throw ModelError(name, "greedy_margin has not as many elements as greedy", "write it again");
  }
  return info;
}

class JsonTrace final : public TraceSource {
 public:
  JsonTrace(const Json& json, const std::string& name, MappedFile values, const std::string& values_name)
      : values_(std::move(values)), values_name_(values_name) {
    name_ = name;
    info_ = info_of(json, name);
    const Json tensors = json.value("tensors", Json());
    if (!tensors.is_array() || tensors.empty()) {
      throw ModelError(name, "lists no tensors", "it is no trace's JSON: give one, an .npz or a .gguf");
    }
    for (const Json& entry : tensors) add_entry(entry);
  }

  Rows rows(std::size_t tensor) const override {
    const std::byte* at = values_.bytes().data() + offsets_[tensor];
    return [at](std::span<float> row) mutable {
      std::memcpy(row.data(), at, row.size_bytes());
      at += row.size_bytes();
    };
  }

 private:
  void add_entry(const Json& entry) {
    const auto refuse = [&](const std::string& what) {
      throw ModelError(name_, "tensor " + std::to_string(tensors_.size() + 1) + " of the list " + what,
                       "each has a name, a shape and an offset");
    };
    if (!entry.is_object()) refuse("is no object");
    const Json tensor = entry.value("name", Json());
    const Json shape = entry.value("shape", Json());
    const Json offset = entry.value("offset", Json());
    if (!tensor.is_string()) refuse("has no name");
    if (!shape.is_array() || shape.empty()) refuse("has no shape");
    if (!offset.is_number_unsigned()) refuse("has no offset");
    std::vector<std::uint64_t> dims;
    for (const Json& dim : shape) {
      if (!dim.is_number_unsigned()) refuse("has a shape that is not of whole numbers");
      dims.push_back(dim.get<std::uint64_t>());
    }
    add_tensor(tensor.get<std::string>(), dims);
    const std::uint64_t size = values_.bytes().size();
    const auto at = offset.get<std::uint64_t>();
    const std::uint64_t n_bytes = std::uint64_t{tensors_.back().rows} * tensors_.back().cols * sizeof(float);
    if (at > size || n_bytes > size - at) {
      throw ModelError(values_name_,
                       "ends at byte " + std::to_string(size) + ", inside tensor " +
                           printable(tensors_.back().name, kMaxPrintedName) + " (" + std::to_string(n_bytes) +
                           " bytes from " + std::to_string(at) + ")",
                       "it was cut off, or is not this trace's: copy it again");
    }
    offsets_.push_back(at);
  }

  MappedFile values_;
  std::string values_name_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace

std::string trace_info_json(const TraceInfo& info) {
  Json json = {{"schema", kSchema},
               {"version", 1},
               {"program", info.program},
               {"commit", info.commit},
               {"model", info.model},
               {"backend", info.backend},
               {"kv_type", info.kv_type},
               {"activations", info.activations},
               {"hidden_act", info.hidden_act},
               {"i2s_layout", info.i2s_layout},
               {"head", info.head},
               {"ids", Json::array()},
               {"greedy", Json::array()},
               {"greedy_margin", info.greedy_margin}};
  for (const TokenId id : info.ids) json["ids"].push_back(to_int(id));
  for (const TokenId id : info.greedy) json["greedy"].push_back(to_int(id));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TraceInfo parse_trace_info(std::string_view text, const std::string& name) {
  return info_of(parse_object(text, name), name);
}

std::unique_ptr<TraceSource> open_json_trace(MappedFile file, const std::string& path,
                                             const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const Json json = parse_object(text, name);
  const std::string values = std::filesystem::path(path).replace_extension(".f32").string();
  return std::make_unique<JsonTrace>(json, name, MappedFile(values), printable(values, kMaxPrintedPath));
}

}  // namespace bitnet
