#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "model/inspect/inspection_findings.h"
#include "model/inspect/known_defects.h"

namespace bitnet {
namespace {

using enum FindingLevel;

// Trained ternary weights are a fifth to two thirds zeros; these are far outside.
constexpr double kFewestZeros = 0.05;
constexpr double kMostZeros = 0.95;
constexpr double kMostImbalance = 0.1;
constexpr float kLargestNorm = 1e4F;
constexpr std::size_t kMostTypes = 8;  // reported one by one

std::string fixed(double value, int digits) {
  std::string text(64, '\0');
  const int n = std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  text.resize(static_cast<std::size_t>(std::max(n, 0)));
  return text;
}

std::string percent(double share) {
  std::string text(32, '\0');
  const int n = std::snprintf(text.data(), text.size(), "%.1f %%", 100 * share);
  text.resize(static_cast<std::size_t>(std::max(n, 0)));
  return text;
}

// Least and greatest of something, and the tensors that have them.
struct Extremes {
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();
  std::string least_name;
  std::string greatest_name;

  void add(double value, const std::string& name) {
    if (value < least) {
      least = value;
      least_name = name;
    }
    if (value > greatest) {
      greatest = value;
      greatest_name = name;
    }
  }
  bool empty() const { return least > greatest; }
};

std::string in_tensors(std::size_t n, const std::string& first) {
  return n == 1 ? "in tensor " + first : "in " + std::to_string(n) + " tensors, the first " + first;
}

void add_codes(Inspection& out) {
  std::size_t n_tensors = 0;
  std::uint64_t n_codes = 0;
  std::string first;
  for (const TensorSummary& t : out.tensors) {
    if (t.codes.invalid == 0) continue;
    if (n_tensors++ == 0) first = t.name;
    n_codes += t.codes.invalid;
  }
  if (n_tensors == 0) {
    out.add(ok, "codes", "the code 3 occurs nowhere", "every 2-bit code stands for -1, 0 or +1");
    return;
  }
  out.add(
      error, "codes",
      "the code 3 occurs " + (n_codes == 1 ? "once " : std::to_string(n_codes) + " times ") +
          in_tensors(n_tensors, first),
      "the code 3 stands for nothing in I2_S: the tensors are damaged, or hold another format; the engine "
      "refuses the file",
      "download it again and compare its checksum, or convert the original weights again");
}

// What a layout is, for people.
std::string description_of(I2sLayout layout) {
  switch (layout) {
    case I2sLayout::x86:
      return "groups of 128 codes, as Microsoft's tools write them on x86";
    case I2sLayout::arm:
      return "groups of 64 codes, as Microsoft's tools write them on ARM";
    case I2sLayout::rows4:
      break;
  }
  return "four rows together, as Microsoft's tools write them on x86 when built without ACT_PARALLEL";
}

std::string copies_text(const I2sInfo& info) {
  if (info.copied_bytes == 0) return "which the engine reads where they lie";
  const double mib = static_cast<double>(info.copied_bytes) / (1 << 20);
  return "which the engine copies to the layout of x86 whenever it loads the file: " + fixed(mib, 4) +
         " MiB more memory";
}

// How the layout is told, and with what result. layout_judge.h has the whole of it.
void add_layout(Inspection& out) {
  constexpr const char* kHow =
      "training leaves more zeros in a matrix's columns that stand behind small norm weights; read in the "
      "wrong layout the columns are mixed up and that is lost; ";
  const LayoutJudge& judge = out.layout;
  const std::optional<I2sLayout> verdict = judge.verdict();
  const std::string evidence = " (" + judge.text() + ")";
  // Of a file that is refused nobody knows what its key says.
  const I2sLayout taken = out.i2s && out.i2s->layout ? *out.i2s->layout : verdict.value_or(I2sLayout::x86);
  if (verdict && *verdict != taken) {
    out.add(error, "layout",
            "I2_S in the layout " + std::string(name_of(*verdict)) + evidence + ", and read as " +
                std::string(name_of(taken)) + ": " + out.i2s->reason,
            std::string(kHow) + "here it shows in " + description_of(*verdict) +
                "; the engine would load the file and write fluent nonsense",
            "pass --i2s-layout " + std::string(name_of(*verdict)));
  } else if (verdict) {
    const std::string copies = out.i2s ? ", " + copies_text(*out.i2s) : "";
    out.add(taken == I2sLayout::x86 ? ok : note, "layout",
            "I2_S in the layout " + std::string(name_of(*verdict)) + evidence,
            std::string(kHow) + "here it shows in " + description_of(*verdict) + copies);
  } else if (out.i2s && out.i2s->certainty != Certainty::assumed) {
    out.add(ok, "layout",
            "I2_S in the layout " + std::string(name_of(taken)) + ": " + out.i2s->reason + evidence,
            description_of(taken) + ", " + copies_text(*out.i2s) +
                "; the weights themselves show no layout, as random ones don't");
  } else {
    out.add(note, "layout", "cannot tell which layout I2_S has: x86, arm or rows4" + evidence,
            "nothing in a header says it, and these weights show no relation between norms and columns, as "
            "random ones don't; the engine reads the layout of x86",
            "if the text is nonsense, try --i2s-layout arm and --i2s-layout rows4");
  }
}

void add_rates(Inspection& out) {
  Extremes zeros;
  Extremes imbalance;
  for (const TensorSummary& t : out.tensors) {
    if (t.zero_rate) zeros.add(*t.zero_rate, t.name);
    const auto plus = static_cast<double>(t.codes.plus);
    const auto minus = static_cast<double>(t.codes.minus);
    if (plus + minus > 0) imbalance.add(std::fabs(plus - minus) / (plus + minus), t.name);
  }
  if (zeros.empty()) return;
  const std::string range = percent(zeros.least) + " (" + zeros.least_name + ") to " +
                            percent(zeros.greatest) + " (" + zeros.greatest_name + ")";
  if (zeros.least < kFewestZeros || zeros.greatest > kMostZeros) {
    out.add(warning, "zero rate", range + " of the weights are 0",
            "trained ternary weights are some 20 to 65 % zeros; a tensor that is nearly all or never zero "
            "was not trained or not converted as such",
            "compare with the original weights");
  } else {
    out.add(ok, "zero rate", range + " of the weights are 0",
            "in the range of trained ternary weights, and of random ones too");
  }
  if (imbalance.empty()) return;
  const std::string most = "+1 and -1 differ in number by at most " + percent(imbalance.greatest) + " (" +
                           imbalance.greatest_name + ")";
  if (imbalance.greatest > kMostImbalance) {
    out.add(warning, "balance", most,
            "trained weights have about as many of each; the codes' values may be mixed up",
            "compare with the original weights");
  } else {
    out.add(ok, "balance", most, "trained weights have about as many of each");
  }
}

void add_inverse_scales(Inspection& out, const gguf::File& file) {
  std::vector<float> scales;
  for (const TensorSummary& t : out.tensors) {
    if (t.scale) scales.push_back(*t.scale);
  }
  const auto judged = judge_scales(file, scales);
  if (!judged) return;
  const std::string what = std::to_string(judged->n_below_1) + " of " + std::to_string(judged->n) +
                           " scales are below 1, and the median is " + fixed(judged->median, 3);
  constexpr const char* kKnown = "the shape is that of BitNet-b1.58-2B-4T, whose scales are about 1 to 2; ";
  switch (judged->verdict) {
    case ScaleJudgement::Verdict::inverse:
      out.add(
          warning, "inverse scales",
          what + ": they look like the inverse of the right ones (the median's is " +
              fixed(1 / judged->median, 3) + ")",
          std::string(kKnown) +
              "converters that divide by weight_scale where this model multiplies write the inverse; by the "
              "scales alone that is likely, not sure; the engine computes with them as they stand",
          "take the publisher's own GGUF file, or let bitnet convert invert them back");
      break;
    case ScaleJudgement::Verdict::right:
      out.add(ok, "inverse scales", what, std::string(kKnown) + "these are not their inverse");
      break;
    case ScaleJudgement::Verdict::neither:
      out.add(note, "inverse scales", what,
              std::string(kKnown) + "these are neither such nor their inverse: another model, or fine-tuned");
      break;
  }
}

void add_shrunk(Inspection& out) {
  std::size_t n_tensors = 0;
  std::uint64_t n_values = 0;
  const TensorSummary* first = nullptr;
  for (const TensorSummary& t : out.tensors) {
    if (t.n_shrunk == 0) continue;
    if (n_tensors++ == 0) first = &t;
    n_values += t.n_shrunk;
  }
  if (first == nullptr) return;
  out.add(
      warning, "rounded",
      std::to_string(n_values) + " values " + in_tensors(n_tensors, first->name) + ": ternary ones in " +
          first->type + ", of which one sign is too small",
      "llama.cpp's Q4_0 and Q5_0 reach one step less far to the one side than to the other: of -1 and +1 "
      "the one that comes first in a block of 32 is kept, the other becomes 7/8 (in Q5_0 15/16) of what it "
      "was; the engine computes with the values as they stand",
      "let bitnet convert give them back what they were, or take the publisher's own file");
}

void add_scales(Inspection& out) {
  Extremes scales;
  for (const TensorSummary& t : out.tensors) {
    if (!t.scale) continue;
    if (!std::isfinite(*t.scale)) {
      out.add(error, "scales", "the scale of " + t.name + " is not a finite number",
              "every product of this tensor would be lost; the engine refuses the file", "download it again");
      return;
    }
    scales.add(static_cast<double>(*t.scale), t.name);
  }
  if (scales.empty()) return;
  const std::string range = fixed(scales.least, 4) + " (" + scales.least_name + ") to " +
                            fixed(scales.greatest, 4) + " (" + scales.greatest_name + ")";
  if (scales.least <= 0) {
    out.add(warning, "scales", range,
            "a scale of 0 or less takes a tensor out of the model or turns it around; the engine computes "
            "with it as it stands",
            "the converter may have lost the scales: convert again");
  } else {
    out.add(ok, "scales", range, "one for each ternary tensor; finite and positive");
  }
}

// Values that are no finite numbers, in norms or in other tensors.
struct NotFinite {
  std::uint64_t n_values = 0;
  std::size_t n_tensors = 0;
  std::string first;

