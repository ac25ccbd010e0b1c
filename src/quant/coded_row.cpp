#include "quant/coded_row.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "quant/i2_s.h"

namespace bitnet::quant {
namespace {

constexpr std::size_t kPerWord = 16;
constexpr std::uint32_t kLowBits = 0x55555555;
constexpr std::uint32_t kTernaryZeros = 0x55555555;  // the code 1, sixteen times
constexpr std::uint16_t kOne = 0x3C00;               // as f16

const CodedType* find_coded_type(TensorType type) {
  return type == TensorType::i2_s ? &i2_s::kGroups : info(type).coded;
}

// The low bit of each code of a word that is this one.
std::uint32_t places_of(unsigned code, std::uint32_t word) {
  const std::uint32_t high = (code & 2U) != 0 ? word >> 1 : ~(word >> 1);
  const std::uint32_t low = (code & 1U) != 0 ? word : ~word;
  return high & low & kLowBits;
}

// Whether all codes are among those whose bits are set.
bool are_among(unsigned known, std::span<const std::uint32_t> words) {
  for (unsigned code = 0; code < 4; ++code) {
    if ((known >> code & 1U) != 0) continue;
    std::uint32_t places = 0;
    for (const std::uint32_t word : words) places |= places_of(code, word);
    if (places != 0) return false;
  }
  return true;
}

// Sixteen codes of one bit as those of ternary, -1 and +1.
std::uint32_t ternary_of_bits(std::uint32_t bits) {
  bits = (bits | bits << 8) & 0x00FF00FF;
  bits = (bits | bits << 4) & 0x0F0F0F0F;
  bits = (bits | bits << 2) & 0x33333333;
  return ((bits | bits << 1) & 0x55555555) << 1;
}

std::uint32_t bits_of_ternary(std::uint32_t word) {
  word = word >> 1 & 0x55555555;
  word = (word | word >> 1) & 0x33333333;
  word = (word | word >> 2) & 0x0F0F0F0F;
  word = (word | word >> 4) & 0x00FF00FF;
  return (word | word >> 8) & 0x0000FFFF;
}

// Whether the magnitudes of all values are 0 or the scale.
bool have_magnitude(std::span<const float> values, float scale) {
  const auto wanted = std::bit_cast<std::uint32_t>(scale);
  std::uint32_t others = 0;
  for (const float v : values) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(v) & 0x7FFFFFFF;
    others |= magnitude != wanted ? magnitude : 0;
  }
  return others == 0;
}

// -1, 0 and +1 by the signs of up to sixteen values.
std::uint32_t codes_of_signs(std::span<const float> values) {
  std::uint32_t codes = 0;
  for (std::size_t j = 0; j < values.size(); ++j) {
    const auto bits = std::bit_cast<std::uint32_t>(values[j]);
    const std::uint32_t is_zero = bits << 1 == 0 ? 1 : 0;
    codes |= (is_zero | (~bits >> 31 & ~is_zero) << 1) << (2 * j);
  }
  return codes;
}

void read_block(const CodedType& type, const std::byte* block, std::uint32_t* words) {
  if (type.codebook != Codebook::binary) return type.read_codes(block, words);
  std::array<std::uint32_t, kMaxCodeWords / 2> bits;
  type.read_codes(block, bits.data());
  for (std::size_t i = 0; i < type.block / kPerWord; ++i) {
    words[i] = ternary_of_bits(bits[i / 2] >> (16 * (i % 2)) & 0xFFFF);
  }
}

// The codes that a type has for those of a row's codebook.
struct Recoding {
  unsigned known = 0;                  // bit c: there is one for code c
  std::array<std::uint8_t, 4> code{};  // which
  bool changes = false;

