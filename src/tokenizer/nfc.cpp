#include "tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "bitnet/error.h"
#include "tokenizer/range_table.h"
#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

enum class Nfc : std::uint8_t {
  stays,    // begins something new, of which it may become a part
  changes,  // begins something new as well, and is written otherwise
  joins,    // what stands before it, maybe: by composition or by the order of marks
  unknown,  // to Unicode 9
};
using enum Nfc;

constexpr CodePointRange<Nfc> kNfcRanges[] = {
#include "tokenizer/nfc_ranges.inc"
};
constexpr RangeTable kNfc(kNfcRanges);

static_assert(kNfcRanges[0].value == stays && kNfcRanges[1].first >= 0x80, "ASCII needs no look");

constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);

utf8proc_ssize_t checked(utf8proc_ssize_t result) {
  if (result < 0) throw RuntimeError(std::string("normalization: ") + utf8proc_errmsg(result));
  return result;
}

std::uint8_t combining_class(utf8proc_int32_t c) {
  return static_cast<std::uint8_t>(utf8proc_get_property(c)->combining_class);
}

// By the combining classes, within every run of marks. The library would do it too, in time that grows with
// the square of a run.
void order_canonically(std::vector<utf8proc_int32_t>& characters) {
  const auto is_starter = [](utf8proc_int32_t c) { return combining_class(c) == 0; };
  for (auto at = characters.begin(); at != characters.end();) {
    at = std::find_if_not(at, characters.end(), is_starter);
    const auto end = std::find_if(at, characters.end(), is_starter);
    std::ranges::stable_sort(at, end, {}, combining_class);
    at = end;
  }
}

// `text` is well-formed. The buffers are reused.
class Normalizer {
 public:
  std::string_view normalize(std::string_view text) {
    characters_.clear();
    while (!text.empty()) {
      const Utf8Unit unit = decode_utf8(text);
      text.remove_prefix(unit.length);
      decompose(static_cast<utf8proc_int32_t>(unit.code_point));
    }
    order_canonically(characters_);
    const auto length = checked(utf8proc_normalize_utf32(
        characters_.data(), static_cast<utf8proc_ssize_t>(characters_.size()), kOptions));
    text_.clear();
    for (utf8proc_ssize_t i = 0; i < length; ++i) {
      std::array<utf8proc_uint8_t, 4> bytes{};
      const auto size = utf8proc_encode_char(characters_[static_cast<std::size_t>(i)], bytes.data());
      text_.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
    }
    return text_;
  }

 private:
  void decompose(utf8proc_int32_t c) {
    std::array<utf8proc_int32_t, 16> parts{};  // there are 4 at most
    int boundary = 0;
    const auto count = static_cast<std::size_t>(
        checked(utf8proc_decompose_char(c, parts.data(), parts.size(), kOptions, &boundary)));
    characters_.insert(characters_.end(), parts.begin(), parts.begin() + std::min(count, parts.size()));
  }

  std::vector<utf8proc_int32_t> characters_;
  std::string text_;
};

}  // namespace

NfcText::NfcText(std::string_view original) : original_(original) {
  Normalizer normalizer;
  // What is normalized at a time: a character that something new begins with, and those that join it.
  std::size_t begin = 0;
  bool may_differ = false;
  const auto close = [&](std::size_t end) {
    if (!may_differ) return;
    may_differ = false;
    const std::string_view part = original_.substr(begin, end - begin);
    if (const std::string_view with = normalizer.normalize(part); with != part) replace(begin, end, with);
  };
  for (std::size_t at = 0; at < original_.size();) {
    if (static_cast<unsigned char>(original_[at]) < 0x80) {
      close(at);
      begin = at++;
      continue;
    }
    const Utf8Unit unit = decode_utf8(original_.substr(at));
    const Nfc kind = unit.kind == Utf8Unit::Kind::character ? kNfc[unit.code_point] : unknown;
    if (kind == joins) {
      may_differ = true;
    } else {
      close(at);
      begin = kind == unknown ? at + unit.length : at;
      may_differ = kind == changes;
    }
    at += unit.length;
  }
  close(original_.size());
  if (!edits_.empty()) normalized_.append(original_.substr(copied_));
}

void NfcText::replace(std::size_t begin, std::size_t end, std::string_view with) {
  normalized_.append(original_.substr(copied_, begin - copied_));
  edits_.push_back({normalized_.size(), normalized_.size() + with.size(), end});
  normalized_.append(with);
  copied_ = end;
}

std::size_t NfcText::original_offset(std::size_t at) const {
  const auto after = std::ranges::partition_point(edits_, [&](const Edit& edit) { return edit.begin < at; });
  if (after == edits_.begin()) return at;
  const Edit& edit = *(after - 1);
  return at < edit.end ? edit.original_end : edit.original_end + (at - edit.end);
}

}  // namespace bitnet
