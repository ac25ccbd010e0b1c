#include "convert/huggingface/sentencepiece_file.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "bitnet/error.h"

namespace bitnet::convert {
namespace {

// Fields of a protocol buffer message in order, each checked against the bytes there are.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const std::string& shown) : bytes_(bytes), shown_(shown) {}

  // Goes on to the next; false at the end.
  bool next() {
    if (bytes_.empty()) return false;
    const std::uint64_t tag = varint();
    number_ = tag >> 3;
    wire_ = static_cast<unsigned>(tag & 7);
    if (number_ == 0) damaged();
    switch (wire_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        payload_ = take(8);
        break;
      case 2:
        payload_ = take(varint());
        break;
      case 5:
        payload_ = take(4);
        break;
      default:  // groups, which nothing has had for long
        damaged();
    }
    return true;
  }

  std::uint64_t number() const { return number_; }
  std::uint64_t value() const {
    if (wire_ != 0) damaged();
    return value_;
  }
  std::span<const std::byte> bytes() const {
    if (wire_ != 2) damaged();
    return payload_;
  }
  std::string text() const {
    const auto b = bytes();
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  float real() const {
    if (wire_ != 5) damaged();
    float result = 0;
    std::memcpy(&result, payload_.data(), sizeof result);
    return result;
  }

 private:
  [[noreturn]] void damaged() const {
    throw ModelError(shown_, "is no SentencePiece model, or damaged", "download it again");
  }
  std::span<const std::byte> take(std::uint64_t n) {
    if (n > bytes_.size()) damaged();
    const auto taken = bytes_.first(static_cast<std::size_t>(n));
    bytes_ = bytes_.subspan(static_cast<std::size_t>(n));
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint64_t>(take(1)[0]);
      result |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return result;
    }
    damaged();
  }

  std::span<const std::byte> bytes_;
  const std::string& shown_;
  std::uint64_t number_ = 0;
  unsigned wire_ = 0;
  std::uint64_t value_ = 0;
  std::span<const std::byte> payload_;
};

class PieceReader {
 public:
  explicit PieceReader(const std::string& shown) : shown_(shown) {}

  SentencePieceFile read(std::span<const std::byte> bytes) {
    Fields model(bytes, shown_);
    while (model.next()) {
      if (model.number() == 1) read_piece(model.bytes());
      if (model.number() == 2) read_trainer(model.bytes());
      if (model.number() == 3) read_normalizer(model.bytes());
    }
    if (result_.pieces.empty()) refuse("holds no pieces", "it is no SentencePiece model: download it again");
    constexpr std::uint64_t kBpe = 2;
    if (model_type_ != kBpe) {
      refuse("is a SentencePiece model of another kind than BPE", "only BPE is supported");
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what, std::string_view hint) const {
    throw ModelError(shown_, what, hint);
  }

  void read_piece(std::span<const std::byte> bytes) {
    std::string spelling;
    float score = 0;
    std::uint64_t type = 1;
    Fields piece(bytes, shown_);
    while (piece.next()) {
      if (piece.number() == 1) spelling = piece.text();
      if (piece.number() == 2) score = piece.real();
      if (piece.number() == 3) type = piece.value();
    }
    const std::string name = "piece " + std::to_string(result_.pieces.size());
    if (type < 1 || type > 6) refuse(name + " is of an unknown type", "it is damaged: download it again");
    if (!std::isfinite(score)) refuse(name + " has no finite score", "it is damaged: download it again");
    // SentencePiece's numbers of types, in order, as GGUF's.
    constexpr std::array kTypes{TokenType::normal,       TokenType::unknown, TokenType::control,
                                TokenType::user_defined, TokenType::unused,  TokenType::byte};
    result_.pieces.push_back(std::move(spelling));
    result_.scores.push_back(score);
    result_.types.push_back(kTypes[type - 1]);
  }

  void read_trainer(std::span<const std::byte> bytes) {
    Fields trainer(bytes, shown_);
    while (trainer.next()) {
      if (trainer.number() == 3) model_type_ = trainer.value();
    }
  }

  void read_normalizer(std::span<const std::byte> bytes) {
    Fields normalizer(bytes, shown_);
    while (normalizer.next()) {
      switch (normalizer.number()) {
        case 2:
          if (!normalizer.bytes().empty()) {
            refuse("normalizes text by a table of characters", "no GGUF file can say so");
          }
          break;
        case 3:
          result_.add_space_prefix = normalizer.value() != 0;
          break;
        case 5:
          if (normalizer.value() == 0) refuse("does not write spaces as U+2581", "no GGUF file can say so");
          break;
        default:
          break;
      }
    }
  }

  const std::string& shown_;
  SentencePieceFile result_;
  std::uint64_t model_type_ = 1;  // unigram, where the file is silent
};

}  // namespace

SentencePieceFile read_sentencepiece(std::span<const std::byte> bytes, const std::string& shown) {
  return PieceReader(shown).read(bytes);
}

}  // namespace bitnet::convert