  std::uint32_t operator()(std::uint32_t word) const {
    if (!changes) return word;
    std::uint32_t recoded = 0;
    for (unsigned c = 0; c < code.size(); ++c) recoded |= places_of(c, word) * code[c];
    return recoded;
  }
};

Recoding recoding_of(Codebook from, const CodedType& type) {
  if (type.codebook == Codebook::binary) {
    return from == Codebook::ternary ? Recoding{0b101, {0, 1, 2, 3}, false} : Recoding{};
  }
  Recoding recoding;
  const auto values = numerators_of(from);
  const auto to_values = numerators_of(type.codebook);
  const float denominator = denominator_of(from);
  const float to_denominator = denominator_of(type.codebook);
  for (unsigned c = 0; c < values.size(); ++c) {
    for (unsigned to = 0; to < type.n_codes; ++to) {
      if (static_cast<float>(values[c]) * to_denominator != static_cast<float>(to_values[to]) * denominator) {
        continue;
      }
      recoding.known |= 1U << c;
      recoding.code[c] = static_cast<std::uint8_t>(to);
      recoding.changes |= to != c;
    }
  }
  return recoding;
}

// Whether all that the codes can stand for is the same with `want` as with a block's scale d.
bool same_products(Codebook codebook, float d, float scale, float want) {
  const float denominator = denominator_of(codebook);
  return std::ranges::all_of(numerators_of(codebook), [&](std::int8_t numerator) {
    const float value = static_cast<float>(numerator) / denominator;
    return value * d * scale == value * want;
  });
}

// words: of whole words of codes.
bool is_zero(Codebook codebook, std::span<const std::uint32_t> words, float scale) {
  if (scale == 0) return true;
  return codebook == Codebook::ternary && std::isfinite(scale) &&
         std::ranges::all_of(words, [](std::uint32_t word) { return word == kTernaryZeros; });
}

struct StoredScale {
  std::uint16_t d = 0;  // f16
  CodedFit fit = CodedFit::exact;
};

class RowWriter {
 public:
  RowWriter(const CodedRow& row, const CodedType& type, float scale)
      : row_(row),
        type_(type),
        scale_(scale),
        recoding_(recoding_of(row.codebook, type)),
        knows_all_(knows_all({row.words.data(), row.cols / kPerWord})) {}

  CodedFit write(std::byte* out) {
    CodedFit worst = CodedFit::exact;
    for (std::size_t begin = 0; begin < row_.cols; begin += type_.block, out += type_.block_bytes) {
      worst = std::max(worst, write_block(begin, out));
      if (worst > CodedFit::rounded_scale) return worst;
    }
    return worst;
  }

 private:
  // What of one block of the row lies in one of the type.
  struct Part {
    std::span<std::uint32_t> words;
    float scale;
    bool is_zero;  // all its values are
  };
  static constexpr std::size_t kMostParts = kMaxCodedBlock / 32;

  bool has_scales() const { return type_.scale_at != CodedType::kNoScale; }

  bool knows_all(std::span<const std::uint32_t> words) const { return are_among(recoding_.known, words); }

  // A scale as blocks of the type hold it.
  StoredScale stored_scale(float want) {
    if (!last_want_ || *last_want_ != want) {
      last_stored_ = has_scales() ? rounded_scale(want)
                     : same_products(row_.codebook, 1.0F, scale_, want)
                         ? StoredScale{kOne, CodedFit::exact}
                         : StoredScale{0, CodedFit::differing_scales};
      last_want_ = want;
    }
    return last_stored_;
  }

  StoredScale rounded_scale(float want) const {
    const std::uint16_t d = f32_to_f16(want / scale_);
    const float value = f16_to_f32(d);
    if (!std::isfinite(want) || !std::isfinite(value) || (value * scale_ == 0) != (want == 0)) {
      return {0, CodedFit::scale_out_of_range};
    }
    const bool is_exact = same_products(row_.codebook, value, scale_, want);
    return {d, is_exact ? CodedFit::exact : CodedFit::rounded_scale};
  }

  CodedFit write_block(std::size_t begin, std::byte* out) {
    const std::size_t n = std::min(type_.block, row_.cols - begin);
    // Rows with one scale are what most conversions write: they do without the divisions.
    const bool has_one = row_.block >= row_.cols;
    const std::size_t first = has_one ? 0 : begin / row_.block;
    const std::size_t last = has_one ? 0 : (begin + n - 1) / row_.block;
    const float scale = row_.scales[first];
    bool fits = knows_all_;
    for (std::size_t i = first + 1; i <= last; ++i) fits &= row_.scales[i] == scale;
    if (fits) {
      const StoredScale stored = stored_scale(scale);
      if (stored.fit == CodedFit::exact) {
        put(row_.words.data() + begin / kPerWord, n / kPerWord, stored.d, out);
        return CodedFit::exact;
      }
    }
    return write_mixed_block(begin, n, out);
  }

