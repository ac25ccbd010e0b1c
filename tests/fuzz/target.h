// What is done with bytes that anyone may have written, one kind of them at a time. libFuzzer makes inputs up
// as long as it is let (scripts/fuzz); a test does so for a moment, the same ones each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/error.h"

namespace bitnet::fuzz {

struct Target {
  std::string_view name;  // as fuzz --target knows it, and of its inputs' folder
  // Sound inputs, to begin with.
  std::vector<std::string> (*seeds)();
  // Refuses the input with one of the library's errors, which it catches, or reads all of it. Throws
  // whatever else comes of it, Broken among that.
  void (*run)(std::string_view input);
  std::vector<std::string> words;  // that the format knows, beside those in the seeds
  std::size_t n_inputs;            // that the test makes up
};

// Something that holds for every input did not.
class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool holds, const char* what) {
  if (!holds) throw Broken(what);
}

// Calls read(), which may refuse what it reads, in one line.
template <typename Read>
void read_or_refuse(Read read) {
  try {
    read();
  } catch (const ModelError& e) {
    require(std::string_view(e.what()).find('\n') == std::string_view::npos, "an error of several lines");
  }
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

extern const Target kGguf;
extern const Target kModel;
extern const Target kTokenizer;
extern const Target kChatTemplate;
extern const Target kTokenizerJson;
extern const Target kSentencePiece;
extern const Target kSafetensors;
extern const Target kHfConfig;
extern const Target kConvertGguf;
extern const Target kConvertFolder;
extern const Target kBatch;
extern const Target kApi;
extern const Target kHttp;
extern const Target kTrace;
extern const Target kPromptCache;
extern const Target kHeadCache;
extern const Target kCheckedList;
extern const Target kSavedChat;
extern const Target kReceipt;
extern const Target kSavedBench;
extern const Target kTokenIds;

std::span<const Target* const> targets();

}  // namespace bitnet::fuzz
