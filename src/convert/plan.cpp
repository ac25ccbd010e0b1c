#include "convert/plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/half.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/row_reader.h"
#include "convert/scan.h"
#include "convert/target_types.h"
#include "model/custom_layout.h"
#include "model/i2s/layout_choice.h"
#include "quant/file_types.h"

namespace bitnet::convert {
namespace {

using quant::TensorType;

bool has_scales(TensorType type) {
  const quant::CodedType* const coded = quant::info(type).coded;
  return coded != nullptr && coded->scale_at != quant::CodedType::kNoScale;
}

// Codes that stand for -1, 0 and +1 (and +2), or for -1 and +1.
bool has_ternary_codes(TensorType type) {
  const quant::TypeInfo& info = quant::info(type);
  return info.ternary || info.row_scaled != nullptr ||
         (info.coded != nullptr && (info.coded->codebook == quant::Codebook::ternary ||
                                    info.coded->codebook == quant::Codebook::binary));
}

bool is_float(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16;
}

bool is_custom(TensorType type) { return quant::info(type).id == quant::kNoFileId; }

// Whether a type of floats holds rows of this magnitude and zeros, as they are.
bool holds(TensorType type, float value) {
  if (type == TensorType::f32) return true;
  if (type == TensorType::bf16) return bf16_to_f32(f32_to_bf16(value)) == value;
  return f16_to_f32(f32_to_f16(value)) == value;  // itself, or the scale of blocks
}

// What becomes of the factor beside a tensor.
struct FactorPlan {
  bool is_kept = true;  // as the source has it, or none where it has none
  float value = 1;      // otherwise; 1: there is none
};

class Planner {
 public:
  Planner(const Source& source, const PlanOptions& options, ThreadPool& pool, const KeepGoing& keep_going)
      : source_(source), options_(options), pool_(pool), keep_going_(keep_going) {
    is_tied_ = std::ranges::none_of(source.tensors(),
                                    [](const SourceTensor& t) { return t.role == TensorRole::head; });
    if (is_tied_ && options.head && options.embedding && *options.head != *options.embedding) {
      throw UsageError(
          "--head and --embedding ask for different types, but in this model they are one tensor "
          "(token_embd.weight): give one of them");
    }
  }

