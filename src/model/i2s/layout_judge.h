// Tells in which of three layouts an I2_S file was written (quant/i2_s_layouts.h). The header doesn't say;
// read the wrong way, a model is fluent in nonsense.
//
// The layouts put the elements of a row, or of four rows, in a different order, the same for every row. So a
// wrong reading of a matrix mixes up its columns, and nothing in the matrix alone shows that x86 was taken
// for ARM: columns have no order of their own. What is not mixed up are the norms, which are plain floats.
// The norm before a product scales its input, element by element; in a trained model its weight for an
// element and the share of zeros in the matrix's column for that element go together, for both say how much
// that element matters. Read the right way they correlate, read the wrong way that is lost.
//
// For each pair of a norm and a matrix behind it: the rank correlation r of the two over all columns, the
// mean of each stretch of 128 taken off (x86 and ARM differ inside these alone). Without any relation
// (n - 1) r^2 has mean 1, so the sum over all pairs is about their number, with deviation sqrt(2 * number).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bitnet/model.h"
#include "model/i2s/place_counts.h"

namespace bitnet {

inline constexpr std::array kI2sLayouts{I2sLayout::x86, I2sLayout::arm, I2sLayout::rows4};
std::string_view name_of(I2sLayout layout);                       // "x86", "arm", "rows4"
std::optional<I2sLayout> find_i2s_layout(std::string_view name);  // none for any other
std::string i2s_layout_names();                                   // "x86, arm, rows4"

// What speaks for each layout in one matrix and the norm of its input, as kI2sLayouts lists them.
using LayoutEvidence = std::array<double, kI2sLayouts.size()>;
// nullopt where one of the two is the same everywhere, or not finite, and tells nothing. counts.cols(): a
// multiple of 128, and the norm's size.
std::optional<LayoutEvidence> layout_evidence(const PlaceCounts& counts, std::span<const float> norm);

class LayoutJudge {
 public:
  void add(const LayoutEvidence& pair);

  std::size_t n_pairs() const { return n_pairs_; }
  // Sum of (n - 1) r^2 under a layout; about n_pairs() if nothing speaks for it.
  double evidence(I2sLayout layout) const { return evidence_[static_cast<std::size_t>(layout)]; }
  // Only what is far beyond chance, and at least twice what speaks for any other layout, decides; nullopt:
  // nothing does.
  std::optional<I2sLayout> verdict() const;
  // For people: the evidence in figures.
  std::string text() const;

 private:
  std::size_t n_pairs_ = 0;
  LayoutEvidence evidence_{};
};

}  // namespace bitnet