  // A block with parts that differ, or that does not fit as it is. Parts that are zero fit to any.
  CodedFit write_mixed_block(std::size_t begin, std::size_t n, std::byte* out) {
    const std::size_t n_words = n / kPerWord;
    std::array<std::uint32_t, kMaxCodeWords> words{};
    std::copy_n(row_.words.data() + begin / kPerWord, n_words, words.data());
    std::array<Part, kMostParts> room;
    const std::span<Part> parts = parts_of(begin, n, words.data(), room);
    const auto other = std::ranges::find(parts, false, &Part::is_zero);
    const bool is_zero = other == parts.end();
    const float want = is_zero ? parts.front().scale : other->scale;
    if (!std::isfinite(want)) return CodedFit::scale_out_of_range;
    const bool has_zero_code = row_.codebook == Codebook::ternary;
    for (const Part& part : parts) {
      if (part.scale == want) continue;
      if (!part.is_zero || !has_zero_code) return CodedFit::differing_scales;
      std::ranges::fill(part.words, kTernaryZeros);
    }
    StoredScale stored = stored_scale(want);
    const std::span<std::uint32_t> used(words.data(), n_words);
    if (is_zero && has_scales()) {
      if (!knows_all(used)) return put_zeros(out);
      stored.fit = CodedFit::exact;  // whatever became of the scale: that of one out of range is 0
    } else if (is_zero) {
      if (!has_zero_code) return CodedFit::differing_scales;
      std::ranges::fill(used, kTernaryZeros);
      stored = {kOne, CodedFit::exact};
    }
    if (!knows_all(used)) return CodedFit::missing_code;
    if (stored.fit <= CodedFit::rounded_scale) put(words.data(), n_words, stored.d, out);
    return stored.fit;
  }

  std::span<Part> parts_of(std::size_t begin, std::size_t n, std::uint32_t* words,
                           std::array<Part, kMostParts>& room) const {
    std::size_t n_parts = 0;
    for (std::size_t at = begin; at < begin + n; ++n_parts) {
      const std::size_t i = at / row_.block;
      const std::size_t end = std::min((i + 1) * row_.block, begin + n);
      const std::span<std::uint32_t> part(words + (at - begin) / kPerWord, (end - at) / kPerWord);
      room[n_parts] = {part, row_.scales[i], is_zero(row_.codebook, part, row_.scales[i])};
      at = end;
    }
    return {room.data(), n_parts};
  }

  void put(const std::uint32_t* words, std::size_t n_words, std::uint16_t d, std::byte* out) const {
    std::array<std::uint32_t, kMaxCodeWords> own{};
    if (type_.codebook == Codebook::binary) {
      for (std::size_t i = 0; i < n_words; ++i) own[i / 2] |= bits_of_ternary(words[i]) << (16 * (i % 2));
      words = own.data();
    } else if (recoding_.changes) {
      for (std::size_t i = 0; i < n_words; ++i) own[i] = recoding_(words[i]);
      words = own.data();
    }
    type_.write_codes(words, out);
    put_scale(d, out);
  }

  // With the scale 0, and, where no code is 0, the highest ones: so the zeros are positive.
  CodedFit put_zeros(std::byte* out) const {
    std::array<std::uint32_t, kMaxCodeWords> words;
    words.fill(type_.codebook == Codebook::ternary ? kTernaryZeros : 0xFFFFFFFF);
    type_.write_codes(words.data(), out);
    put_scale(0, out);
    return CodedFit::exact;
  }

  void put_scale(std::uint16_t d, std::byte* out) const {
    if (has_scales()) std::memcpy(out + type_.scale_at, &d, sizeof d);
  }

  const CodedRow& row_;
  const CodedType& type_;
  const float scale_;
  const Recoding recoding_;
  const bool knows_all_;
  std::optional<float> last_want_;
  StoredScale last_stored_;
};

}  // namespace

void CodedRow::resize(std::size_t new_cols, std::size_t new_block) {
  assert(new_block % 32 == 0 || new_block >= new_cols);
  cols = new_cols;
  block = std::min(new_block, new_cols);
  words.assign((cols + kMaxCodedBlock - 1) / kMaxCodedBlock * kMaxCodeWords, 0);
  scales.resize(n_blocks());
}

bool has_coded_rows(TensorType type) { return find_coded_type(type) != nullptr; }

bool reads_coded_rows(TensorType type) { return has_coded_rows(type) || info(type).row_scaled != nullptr; }

std::size_t coded_row_bytes(TensorType type, std::size_t cols) {
  return find_coded_type(type)->row_bytes(cols);
}