  Plan make() {
    const std::span<const SourceTensor> tensors = source_.tensors();
    std::vector<TensorPlan> plans(tensors.size());
    std::vector<FactorPlan> factors(tensors.size());  // by the tensor that is multiplied
    std::map<std::size_t, std::size_t> multiplied;    // by the factor's own number
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].factor_tensor) multiplied[*tensors[i].factor_tensor] = i;
      plans[i] = plan(i, factors[i]);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto weight = multiplied.find(i);
      if (weight == multiplied.end()) {
        plan_.tensors.push_back(std::move(plans[i]));
        const FactorPlan& factor = factors[i];
        if (!factor.is_kept && factor.value != 1 && !tensors[i].factor_tensor) add_factor(i, factor.value);
      } else if (const FactorPlan& factor = factors[weight->second]; factor.is_kept) {
        plan_.tensors.push_back(std::move(plans[i]));
      } else if (factor.value != 1) {
        TensorPlan& number = plans[i];
        number.way = Way::factor;
        number.type = TensorType::f32;
        number.factor = factor.value;
        number.is_lossless = true;
        plan_.tensors.push_back(std::move(number));
      }
    }
    plan_.alignment = source_.alignment();
    make_keys();
    check_types();
    return std::move(plan_);
  }

 private:
  TensorType target_of(const SourceTensor& t) const {
    switch (t.role) {
      case TensorRole::layer_matrix:
        // Whoever asks for rounding asks for ternary layers.
        if (!options_.type && options_.absmean && is_float(t.type)) return TensorType::i2_s;
        return options_.type.value_or(t.type);
      case TensorRole::head:
        return options_.head.value_or(t.type);
      case TensorRole::embedding:
        if (!options_.embedding && is_tied_) return options_.head.value_or(t.type);
        return options_.embedding.value_or(t.type);
      case TensorRole::factor:
      case TensorRole::other:
        break;
    }
    return t.type;
  }

  // The engine reads one beside these, and no other.
  bool may_have_factor(const SourceTensor& t) const {
    const bool is_multiplied = t.role == TensorRole::layer_matrix || t.role == TensorRole::head;
    return is_multiplied && t.dims.size() <= 2 && t.name.ends_with(kWeightEnding);
  }

  TensorPlan plan(std::size_t i, FactorPlan& factor) {
    const SourceTensor& t = source_.tensors()[i];
    TensorPlan p{.name = t.name, .source = i, .type = target_of(t), .dims = t.dims};
    p.source_factor = p.factor = t.factor;
    if (!t.is_master && p.type == t.type && !source_.stored(i).empty()) {
      p.is_lossless = true;
      return p;
    }
    // Of a type that is only read, what was put right goes into the one like it that holds ternary values.
    if (!is_ternary_target(p.type) && quant::info(p.type).encode_row == nullptr) p.type = TensorType::q4_0;
    check_blocks(i, p.type);
    if (is_ternary_target(p.type)) {
      plan_codes(t, p, factor);
    } else {
      plan_values(t, p, factor);
    }
    if (!factor.is_kept) p.factor = factor.value;
    return p;
  }

  void check_blocks(std::size_t i, TensorType type) const {
    const quant::TypeInfo& info = quant::info(type);
    const std::uint64_t cols = source_.tensors()[i].cols();
    if (cols % info.block == 0) return;
    const std::string others = ternary_types_for(cols);
    refuse_tensor(source_, i,
                  "rows of " + std::to_string(cols) + " values are not whole blocks of " +
                      std::to_string(info.block) + ", as " + std::string(info.name) + " has them",
                  others.empty() ? "f16, bf16 and f32 take rows of any width"
                                 : "of the ternary types these fit: " + others);
  }

  // Of a source with one scale for the whole tensor.
  std::optional<float> tensor_scale(const SourceTensor& t, const TensorPlan& p) const {
    quant::CodedRow row;
    if (t.type != TensorType::i2_s || t.is_master || !source_.read_coded(p.source, 0, row))
      return std::nullopt;
    return row.scales[0];
  }

  void plan_codes(const SourceTensor& t, TensorPlan& p, FactorPlan& factor) {
    p.way = Way::codes;
    if (t.is_master) return plan_rounded(t, p, factor, /*is_lossless=*/true);
    std::optional<float> common = tensor_scale(t, p);
    const bool wants_one = !has_scales(p.type);
    p.is_lossless = true;
    if (!common && (wants_one || !is_ternary_target(t.type))) {
      const ScaleScan found = scan_scales(source_, p, false, pool_, keep_going_);
      if (!found.is_coded) {
        return round_or_refuse(t, p, factor,
                               "its values are not ternary: the magnitudes of " +
                                   std::to_string(block_to_find(p.type, p.cols())) +
                                   " of a row are not 0 and one other number");
      }
      if (wants_one && !found.common) {
        return round_or_refuse(t, p, factor,
                               std::string(quant::reason_of(quant::CodedFit::differing_scales)));
      }
      common = found.common;
      p.is_lossless = found.common.has_value() || found.are_f16;
    } else if (!common && options_.absmean) {
      const ScaleScan found = scan_scales(source_, p, true, pool_, keep_going_);
      if (found.worst > quant::CodedFit::rounded_scale) {
        return round_or_refuse(t, p, factor, std::string(quant::reason_of(found.worst)));
      }
    }
    if (common) {
      place_scale(t, p, factor, *common);
    } else if (!p.is_lossless) {
      warn(p, "its scales are no 16-bit floats, and are rounded to the nearest");
    }
  }

  // Where one scale for all of a tensor goes in its new type.
  void place_scale(const SourceTensor& t, TensorPlan& p, FactorPlan& factor, float common) {
    const float product = common * t.factor;
    if (!std::isfinite(product)) refuse_tensor(source_, p.source, "its scale is not a finite number");
    const auto fold = [&](float beside) {
      p.row_factor = t.factor;
      p.scale = product;
      factor = {false, beside};
    };
    if (quant::info(p.type).ternary) return fold(1);
    if (has_scales(p.type) ? f16_to_f32(f32_to_f16(common)) == common : common == 1) return;
    if (may_have_factor(t)) return fold(product);
    if (!has_scales(p.type)) {
      refuse_tensor(
          source_, p.source,
          std::string(quant::info(p.type).name) + " has no scales, and this tensor cannot have one beside it",
          "qk256-scales has a scale for each block");
    }
    p.is_lossless = false;
    warn(p, "its scale is no 16-bit float, and is rounded to the nearest");
  }

  void round_or_refuse(const SourceTensor& t, TensorPlan& p, FactorPlan& factor, const std::string& why) {
    if (!options_.absmean) {
      refuse_tensor(source_, p.source,
                    "does not go into " + std::string(quant::info(p.type).name) + " as it is: " + why,
                    advice_for(p));
    }
    warn(p, "is rounded by absmean: " + why);
    plan_rounded(t, p, factor, /*is_lossless=*/false);
  }

  void plan_rounded(const SourceTensor& t, TensorPlan& p, FactorPlan& factor, bool is_lossless) {
    p.way = Way::rounded;
    p.is_lossless = is_lossless;
    p.absmean = scan_absmean(source_, p, pool_, keep_going_);
    place_scale(t, p, factor, p.absmean);
  }

  void plan_values(const SourceTensor& t, TensorPlan& p, FactorPlan& factor) {
    p.way = Way::values;
    const bool is_f32 = p.type == TensorType::f32;
    if (t.is_master) p.absmean = scan_absmean(source_, p, pool_, keep_going_);
    if (!t.is_master && !is_ternary_target(t.type)) {
      p.is_lossless = is_f32;
      return;
    }
    // A code that stands for +2 is another magnitude, of which blocks of their own scales hold one.
    std::optional<float> common = t.is_master ? std::optional(p.absmean) : tensor_scale(t, p);
    const bool is_half = p.type == TensorType::f16 || p.type == TensorType::bf16;
    if (!common && is_half && has_ternary_codes(t.type)) {
      common = scan_scales(source_, p, false, pool_, keep_going_).common;
    }
    if (is_f32 || (common && holds(p.type, *common * t.factor))) {
      p.row_factor = t.factor;
      p.is_lossless = true;
      factor = {false, 1};
    } else if (common && may_have_factor(t)) {
      p.in_units = true;
      p.is_lossless = true;
      factor = {false, *common * t.factor};
    } else if (common) {
      warn(p, "its scale does not fit " + std::string(quant::info(p.type).name) + ", and values are rounded");
    }
  }

  void add_factor(std::size_t weight, float value) {
    const std::string& name = source_.tensors()[weight].name;
    plan_.tensors.push_back(
        {.name = name.substr(0, name.size() - kWeightEnding.size()) + std::string(kFactorEnding),
         .source = weight,
         .way = Way::factor,
         .type = TensorType::f32,
         .dims = {1},
         .factor = value,
         .is_lossless = true});
  }

  std::vector<CustomTensor> custom_tensors() const {
    std::vector<CustomTensor> custom;
    for (const TensorPlan& p : plan_.tensors) {
      if (is_custom(p.type)) custom.push_back({p.name, {p.type, p.cols()}});
    }
    return custom;
  }

  void make_keys() {
    plan_.keys = source_.keys();
    if (options_.type) {
      const auto file_type = file_type_of(*options_.type);
      if (file_type) plan_.keys.set_integer_in_place("general.file_type", *file_type);
    }
    const bool is_same = std::ranges::none_of(plan_.tensors, [&](const TensorPlan& p) {
      return p.way != Way::factor && p.way != Way::copy &&
             (is_custom(p.type) || is_custom(source_.tensors()[p.source].type));
    });
    if (!is_same && !set_custom_layout_keys(custom_tensors(), plan_.keys)) {
      throw UsageError(
          "the tensors would be QK256 of several kinds, of which a file can have one: choose another type");
    }
    const auto n_written = std::ranges::count_if(
        plan_.tensors, [](const TensorPlan& p) { return quant::info(p.type).ternary && p.way != Way::copy; });
    if (n_written == 0) return;
    const bool any_copied = std::ranges::any_of(
        plan_.tensors, [](const TensorPlan& p) { return quant::info(p.type).ternary && p.way == Way::copy; });
    if (source_.has_foreign_i2s() && any_copied) {
      throw UsageError(
          "I2_S tensors that --no-repair leaves in their layout cannot stand beside new ones, which have "
          "that "
          "of x86: leave --no-repair out");
    }
    if (plan_.keys.has(kI2sLayoutKey)) plan_.keys.set(kI2sLayoutKey, name_of(I2sLayout::x86));
  }

  // Some ids stand for several formats, told apart by size.
  void check_types() const {
    for (const TensorPlan& p : plan_.tensors) {
      if (is_custom(p.type) || p.way == Way::copy) continue;
      const std::uint64_t room = (p.n_bytes() + plan_.alignment - 1) / plan_.alignment * plan_.alignment;
      const quant::StoredTensor stored{.id = quant::info(p.type).id,
                                       .rows = p.rows(),
                                       .cols = p.cols(),
                                       .room = room,
                                       .alignment = plan_.alignment};
      const quant::TypeInfo* const read = quant::find_type(stored);
      if (read == nullptr || read->type != p.type) {
        refuse_tensor(source_, p.source,
                      "so few values in " + std::string(quant::info(p.type).name) +
                          " could not be told from another type of the same number",
                      "choose another type");
      }
    }
  }

  void warn(const TensorPlan& p, const std::string& what) {
    plan_.warnings.push_back("tensor " + printable(p.name, kMaxPrintedName) + ": " + what);
  }

  const Source& source_;
  const PlanOptions& options_;
  ThreadPool& pool_;
  const KeepGoing& keep_going_;
  bool is_tied_ = false;
  Plan plan_;
};

}  // namespace

std::uint64_t TensorPlan::rows() const {
  std::uint64_t n = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) n *= dims[i];
  return n;
}

std::uint64_t Plan::n_bytes() const {
  std::uint64_t n = 0;
  for (const TensorPlan& p : tensors) n += p.n_bytes();
  return n;
}

std::string advice_for(const TensorPlan& p) {
  const quant::CodedType* const coded = quant::info(p.type).coded;
  const bool has_zero = coded == nullptr || coded->codebook == quant::Codebook::ternary;
  if (p.way == Way::rounded || !has_zero) return "choose another type";
  return "choose another type, or pass --quantize absmean to round it to one scale a tensor";
}

void refuse_tensor(const Source& source, std::size_t tensor, const std::string& what,
                   const std::string& hint) {
  const SourceTensor& t = source.tensors()[tensor];
  throw ModelError(printable(source.name(), kMaxPrintedPath),
                   "tensor " + printable(t.name, kMaxPrintedName) + " (" + t.origin + "): " + what, hint);
}

Plan make_plan(const Source& source, const PlanOptions& options, ThreadPool& pool,
               const KeepGoing& keep_going) {
  return Planner(source, options, pool, keep_going).make();
}

}  // namespace bitnet::convert
