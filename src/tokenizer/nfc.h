// Unicode's normal form C, to which Hugging Face's tokenizers bring the texts of some families.
//
// They do it by Unicode 9, and so does this, whatever version the library that does the work knows:
// characters that came later stay as they are and have no part in what stands beside them. Among characters
// that Unicode 9 has, all later versions agree.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

class NfcText {
 public:
  // `original` must outlive this. Bytes that are not UTF-8 stay as they are. Throws RuntimeError if the
  // library fails.
  explicit NfcText(std::string_view original);

  std::string_view text() const { return edits_.empty() ? original_ : std::string_view(normalized_); }

  // Where in the original a place in the text, from 0 to its size, is. A place within what replaced something
  // is behind what it replaced.
  std::size_t original_offset(std::size_t at) const;

 private:
  // text[begin, end) has replaced what ends in the original at original_end.
  struct Edit {
    std::size_t begin;
    std::size_t end;
    std::size_t original_end;
  };

  void replace(std::size_t begin, std::size_t end, std::string_view with);

  std::string_view original_;
  std::string normalized_;
  std::size_t copied_ = 0;  // of the original, into normalized_
  std::vector<Edit> edits_;
};

}  // namespace bitnet
