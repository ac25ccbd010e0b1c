#include "convert/gguf_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/pieces.h"
#include "convert/repairs.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_choice.h"
#include "model/inspect/known_defects.h"
#include "model/tensor_layout.h"
#include "model/weights.h"
#include "quant/coded_row.h"
#include "quant/i2_s.h"
#include "quant/i2_s_layouts.h"
#include "quant/lopsided.h"

namespace bitnet::convert {
namespace {

// What the engine makes of the file.
struct Understood {
  Config config;
  Weights weights;
};

Understood understand(const gguf::File& file, ThreadPool& pool) {
  std::vector<std::string> ignored;  // keys of which the engine knows nothing are copied
  Understood model{.config = read_config(file, ignored), .weights = {}};
  // The data is looked through when it is converted.
  model.weights = read_weights(file, model.config, std::vector<bool>(file.n_parts(), true), {}, pool);
  return model;
}

class GgufSource : public Source {
 public:
  GgufSource(const std::string& path, const SourceOptions& options, ThreadPool& pool,
             std::vector<std::string>& notes)
      : file_(gguf::File::open(path)), custom_(read_custom_layouts(file_)) {
    for (std::size_t i = 0; i < file_.n_keys(); ++i) {
      if (!file_.key(i).starts_with("split.")) keys_.append(file_.key(i), file_.value(i));
    }
    for (const gguf::Tensor& tensor : file_.tensors()) add(tensor);
    std::optional<Understood> model;
    try {
      model.emplace(understand(file_, pool));
      if (options.repairs) repairs_ = mend_keys(file_, model->config, options.hidden_act, keys_);
    } catch (const ModelError& e) {
      if (options.needs_model) throw;
      model.reset();
      notes.push_back("the engine refuses this file, which is copied" +
                      std::string(options.repairs ? " but for repairs: " : " as it is: ") + e.what());
    }
    if (model) {
      find_roles(model->weights);
      find_factors();
      if (options.hidden_act) {
        keys_.set(model->config.architecture + ".hidden_activation", name_of(*options.hidden_act));
      }
    }
    if (options.repairs) mend_scales();
    if (options.repairs && model) mend_shrunk(pool);
    if (has_i2s()) find_layout(model ? &model->weights : nullptr, options, pool, notes);
  }

  const std::string& name() const override { return file_.name(); }
  std::vector<std::string> files() const override {
    std::vector<std::string> files;
    for (std::size_t i = 0; i < file_.n_parts(); ++i) files.push_back(file_.part(i).name());
    return files;
  }
  std::string runnable_file() const override { return file_.name(); }
  gguf::KeyValues keys() const override { return keys_; }
  std::uint64_t alignment() const override { return file_.alignment(); }
  std::vector<Repair> repairs() const override { return repairs_; }
  std::span<const SourceTensor> tensors() const override { return tensors_; }
  bool has_foreign_i2s() const override { return layout_ != I2sLayout::x86 && !is_brought_to_x86_; }

  std::optional<std::string> check(std::size_t tensor, std::uint64_t begin,
                                   std::uint64_t end) const override {
    const quant::Matrix& w = matrices_[tensor];
    file_.populate(bytes_of(w, begin, end));
    const quant::DataCheck& check = quant::info(w.type).check;
    if (check.find_fault == nullptr) return std::nullopt;
    const auto fault = check.find_fault(w, begin, end);
    if (!fault) return std::nullopt;
    return std::string(check.unit) + " " + std::to_string(*fault) + " " + std::string(check.fault) + "; " +
           std::string(check.hint);
  }

  std::span<const std::byte> stored(std::size_t tensor) const override {
    const quant::Matrix& w = matrices_[tensor];
    if (w.type == quant::TensorType::i2_s && (is_brought_to_x86_ || are_scales_inverted_)) return {};
    if (is_shrunk(tensor)) return {};
    return {w.data, static_cast<std::size_t>(quant::n_bytes_of(w))};
  }

  bool read_coded(std::size_t tensor, std::uint64_t row, quant::CodedRow& out) const override {
    if (!quant::reads_coded_rows(matrices_[tensor].type)) return false;
    const RowPlace place = place_of(tensor, row);
    quant::read_coded_row(place.matrix, place.row, out);
    return true;
  }

  void read_values(std::size_t tensor, std::uint64_t row, float* out) const override {
    if (is_shrunk(tensor)) return quant::lopsided::restore_row(matrices_[tensor], row, out);
    const RowPlace place = place_of(tensor, row);
    quant::info(place.matrix.type).decode_row(place.matrix, place.row, out);
  }

