// What searches in the head's screen begin with, by what the last ones left: that is no matter of what they
// find, but of what they read for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet {

class SearchPace {
 public:
  // begins_with_all: whether several searches together may begin with all bits of every row.
  explicit SearchPace(bool begins_with_all) : begins_with_all_(begins_with_all) {}

  // Whether a search for n_best rows is left out, to be asked once for each.
  bool leaves_out(std::size_t n_best);
  // Planes of single bits that n searches together do best to read of every row, beside the upper plane,
  // where all are there.
  std::size_t n_bits(std::size_t n) const;
  // Whether five bits leave so many rows, time after time, that the two last ones ought to be there.
  bool wants_all_bits() const;

  // A search left this part of the rows by the upper plane, or would have if it had begun with it.
  void note_left_by_upper(double part);
  // Searches for which there were no more, together, left this part by five bits.
  void note_left_by_five(double part);
  // A search for n_best rows left so many that computing all is faster.
  void note_too_many(std::size_t n_best);

 private:
  bool may_begin_with_all(std::size_t n) const;

  bool begins_with_all_;
  double left_by_upper_ = 0;       // part of the rows, an average of the last searches
  std::uint32_t n_left_many_ = 0;  // times that five bits left many rows, less those that they left few
  std::uint32_t n_left_out_ = 0;   // so many searches that ask for at least left_out_from_ rows are left out
  std::size_t left_out_from_ = 0;
};

}  // namespace bitnet
