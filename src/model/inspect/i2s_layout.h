// Tells which machine's build of the tool wrote an I2_S file. The header doesn't say; read the wrong way, a
// model is fluent in nonsense.
//
// The layouts order the elements inside each stretch of 128 of a row differently, every row alike. So nothing
// that looks at ternary matrices alone can tell them apart: a wrong reading only renames columns. What is not
// renamed are the norms, which are plain floats. The norm before a product scales its input, element by
// element; in a trained model its weight for an element and the share of non-zero values in the matrix's
// column for that element go together, for both say how much that element matters. Read the right way they
// correlate, read the wrong way that is lost.
//
// For each pair of a norm and a matrix behind it: the rank correlation r of the two over all columns, the
// mean of each stretch of 128 taken off (it is the same under both layouts). Without any relation (n - 1) r^2
// has mean 1, so the sum over all pairs is about their number, with deviation sqrt(2 * number).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet {

enum class I2sLayout : std::uint8_t {
  x86,  // groups of 128 elements in 32 bytes: element j in byte j % 32, bits 6 - 2 * (j / 32)
  arm,  // groups of 64 elements in 16 bytes: element j in byte j % 16, bits 6 - 2 * (j / 16)
};

enum class LayoutVerdict : std::uint8_t { x86, arm, unknown };

class LayoutJudge {
 public:
  // One matrix and the norm of its input. nonzero_at: CodeCounts of the matrix. cols: a multiple of 128.
  void add(std::span<const std::uint32_t> nonzero_at, std::span<const float> norm);

  std::size_t n_pairs() const { return n_pairs_; }
  // Sum of (n - 1) r^2 under a layout; n_pairs() if nothing speaks for it.
  double evidence(I2sLayout layout) const { return evidence_[static_cast<std::size_t>(layout)]; }
  // Only what is far beyond chance, and at least twice what speaks for the other layout, decides.
  LayoutVerdict verdict() const;

 private:
  std::size_t n_pairs_ = 0;
  std::array<double, 2> evidence_{};
};

}  // namespace bitnet