  void give_back(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const override {
    file_.give_back(bytes_of(matrices_[tensor], begin, end));
  }

 private:
  struct RowPlace {
    quant::Matrix matrix;
    std::size_t row;
  };
  // Where a row lies as its type has it. I2_S in another layout is brought to that of x86, and stays until
  // the next call on this thread.
  RowPlace place_of(std::size_t tensor, std::uint64_t row) const {
    const quant::Matrix& w = matrices_[tensor];
    if (!quant::info(w.type).ternary || layout_ == I2sLayout::x86) return {w, row};
    std::vector<std::byte>& x86 = scratch();
    read_i2s_row(w, row, x86);
    quant::Matrix one = w;
    one.rows = 1;
    one.data = x86.data();
    return {one, 0};
  }

  [[noreturn]] void refuse(const gguf::Tensor& tensor, const std::string& what,
                           std::string_view hint = {}) const {
    throw ModelError(printable(file_.part(tensor.part).name(), kMaxPrintedPath),
                     "tensor " + printable(tensor.name, kMaxPrintedName) + ": " + what, hint);
  }

  void add(const gguf::Tensor& tensor) {
    const TensorLayout layout = layout_of(file_, tensor, custom_);
    if (layout.type == nullptr) {
      refuse(tensor, quant::describe_refused_type(stored_tensor(file_, tensor)));
    }
    const quant::TypeInfo& type = *layout.type;
    if (layout.cols() % type.block != 0) {
      refuse(tensor, std::string(type.name) + " rows of " + std::to_string(layout.cols()) +
                         " values are not whole blocks of " + std::to_string(type.block));
    }
    const std::uint64_t needed = type.n_bytes(layout.rows(), layout.cols());
    if (needed > tensor.extent.size()) {
      refuse(tensor,
             "needs " + std::to_string(needed) + " bytes at offset " + std::to_string(tensor.file_offset) +
                 ", but only " + std::to_string(tensor.extent.size()) + " are there",
             "the file is cut short or damaged: download it again");
    }
    if (reinterpret_cast<std::uintptr_t>(tensor.extent.data()) % type.alignment != 0) {
      refuse(tensor, "data at offset " + std::to_string(tensor.file_offset) + " is not aligned for its type");
    }
    quant::Matrix w{type.type, layout.rows(), layout.cols(), tensor.extent.data(), 1.0F};
    w.scale = type.tensor_scale(w.data, w.rows, w.cols);
    if (!std::isfinite(w.scale)) {
      refuse(tensor, "its scale is not a finite number", "the file is damaged: download it again");
    }
    matrices_.push_back(w);
    tensors_.push_back({.name = std::string(tensor.name),
                        .dims = {layout.dims.begin(), layout.dims.begin() + tensor.n_dims},
                        .origin = std::string(type.name),
                        .type = type.type});
  }

  void find_roles(const Weights& weights) {
    std::map<const std::byte*, TensorRole> roles;
    for_each_matrix(weights, [&](const quant::Matrix& w) { roles[w.data] = TensorRole::layer_matrix; });
    for (const LayerWeights& layer : weights.layers) roles.erase(layer.ffn_router.data);
    roles[weights.output.data] = TensorRole::head;
    roles[weights.token_embd.data] = TensorRole::embedding;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (const auto role = roles.find(matrices_[i].data); role != roles.end()) {
        tensors_[i].role = role->second;
      }
    }
  }

  // The engine took the file, so that each STEM.scale has its STEM.weight, and one finite number.
  void find_factors() {
    const std::span<const gguf::Tensor> all = file_.tensors();
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      SourceTensor& tensor = tensors_[i];
      const bool may_have_one = tensor.role == TensorRole::layer_matrix || tensor.role == TensorRole::head;
      if (!may_have_one || !tensor.name.ends_with(kWeightEnding)) continue;
      const std::string name =
          tensor.name.substr(0, tensor.name.size() - kWeightEnding.size()).append(kFactorEnding);
      const gguf::Tensor* factor = file_.find_tensor(name);
      if (factor == nullptr) continue;
      const auto at = static_cast<std::size_t>(factor - all.data());
      tensor.factor_tensor = at;
      quant::info(matrices_[at].type).decode_row(matrices_[at], 0, &tensor.factor);
      tensors_[at].role = TensorRole::factor;
    }
  }

  bool has_i2s() const {
    return std::ranges::any_of(
        tensors_, [](const SourceTensor& tensor) { return tensor.type == quant::TensorType::i2_s; });
  }

  void mend_scales() {
    std::vector<float> scales;
    for (const quant::Matrix& w : matrices_) {
      if (quant::info(w.type).ternary) scales.push_back(w.scale);
    }
    const auto judged = judge_scales(file_, scales);
    if (!judged || judged->verdict != ScaleJudgement::Verdict::inverse) return;
    if (std::ranges::find(scales, 0.0F) != scales.end()) return;
    are_scales_inverted_ = true;
    for (quant::Matrix& w : matrices_) {
      if (quant::info(w.type).ternary) w.scale = inverse_scale(w.scale);
    }
    repairs_.push_back({.topic = "inverse scales",
                        .what = "the scales of " + std::to_string(scales.size()) +
                                " tensors were the inverse of the right ones, by their size: "
                                "they are inverted back",
                        .changes_values = true});
  }