bool read_coded_row(const Matrix& w, std::size_t row, CodedRow& out) {
  if (const RowScaledType* const type = info(w.type).row_scaled) {
    out.codebook = Codebook::ternary;
    out.resize(w.cols, w.cols);
    type->read_row(w, row, out.words.data());
    out.scales[0] = type->scale_of(w, row) * w.scale;
    return true;
  }
  const CodedType* const type = find_coded_type(w.type);
  if (type == nullptr || (type->codebook == Codebook::thirds && w.scale != 1.0F)) return false;
  const bool has_scales = type->scale_at != CodedType::kNoScale;
  out.codebook = type->codebook == Codebook::binary ? Codebook::ternary : type->codebook;
  out.resize(w.cols, has_scales ? type->block : w.cols);
  const std::byte* block = w.data + row * type->row_bytes(w.cols);
  std::uint32_t* words = out.words.data();
  for (std::size_t i = 0; i < type->blocks_in(w.cols); ++i) {
    read_block(*type, block, words);
    if (has_scales) out.scales[i] = f16_to_f32(type->scale_of(block)) * w.scale;
    words += type->block / kPerWord;
    block += type->block_bytes;
  }
  if (!has_scales) out.scales[0] = w.scale;
  const auto end = static_cast<std::ptrdiff_t>(w.cols / kPerWord);
  std::fill(out.words.begin() + end, out.words.end(), 0U);  // what a block has behind the row's end
  return true;
}

bool find_coded_row(std::span<const float> values, std::size_t block, CodedRow& out) {
  out.codebook = Codebook::ternary;
  out.resize(values.size(), block);
  for (std::size_t i = 0; i < out.n_blocks(); ++i) {
    const std::size_t begin = i * out.block;
    const std::span<const float> part = values.subspan(begin, std::min(out.block, values.size() - begin));
    const auto other = std::ranges::find_if(part, [](float v) { return v != 0; });
    const float scale = other == part.end() ? 0.0F : std::fabs(*other);
    if (!std::isfinite(scale)) return false;
    out.scales[i] = scale;
    if (!have_magnitude(part, scale)) return false;
    std::uint32_t* word = out.words.data() + begin / kPerWord;
    for (std::size_t at = 0; at < part.size(); at += kPerWord) {
      *word++ = codes_of_signs(part.subspan(at, std::min(kPerWord, part.size() - at)));
    }
  }
  return true;
}

void decode_row(const CodedRow& row, float* out) {
  const auto numerators = numerators_of(row.codebook);
  const float denominator = denominator_of(row.codebook);
  for (std::size_t i = 0; i < row.n_blocks(); ++i) {
    std::array<float, 4> values;
    for (std::size_t code = 0; code < values.size(); ++code) {
      values[code] = static_cast<float>(numerators[code]) / denominator * row.scales[i];
    }
    const std::size_t end = std::min((i + 1) * row.block, row.cols);
    for (std::size_t j = i * row.block; j < end; ++j) {
      out[j] = values[row.words[j / kPerWord] >> (2 * (j % kPerWord)) & 3U];
    }
  }
}

std::string_view reason_of(CodedFit fit) {
  switch (fit) {
    case CodedFit::exact:
      break;
    case CodedFit::rounded_scale:
      return "some of its scales are no 16-bit floats, and were rounded to the nearest";
    case CodedFit::differing_scales:
      return "its elements that would share a scale have different ones";
    case CodedFit::scale_out_of_range:
      return "some of its scales are too large or too small for a 16-bit float";
    case CodedFit::missing_code:
      return "it has values that have no code in this type";
  }
  return {};
}

CodedFit write_coded_row(const CodedRow& row, TensorType type, float scale, std::byte* out) {
  assert(has_coded_rows(type) && row.cols % info(type).block == 0);
  return RowWriter(row, *find_coded_type(type), scale).write(out);
}

void CommonScale::add(const CodedRow& row) {
  for (std::size_t i = 0; i < row.n_blocks(); ++i) {
    const float scale = row.scales[i];
    if (scale_ == scale) continue;
    const std::size_t begin = i * row.block / kPerWord;
    const std::size_t end = (std::min((i + 1) * row.block, row.cols) + kPerWord - 1) / kPerWord;
    if (!is_zero(row.codebook, {row.words.data() + begin, end - begin}, scale)) {
      add(scale);
    } else if (!of_zeros_) {
      of_zeros_ = scale;
    }
  }
}

void CommonScale::add(const CommonScale& later) {
  if (later.scale_) add(*later.scale_);
  if (!of_zeros_) of_zeros_ = later.of_zeros_;
  differs_ |= later.differs_;
}

void CommonScale::add(float scale) {
  if (!scale_) scale_ = scale;
  differs_ |= *scale_ != scale;
}

std::optional<float> CommonScale::value() const {
  if (differs_) return std::nullopt;
  return scale_ ? scale_ : of_zeros_;
}

}  // namespace bitnet::quant
