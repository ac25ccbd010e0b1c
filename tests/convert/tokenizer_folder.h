// A folder's tokenizer, to be changed and read.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "convert/huggingface/vocabulary.h"
#include "support/hf_folder.h"

namespace bitnet::test {

using convert::HfVocabulary;
using Json = nlohmann::ordered_json;

inline constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline Json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

inline Json split_by(const char* expression) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"},
             {"pattern", {{"Regex", expression}}},
             {"behavior", "Isolated"},
             {"invert", false}},
            byte_level(false)}}};
}

// A folder with a byte-level vocabulary of five tokens, or a SentencePiece one in its JSON form.
class TokenizerFolder : public ::testing::Test {
 protected:
  TokenizerFolder() {
    json = {{"added_tokens",
             {{{"id", 3}, {"content", "<|begin_of_text|>"}, {"special", true}},
              {{"id", 4}, {"content", "<tool>"}, {"special", false}}}},
            {"normalizer", nullptr},
            {"pre_tokenizer", split_by(kLlama3)},
            {"post_processor", nullptr},
            {"model",
             {{"type", "BPE"},
              {"ignore_merges", true},
              {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}}},
              {"merges", {"a b"}}}}};
  }

  void make_sentencepiece() {
    json["added_tokens"] = {{{"id", 0}, {"content", "<unk>"}, {"special", true}},
                            {{"id", 1}, {"content", "</s>"}, {"special", true}}};
    json["normalizer"] = {{"type", "Sequence"},
                          {"normalizers",
                           {{{"type", "Prepend"}, {"prepend", "\u2581"}},
                            {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
    json["pre_tokenizer"] = nullptr;
    json["model"] = {{"type", "BPE"},
                     {"byte_fallback", true},
                     {"unk_token", "<unk>"},
                     {"vocab",
                      {{"<unk>", 0},
                       {"</s>", 1},
                       {"<0x41>", 2},
                       {"bc", 3},
                       {"abc", 4},
                       {"a", 5},
                       {"b", 6},
                       {"c", 7},
                       {"ab", 8}}},
                     {"merges", {"a b", "b c", "a bc", "ab c"}}};
  }

  HfVocabulary read(std::uint64_t n_rows = 9) {
    std::string text = json.dump();
    if (!replaced.empty()) text.replace(text.find(replaced), replaced.size(), with);
    write_file(directory.file("tokenizer.json"), text);
    return convert::read_hf_vocabulary(directory.path(), config, n_rows, notes);
  }
  std::string error(std::uint64_t n_rows = 9) {
    try {
      read(n_rows);
    } catch (const ModelError& error) {
      return error.what();
    }
    return {};
  }

  Json json;
  std::string replaced, with;  // in the text that is written
  convert::Json config = convert::Json::object();
  std::vector<std::string> notes;
  TempDirectory directory;
};

}  // namespace bitnet::test
