#include <array>

#include "fuzz/target.h"

namespace bitnet::fuzz {

std::span<const Target* const> targets() {
  static constexpr std::array kAll{
      &kGguf,        &kModel,       &kTokenizer,    &kChatTemplate, &kTokenizerJson, &kSentencePiece,
      &kSafetensors, &kHfConfig,    &kBatch,        &kApi,          &kHttp,          &kTrace,
      &kPromptCache, &kHeadCache,   &kCheckedList,  &kSavedChat,    &kReceipt,       &kSavedBench,
      &kTokenIds,    &kConvertGguf, &kConvertFolder};
  return kAll;
}

}  // namespace bitnet::fuzz