  std::uint64_t shrunk_in(const quant::Matrix& w, ThreadPool& pool) const {
    constexpr std::size_t kPieces = 8;  // between two times that pages are given back
    const std::size_t step = rows_in_piece(w.cols) * kPieces;
    std::uint64_t n = 0;
    for (std::size_t begin = 0; begin < w.rows; begin += step) {
      const std::size_t end = std::min(w.rows, begin + step);
      const auto found = count_shrunk(w, begin, end, pool);
      file_.give_back(bytes_of(w, begin, end));
      if (!found) return 0;
      n += *found;
    }
    return n;
  }
  // Ternary values that Q4_0 or Q5_0 did not hold.
  void mend_shrunk(ThreadPool& pool) {
    std::uint64_t n = 0;
    shrunk_.resize(tensors_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const std::uint64_t found = shrunk_in(matrices_[i], pool);
      shrunk_[i] = found > 0;
      n += found;
    }
    const auto n_tensors = std::ranges::count(shrunk_, true);
    if (n_tensors == 0) return;
    repairs_.push_back({.topic = "rounded",
                        .what = std::to_string(n) + " values in " + std::to_string(n_tensors) +
                                (n_tensors == 1 ? " tensor" : " tensors") +
                                " were ternary ones that Q4_0 or Q5_0 made smaller: they are what "
                                "they were",
                        .changes_values = true});
  }
  bool is_shrunk(std::size_t tensor) const { return !shrunk_.empty() && shrunk_[tensor]; }

  void find_layout(const Weights* weights, const SourceOptions& options, ThreadPool& pool,
                   std::vector<std::string>& notes) {
    if (weights == nullptr) {
      layout_ = options.i2s_layout.value_or(I2sLayout::x86);
      return;
    }
    const I2sInfo info = choose_i2s_layout(file_, *weights, options.i2s_layout, std::nullopt, pool,
                                           /*gives_back=*/true)
                             .info;
    layout_ = info.layout.value_or(I2sLayout::x86);
    if (info.certainty == Certainty::assumed) {
      notes.push_back(
          "in which layout its I2_S tensors are cannot be told; they are read as x86 "
          "(--i2s-layout has the last word)");
    }
    is_brought_to_x86_ = options.repairs && layout_ != I2sLayout::x86;
    // What a user told is written down: whoever reads the new file is not told again.
    if (is_brought_to_x86_ || options.i2s_layout) {
      keys_.set(kI2sLayoutKey, is_brought_to_x86_ ? "x86" : name_of(layout_));
    }
    if (layout_ == I2sLayout::x86) return;
    if (layout_ == I2sLayout::rows4) require_fours();
    if (is_brought_to_x86_) {
      repairs_.push_back({"I2_S layout", "I2_S tensors were in the layout " + std::string(name_of(layout_)) +
                                             " (" + info.reason + "): they are in that of x86"});
    }
  }

  void require_fours() const {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!quant::info(matrices_[i].type).ternary || matrices_[i].rows % 4 == 0) continue;
      refuse(file_.tensors()[i],
             std::to_string(matrices_[i].rows) +
                 " rows of I2_S cannot be in the layout rows4, which packs four rows together",
             "pass --i2s-layout x86 or arm");
    }
  }

  // Rows of I2_S in the layout rows4 lie in fours.
  std::span<const std::byte> bytes_of(const quant::Matrix& w, std::uint64_t begin, std::uint64_t end) const {
    const quant::TypeInfo& type = quant::info(w.type);
    if (type.ternary) {
      return {w.data + begin / 4 * 4 * w.cols / 4,
              static_cast<std::size_t>((end - begin / 4 * 4) * w.cols / 4)};
    }
    const std::uint64_t row = type.n_bytes(1, w.cols);
    return {w.data + begin * row, static_cast<std::size_t>((end - begin) * row)};
  }

  // In the layout of x86.
  void read_i2s_row(const quant::Matrix& w, std::uint64_t row, std::vector<std::byte>& x86) const {
    const std::size_t n = w.cols / 4;
    if (layout_ == I2sLayout::arm) {
      x86.resize(n);
      quant::i2_s::arm_to_x86(w.data + row * n, n, x86.data());
      return;
    }
    x86.resize(4 * n);
    quant::i2_s::rows4_to_x86(w.data + row / 4 * 4 * n, w.cols, x86.data());
    std::memmove(x86.data(), x86.data() + row % 4 * n, n);
  }

  static std::vector<std::byte>& scratch() {
    thread_local std::vector<std::byte> bytes;
    return bytes;
  }

  gguf::File file_;
  CustomLayouts custom_;
  gguf::KeyValues keys_;
  std::vector<SourceTensor> tensors_;
  std::vector<quant::Matrix> matrices_;  // of the tensors, as they lie in the file
  std::vector<Repair> repairs_;
  I2sLayout layout_ = I2sLayout::x86;
  bool is_brought_to_x86_ = false;
  bool are_scales_inverted_ = false;
  std::vector<bool> shrunk_;  // of the tensors; empty: none
};

}  // namespace

std::unique_ptr<Source> open_gguf_source(const std::string& path, const SourceOptions& options,
                                         ThreadPool& pool, std::vector<std::string>& notes) {
  return std::make_unique<GgufSource>(path, options, pool, notes);
}

}  // namespace bitnet::convert