  void add(const TensorSummary& t) {
    if (n_tensors++ == 0) first = t.name;
    n_values += t.range->n_not_finite;
  }
  void report(Inspection& out, const char* topic, const char* engine) const {
    if (n_tensors == 0) return;
    out.add(error, topic,
            std::to_string(n_values) + (n_values == 1 ? " value is" : " values are") + " NaN or infinite " +
                in_tensors(n_tensors, first),
            std::string("they would spread to every logit; ") + engine, "download the file again");
  }
};

bool is_norm(const TensorSummary& t) { return t.name.ends_with("norm.weight"); }

void add_floats(Inspection& out) {
  Extremes norms;
  NotFinite bad_norms;
  NotFinite bad_others;
  std::size_t n_norms = 0;
  std::uint64_t n_zero = 0;
  for (const TensorSummary& t : out.tensors) {
    if (!t.range) continue;
    if (t.range->n_not_finite > 0) {
      (is_norm(t) ? bad_norms : bad_others).add(t);
    } else if (is_norm(t)) {
      ++n_norms;
      n_zero += t.range->n_zero;
      norms.add(static_cast<double>(t.range->min), t.name);
      norms.add(static_cast<double>(t.range->max), t.name);
    }
  }
  bad_norms.report(out, "norms", "the engine refuses the file");
  // The scales of blocks are looked at when a file is loaded, each value of F16 and its like is not.
  bad_others.report(
      out, "values",
      out.refusal ? "the engine refuses the file" : "the engine stops where the output is not finite");
  if (n_norms == 0) return;
  const std::string range = std::to_string(n_norms) + " with weights from " + fixed(norms.least, 4) + " (" +
                            norms.least_name + ") to " + fixed(norms.greatest, 4) + " (" +
                            norms.greatest_name + ")";
  const bool is_odd = n_zero > 0 || norms.least < -kLargestNorm || norms.greatest > kLargestNorm;
  out.add(is_odd ? warning : ok, "norms",
          range + (n_zero > 0 ? ", " + std::to_string(n_zero) + " of them 0" : ""),
          is_odd ? "weights of 0 switch elements off, very large ones drown the others; the engine computes "
                   "with them as they stand"
                 : "finite; small ones are normal for these models",
          is_odd ? "compare with the original weights" : "");
}

void add_unread_types(Inspection& out) {
  std::map<std::pair<std::uint32_t, std::string>, std::pair<std::size_t, const TensorSummary*>> unread;
  for (const TensorSummary& t : out.tensors) {
    if (t.unread.empty()) continue;
    auto& [n, first] = unread[{t.type_id, t.type}];  // how many of the type, and the first
    if (n++ == 0) first = &t;
  }
  std::size_t n_reported = 0;
  for (const auto& [n, first] : std::views::values(unread)) {
    if (n_reported++ == kMostTypes) break;
    out.add(error, "types", in_tensors(n, first->name) + ": " + first->unread,
            "the engine refuses the file rather than guess what the bytes mean",
            "convert the model, or take a file in I2_S with an F16 embedding");
  }
}

void add_head(Inspection& out, const gguf::File& file) {
  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  const gguf::Tensor* output = file.find_tensor("output.weight");
  const gguf::Tensor* head = output != nullptr ? output : embedding;
  if (head == nullptr) return;
  std::string type;
  std::uint64_t others = 0;
  std::uint64_t bytes = 0;
  for (const TensorSummary& t : out.tensors) {
    if (t.name == head->name) {
      type = t.type;
      bytes = t.bytes;
    } else if (t.name != "token_embd.weight") {
      others += t.bytes;
    }
  }
  if (bytes == 0) return;
  const std::string share = percent(static_cast<double>(bytes) / static_cast<double>(bytes + others));
  out.add(note, "head",
          (output != nullptr ? "a head of its own, " : "the embedding serves as the head too (tied), ") +
              type + ", " + share + " of the weights' bytes",
          "decoding a token reads all layers once, and at most the whole head: that is its greatest share of "
          "the time");
}

void add_scale_tensors(Inspection& out) {
  const auto n =
      std::ranges::count_if(out.tensors, [](const TensorSummary& t) { return t.name.ends_with(".scale"); });
  if (n == 0) return;
  out.add(note, "scales", std::to_string(n) + " tensors named *.scale",
          "some converters store a factor beside a matrix; the engine multiplies it into the product");
}

void add_file_type(Inspection& out, const gguf::File& file) {
  constexpr std::uint64_t kI2sFile = 40;
  const auto value = file.find("general.file_type");
  const std::uint64_t type = value ? value->as_uint().value_or(kI2sFile) : kI2sFile;
  const bool has_i2s =
      std::ranges::any_of(out.tensors, [](const TensorSummary& t) { return t.scale.has_value(); });
  if (type == kI2sFile || !has_i2s) return;
  out.add(note, "file type", "general.file_type is " + std::to_string(type) + ", not 40 (I2_S)",
          "other tools may show a wrong name for it; the engine goes by each tensor's own type");
}

}  // namespace

void add_tensor_findings(Inspection& out, const gguf::File& file) {
  add_unread_types(out);
  const bool has_i2s =
      std::ranges::any_of(out.tensors, [](const TensorSummary& t) { return t.codes.total() > 0; });
  if (has_i2s) {
    add_codes(out);
    add_layout(out);
  } else if (std::ranges::none_of(out.tensors, &TensorSummary::has_codes)) {
    out.add(warning, "ternary", "no ternary tensor that could be read",
            "this engine is made for ternary models; matrices of floats are multiplied as they are, slowly");
  }
  add_rates(out);
  add_scales(out);
  add_inverse_scales(out, file);
  add_shrunk(out);
  add_floats(out);
  add_scale_tensors(out);
  add_head(out, file);
  add_file_type(out, file);
}

}  // namespace bitnet
