// Files of a folder with one thing in them changed, everything by everything: read as something else or
// refused with one line, and never more.
#include <gtest/gtest.h>

#include <functional>

#include "bitnet/error.h"
#include "convert/huggingface/hf_source.h"
#include "convert/huggingface/safetensors_header.h"
#include "convert/huggingface/sentencepiece_file.h"
#include "convert/huggingface/vocabulary.h"
#include "support/hf_folder.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::ordered_json;

HfFolder original() {
  const LoadedModel model(SmallModel("llama"));
  return HfFolder(gguf::File::from_bytes(model.file.span(), "small.gguf"), HfForm::autobitlinear);
}

// Whether what a function does ends well, or in a ModelError of one line.
void expect_no_harm(const std::function<void()>& read, const std::string& what, int& n_refused) {
  try {
    read();
  } catch (const ModelError& error) {
    ++n_refused;
    const std::string message = error.what();
    EXPECT_FALSE(message.empty()) << what;
    EXPECT_TRUE(lacks(message, "\n")) << what << ": " << message;
  }
}

// Calls change(json) with every part of it replaced by something else, or gone.
void with_every_change(Json& root, const std::function<void(const std::string& what)>& changed) {
  static const std::vector<Json> kValues{nullptr,
                                         true,
                                         -1,
                                         0U,
                                         std::uint64_t{1} << 63,
                                         1.5,
                                         "",
                                         "\n\x1b[31m",
                                         Json::array(),
                                         Json::array({Json::object()}),
                                         Json::object(),
                                         Json{{"type", "Sequence"}, {"", nullptr}}};
  const std::function<void(Json&, const std::string&)> visit = [&](Json& node, const std::string& path) {
    const Json kept = node;
    for (const Json& value : kValues) {
      node = value;
      changed(path + " = " + value.dump());
    }
    node = kept;
    if (node.is_object()) {
      std::vector<std::string> keys;
      for (const auto& item : node.items()) keys.push_back(item.key());
      for (const std::string& key : keys) {
        visit(node[key], path + "." + key);
        const Json whole = node;
        node.erase(key);
        changed(path + " without " + key);
        node = whole;
      }
    } else if (node.is_array()) {
      for (std::size_t i = 0; i < node.size(); ++i) visit(node[i], path + "[" + std::to_string(i) + "]");
    }
  };
  visit(root, "");
}

// The vocabulary is the same in every place: a few of its tokens are enough.
Json short_tokenizer() {
  Json json = original().tokenizer;
  json["model"]["vocab"] = {{"a", 3}, {"b", 4}, {"ab", 2}};
  return json;
}

TEST(HfHostile, EveryChangeOfATokenizerIsReadOrRefused) {
  const TempDirectory directory;
  const convert::Json config = convert::Json::parse(original().config.dump());
  Json tokenizer = short_tokenizer();
  int n_refused = 0;
  with_every_change(tokenizer, [&](const std::string& what) {
    write_file(directory.file("tokenizer.json"),
               tokenizer.dump(-1, ' ', false, Json::error_handler_t::replace));
    std::vector<std::string> notes;
    expect_no_harm([&] { convert::read_hf_vocabulary(directory.path(), config, 16, notes); }, what,
                   n_refused);
  });
  EXPECT_GT(n_refused, 100);
}

TEST(HfHostile, EveryChangeOfWhatStandsBesideATokenizerIsReadOrRefused) {
  const TempDirectory directory;
  const convert::Json config = convert::Json::parse(original().config.dump());
  write_file(directory.file("tokenizer.model"),
             sentencepiece_of({{"<unk>", 0, 2}, {"<s>", 0, 3}, {"a", -1}}));
  Json beside{{"bos_token", "<s>"},
              {"eos_token", {{"content", "<s>"}}},
              {"eos_token_id", {1}},
              {"add_bos_token", true},
              {"chat_template", {{{"name", "default"}, {"template", "x"}}}},
              {"<pad>", 4},
              {"added_tokens_decoder", {{"3", {{"content", "<x>"}, {"special", true}}}}}};
  int n_refused = 0;
  with_every_change(beside, [&](const std::string& what) {
    for (const char* name : {"tokenizer_config.json", "generation_config.json", "added_tokens.json"}) {
      write_file(directory.file(name), beside.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    std::vector<std::string> notes;
    expect_no_harm([&] { convert::read_hf_vocabulary(directory.path(), config, 16, notes); }, what,
                   n_refused);
  });
  EXPECT_GT(n_refused, 5);
}

TEST(HfHostile, EveryChangeOfAConfigIsReadOrRefused) {
  HfFolder folder = original();
  folder.config["rope_scaling"] = {{"type", "yarn"}, {"factor", 2.0}, {"beta_fast", 32}};
  folder.tokenizer = short_tokenizer();
  folder.write();
  int n_refused = 0;
  with_every_change(folder.config, [&](const std::string& what) {
    write_file(folder.file("config.json"),
               folder.config.dump(-1, ' ', false, Json::error_handler_t::replace));
    std::vector<std::string> notes;
    expect_no_harm([&] { convert::open_hf_source(folder.path(), {}, notes); }, what, n_refused);
  });
  EXPECT_GT(n_refused, 100);
}

TEST(HfHostile, EveryByteOfASafetensorsHeaderMayBeAnother) {
  std::string file = safetensors_of({{"a", "BF16", {2, 3}, "abcdefghijkl"}, {"b", "F32", {}, "mnop"}});
  int n_refused = 0;
  for (std::size_t at = 0; at + 16 < file.size(); ++at) {
    const char kept = file[at];
    for (const char value : {'\0', '0', '9', '"', '{', ']', ',', '\x7F', '\xFF'}) {
      file[at] = value;
      expect_no_harm([&] { convert::read_safetensors_header(std::as_bytes(std::span(file)), "x"); },
                     std::to_string(at), n_refused);
    }
    file[at] = kept;
  }
  EXPECT_GT(n_refused, 500);
  for (std::size_t n = 0; n < file.size(); ++n) {
    EXPECT_THROW(convert::read_safetensors_header(std::as_bytes(std::span(file)).first(n), "x"), ModelError)
        << n;
  }
}

TEST(HfHostile, EveryByteOfASentencePieceModelMayBeAnother) {
  std::string file = sentencepiece_of({{"<unk>", 0, 2}, {"a", -1}, {"bcd", -2, 4}});
  int n_refused = 0;
  for (std::size_t at = 0; at < file.size(); ++at) {
    const char kept = file[at];
    for (int value = 0; value < 256; ++value) {
      file[at] = static_cast<char>(value);
      expect_no_harm([&] { convert::read_sentencepiece(std::as_bytes(std::span(file)), "x"); },
                     std::to_string(at), n_refused);
    }
    file[at] = kept;
  }
  EXPECT_GT(n_refused, 500);
}

}  // namespace
}  // namespace bitnet::test
