#include "model/inspect/inspection.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/printable.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "model/inspect/inspection_findings.h"
#include "model/inspect/known_defects.h"
#include "model/tensor_layout.h"
#include "quant/i2_s.h"

namespace bitnet {
namespace {

constexpr std::size_t kMaxKeys = 1000;  // listed; no known file has a tenth of it
constexpr std::size_t kValueWidth = 48;
// Rows longer than any model's are left alone: counting by column takes memory for each.
constexpr std::uint64_t kMaxCols = std::uint64_t{1} << 20;

// The norm whose output a matrix multiplies.
struct NormOf {
  std::string_view matrix;
  std::string_view norm;
};
constexpr std::array kNorms{
    NormOf{"attn_q", "attn_norm"},          NormOf{"attn_k", "attn_norm"},  NormOf{"attn_v", "attn_norm"},
    NormOf{"attn_output", "attn_sub_norm"}, NormOf{"ffn_gate", "ffn_norm"}, NormOf{"ffn_up", "ffn_norm"},
    NormOf{"ffn_down", "ffn_sub_norm"},
};

std::string text_of(const gguf::File& file, std::string_view key) {
  const auto value = file.find(key);
  const auto text = value ? value->as_string() : std::nullopt;
  return text ? printable(*text, kMaxPrintedName) : std::string();
}

void list_keys(Inspection& out, const gguf::File& file) {
  for (std::size_t i = 0; i < std::min(file.n_keys(), kMaxKeys); ++i) {
    const gguf::Value value = file.value(i);
    out.keys.push_back(
        {printable(file.key(i), kMaxPrintedName), value.describe_type(), value.to_display(kValueWidth)});
  }
  if (file.n_keys() > kMaxKeys) {
    out.add(FindingLevel::warning, "metadata",
            std::to_string(file.n_keys()) + " keys, of which the first " + std::to_string(kMaxKeys) +
                " are listed",
            "no language model needs so many; the engine ignores those it does not know");
  }
}

// The float values of the norm before a matrix; empty if the file has none of that size and type.
std::span<const float> norm_before(const gguf::File& file, const gguf::Tensor& matrix) {
  const std::size_t dot = matrix.name.rfind(".weight");
  if (dot == std::string_view::npos) return {};
  const std::string_view stem = matrix.name.substr(0, dot);
  for (const NormOf& n : kNorms) {
    if (!stem.ends_with(n.matrix)) continue;
    const std::string_view prefix = stem.substr(0, stem.size() - n.matrix.size());
    const gguf::Tensor* norm = file.find_tensor(std::string(prefix).append(n.norm).append(".weight"));
    const bool fits = norm != nullptr && norm->type == quant::info(quant::TensorType::f32).id &&
                      norm->dims == std::array<std::uint64_t, 4>{matrix.dims[0], 1, 1, 1} &&
                      norm->extent.size() / sizeof(float) >= matrix.dims[0] &&
                      reinterpret_cast<std::uintptr_t>(norm->extent.data()) % alignof(float) == 0;
    if (fits) return {reinterpret_cast<const float*>(norm->extent.data()), matrix.dims[0]};
  }
  return {};
}

// keep_going is asked with the share of the tensor that is done.
void measure(Inspection& out, const gguf::File& file, const gguf::Tensor& t, const CustomLayouts& custom,
             ThreadPool& pool, const std::function<bool(double)>& keep_going) {
  TensorSummary& s = out.tensors.emplace_back();
  s.name = printable(t.name, kMaxPrintedName);
  const TensorLayout layout = layout_of(file, t, custom);
  s.dims = layout.dims;
  s.n_dims = t.n_dims;
  s.type_id = t.type;
  const quant::StoredTensor stored = stored_tensor(file, t);
  s.type = layout.type != nullptr ? std::string(layout.type->name) : quant::name_of_type(stored);
  if (t.extent.empty()) return;  // of a damaged file
  const std::uint64_t cols = layout.cols();
  const std::uint64_t rows = layout.rows();
  out.n_parameters += rows * cols;
  const quant::TypeInfo* type = layout.type;
  s.bytes = type != nullptr ? type->n_bytes(rows, cols) : quant::n_bytes_of_type(stored);
  if (type == nullptr) {
    s.unread = quant::describe_refused_type(stored);
    return;
  }
  s.has_codes = type->coded != nullptr || type->row_scaled != nullptr;
  const bool is_whole = cols <= kMaxCols && cols % type->block == 0 && s.bytes <= t.extent.size();
  if (!is_whole) return;  // the loader says what is wrong with it
  const RowsHook on_rows = [&](std::size_t done) {
    return keep_going(static_cast<double>(done) / static_cast<double>(rows));
  };
  if (!type->ternary) {
    const quant::Matrix w{type->type, rows, cols, t.extent.data(), 1.0F};
    s.range = range_of(w, pool, on_rows);
    s.n_shrunk = count_shrunk(w, 0, rows, pool).value_or(0);
    if (type->row_scaled != nullptr ||
        (type->coded != nullptr && type->coded->codebook == quant::Codebook::ternary)) {
      s.zero_rate = static_cast<double>(s.range->n_zero) / static_cast<double>(rows * cols);
    }
    return;
  }
  s.scale = type->tensor_scale(t.extent.data(), rows, cols);
  PlaceCounts places(cols);
  s.codes = count_codes(t.extent.first(rows * cols / 4), rows, pool, places, on_rows);
  s.zero_rate = s.codes.rate(s.codes.zero);
  const std::span<const float> norm = norm_before(file, t);
  if (norm.empty() || s.codes.invalid != 0) return;
  if (const auto evidence = layout_evidence(places, norm)) out.layout.add(*evidence);
}

// The loader's message, without the hint that leads here.
std::string without_hint(std::string message) {
  constexpr std::string_view kHint = ": bitnet inspect says more";
  if (message.ends_with(kHint)) message.resize(message.size() - kHint.size());
  return message;
}

void add_hidden_act(Inspection& out, const HiddenActInfo& info) {
  const bool is_relu2 = info.act == HiddenAct::relu2;
  const std::string what = std::string(is_relu2 ? "relu^2" : "SiLU") + ": " + info.reason;
  const std::string meaning =
      "models with relu^2 and with SiLU differ in nothing else, and with the wrong one "
      "of them the text is fluent and wrong";
  const std::string other =
      std::string("if the text is poor, try --hidden-act ") + (is_relu2 ? "silu" : "relu2");
  switch (info.certainty) {
    case Certainty::said:
      out.add(FindingLevel::ok, "activation", what, meaning);
      break;
    case Certainty::concluded:
      out.add(FindingLevel::note, "activation", what, meaning, other);
      break;
    case Certainty::assumed:
      out.add(FindingLevel::warning, "activation", what, meaning, other);
      break;
  }
}

// What loading the file comes to.
void ask_loader(Inspection& out, const InspectionSource& source, const gguf::File& file,
                const LoadOptions& options) {
  try {
    // What had to be read into memory is not read there a second time.
    const bool is_read = !file.read_notice().empty() && file.n_parts() == 1;
    const Model model =
        is_read ? Model::from_bytes(file.bytes(), source.path, options) : load(source, options);
    out.hidden_act = model.info().hidden_act;
    out.i2s = model.info().i2s;
    add_hidden_act(out, *out.hidden_act);
    for (const std::string& note : model.info().notes) {
      out.add(FindingLevel::note, "metadata", note, "it has no bearing on what this engine computes");
    }
    out.add(FindingLevel::ok, "loading", "the engine takes this file",
            "architecture " + model.info().architecture +
                ", every tensor has its place, every key that matters is understood");
  } catch (const RuntimeError&) {
    throw;  // no fault of the file
  } catch (const Error& e) {
    out.refusal = without_hint(e.what());
    out.add(FindingLevel::error, "loading", *out.refusal,
            "the engine refuses this file with that message and exit code 3",
            "do what the message says; nothing can be run before");
  }
}

}  // namespace

Model load(const InspectionSource& source, const LoadOptions& options) {
  return source.bytes.empty() ? Model::load(source.path, options)
                              : Model::from_bytes(source.bytes, source.path, options);
}

std::string_view name_of(FindingLevel level) {
  static constexpr std::array<std::string_view, 4> kNames{"ok", "note", "warning", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

bool Inspection::is_usable() const {
  return std::ranges::none_of(findings, [](const Finding& f) { return f.level == FindingLevel::error; });
}

void Inspection::add(FindingLevel level, std::string topic, std::string what, std::string meaning,
                     std::string advice) {
  findings.push_back({level, std::move(topic), std::move(what), std::move(meaning), std::move(advice)});
}

std::uint64_t Inspection::other_bytes() const {
  if (is_damaged) return 0;
  std::uint64_t rest = file_bytes;
  for (const TensorSummary& t : tensors) rest -= std::min(rest, t.bytes);
  return rest;
}

Inspection inspect(const InspectionSource& source, unsigned n_threads,
                   const std::function<bool(double fraction)>& on_progress) {
  Inspection out;
  out.file = printable(source.path, kMaxPrintedPath);
  std::optional<gguf::File> file;
  std::string damage;
  try {
    file.emplace(source.bytes.empty() ? gguf::File::open_damaged(source.path, damage, on_progress)
                                      : gguf::File::from_damaged(source.bytes, source.path, damage));
  } catch (const ModelError& e) {
    damage = e.what();
  }
  const bool is_parsed = file && (file->n_keys() > 0 || !file->tensors().empty());
  if (!damage.empty()) {
    out.is_damaged = true;
    out.refusal = damage;
    out.add(FindingLevel::error, "file", damage,
            std::string("the engine refuses the file with that message and exit code 3") +
                (is_parsed ? "; what stands before the damage is shown, no tensor is looked into" : ""));
  }
  if (!is_parsed) return out;
  out.is_parsed = true;
  out.file_bytes = file->size();
  out.n_files = file->n_parts();
  out.gguf_version = file->version();
  out.alignment = file->alignment();
  out.name = text_of(*file, "general.name");
  out.architecture = text_of(*file, "general.architecture");
  list_keys(out, *file);

  if (const std::string notice = file->read_notice(); !notice.empty()) {
    out.add(FindingLevel::note, "memory", notice,
            "each run needs that memory and time; from a file system that can map files nothing is copied",
            "copy the model to a local disk");
  }

  CustomLayouts custom;
  try {
    if (damage.empty()) custom = read_custom_layouts(*file);
  } catch (const ModelError&) {
    // The loader says what is wrong with the keys.
  }
  ThreadPool pool(n_threads);
  std::uint64_t done = 0;
  for (const gguf::Tensor& t : file->tensors()) {
    const auto keep_going = [&](double share) {
      const double bytes = static_cast<double>(done) + share * static_cast<double>(t.extent.size());
      return !on_progress || on_progress(bytes / static_cast<double>(out.file_bytes));
    };
    if (!keep_going(0)) return out;
    measure(out, *file, t, custom, pool, keep_going);
    done += t.extent.size();
  }
  LoadOptions options{.n_threads = n_threads};
  if (on_progress) options.on_progress = [&](double) { return on_progress(1); };
  if (damage.empty()) {
    ask_loader(out, source, *file, options);
    add_tensor_findings(out, *file);
  }
  add_tokenizer_findings(out, *file);
  return out;
}

}  // namespace bitnet
