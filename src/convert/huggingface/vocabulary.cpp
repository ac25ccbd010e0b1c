#include "convert/huggingface/vocabulary.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/sentencepiece_file.h"
#include "convert/huggingface/token_list.h"
#include "convert/huggingface/tokenizer_json.h"
#include "convert/huggingface/tokenizer_steps.h"
#include "model/inspect/known_defects.h"

namespace bitnet::convert {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTemplate = std::size_t{1} << 20;
constexpr JsonLimits kConfigLimits{.bytes = std::size_t{16} << 20, .values = std::size_t{1} << 20};

std::string shown_path(const fs::path& path) { return printable(path.string(), kMaxPrintedPath); }

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// An empty object where there is no such file.
Json read_if_there(const fs::path& path) {
  return is_there(path) ? read_object(path.string(), kConfigLimits) : Json::object();
}

std::string text_file(const fs::path& path) {
  const MappedFile file(path.string());
  if (file.bytes().size() > kMaxTemplate) {
    throw ModelError(shown_path(path), "is " + std::to_string(file.bytes().size()) + " bytes long",
                     "no template is so long: is it another file?");
  }
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// A special token's spelling: a text, or an object that has it as its content.
std::string spelling_of(const Json& config, const char* field) {
  const auto at = config.find(field);
  if (at == config.end()) return {};
  if (at->is_string()) return at->get<std::string>();
  if (!at->is_object()) return {};
  const auto content = at->find("content");
  return content != at->end() && content->is_string() ? content->get<std::string>() : std::string();
}

// Ids as config.json and generation_config.json have them: a number or several.
std::vector<std::uint64_t> ids_of(const Json& config, const char* field) {
  std::vector<std::uint64_t> ids;
  const auto at = config.find(field);
  if (at == config.end()) return ids;
  if (at->is_number_unsigned()) ids.push_back(at->get<std::uint64_t>());
  if (at->is_array()) {
    for (const Json& id : *at) {
      if (id.is_number_unsigned()) ids.push_back(id.get<std::uint64_t>());
    }
  }
  return ids;
}

class VocabularyReader {
 public:
  VocabularyReader(const std::string& folder, const Json& config, std::uint64_t n_rows,
                   std::vector<std::string>& notes)
      : folder_(folder),
        config_(config),
        n_rows_(n_rows),
        notes_(notes),
        tokenizer_config_(read_if_there(folder_ / "tokenizer_config.json")),
        generation_config_(read_if_there(folder_ / "generation_config.json")) {}

  HfVocabulary read() {
    read_tokens();
    note_filled();
    read_special();
    read_added_automatically();
    read_template();
    return std::move(v_);
  }

 private:
  void read_tokens();
  void read_sentencepiece_model(const std::optional<JsonBesideModel>& beside);
  void add_decoders_tokens(TokenList& tokens, const SentencePieceFile& model) const;
  void add_json_tokens(const JsonBesideModel& beside, TokenList& tokens);
  void add_other_tokens(TokenList& tokens) const;
  // Whether the tokenizer has no token of this id: it would end or begin texts in silence.
  bool is_filled(std::uint64_t id) const {
    return v_.types[id] == TokenType::unused && v_.tokens[id] == filled_spelling(id);
  }
  void note_filled();
  void require_token(const std::string& file, const char* field, std::uint64_t id) const;
  std::optional<std::uint32_t> special(const char* name, const std::string& fallback = {});
  void read_special();
  std::vector<std::uint64_t> ends_of_texts();
  void read_added_automatically();
  void read_template();

  fs::path folder_;
  const Json& config_;
  std::uint64_t n_rows_;
  std::vector<std::string>& notes_;
  Json tokenizer_config_;
  Json generation_config_;
  HfVocabulary v_;
  std::string unknown_;
  std::optional<std::string> first_special_;
  std::optional<std::string> last_special_;
  bool says_bos_ = false;
};

// A SentencePiece model is the original of what tokenizer.json says of it.
void VocabularyReader::read_tokens() {
  const fs::path json = folder_ / "tokenizer.json";
  const fs::path model = folder_ / "tokenizer.model";
  if (is_there(json)) {
    if (is_there(model)) {
      if (const auto beside = read_json_beside_model(json.string(), notes_))
        return read_sentencepiece_model(beside);
    }
    TokenizerJson read = read_tokenizer_json(json.string(), n_rows_, notes_);
    v_ = std::move(read.vocabulary);
    unknown_ = std::move(read.unknown);
    first_special_ = std::move(read.first_special);
    last_special_ = std::move(read.last_special);
    says_bos_ = read.says_bos;
    return;
  }
  if (is_there(model)) return read_sentencepiece_model(std::nullopt);
  throw ModelError(printable(folder_.string(), kMaxPrintedPath),
                   "has neither tokenizer.json nor tokenizer.model",
                   "a model cannot be converted without its tokenizer: download that too");
}

void VocabularyReader::read_sentencepiece_model(const std::optional<JsonBesideModel>& beside) {
  const fs::path path = folder_ / "tokenizer.model";
  const MappedFile file(path.string());
  const SentencePieceFile model = read_sentencepiece(file.bytes(), shown_path(path));
  TokenList tokens(shown_path(path), n_rows_);
  for (std::size_t id = 0; id < model.pieces.size(); ++id) tokens.add(id, model.pieces[id], model.types[id]);

  v_.add_space_prefix = model.add_space_prefix;
  add_decoders_tokens(tokens, model);
  if (beside) add_json_tokens(*beside, tokens);
  add_other_tokens(tokens);
  v_.model = "llama";
  tokens.take(v_.tokens, v_.types);
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (v_.is_added_space(id)) v_.types[id] = TokenType::normal;
  }
  constexpr float kNeverMade = -1e6F;
  v_.scores = model.scores;
  v_.scores.resize(v_.tokens.size(), kNeverMade);
}

// Those that tokenizer_config.json says have been added.
void VocabularyReader::add_decoders_tokens(TokenList& tokens, const SentencePieceFile& model) const {
  const auto decoder = tokenizer_config_.find("added_tokens_decoder");
  if (decoder == tokenizer_config_.end() || !decoder->is_object()) return;
  for (const auto& [id, token] : decoder->items()) {
    const std::string spelling = spelling_of(*decoder, id.c_str());
    const bool is_number =
        !id.empty() && id.size() < 10 && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || spelling.empty()) {
      throw ModelError(
          shown_path(folder_ / "tokenizer_config.json"),
          "added_tokens_decoder: the entry '" + printable(id, kMaxPrintedName) + "' is no token with an id",
          "download it again");
    }
    const std::uint64_t number = std::stoull(id);
    if (number < model.pieces.size() && model.pieces[number] == spelling) continue;  // has its type
    tokens.add(number, spelling, type_of_added(spelling, flag_at(token, "special", false)));
  }
}

void VocabularyReader::add_json_tokens(const JsonBesideModel& beside, TokenList& tokens) {
  const std::string shown = shown_path(folder_ / "tokenizer.json");
  for (const AddedToken& token : beside.added) {
    if (token.spelling.empty() || tokens.contains(token.spelling)) continue;
    if (token.id >= n_rows_ || tokens.contains(token.id)) {
      notes_.push_back(shown + ": added_tokens: '" + printable(token.spelling, kMaxPrintedName) +
                       "' is left out: " +
                       (token.id >= n_rows_ ? "the embedding has no row " : "another token has the id ") +
                       std::to_string(token.id));
      continue;
    }
    tokens.add(token.id, token.spelling, type_of_added(token.spelling, token.is_special));
  }
  if (beside.puts_space_prefix && beside.puts_space_prefix != v_.add_space_prefix) {
    notes_.push_back(shown + " puts " + (*beside.puts_space_prefix ? "a" : "no") +
                     " space before a text, tokenizer.model " + (*v_.add_space_prefix ? "does" : "does not") +
                     ": the latter is taken");
  }
}

// added_tokens.json does not say which are special.
void VocabularyReader::add_other_tokens(TokenList& tokens) const {
  const Json others = read_if_there(folder_ / "added_tokens.json");
  for (const auto& [spelling, id] : others.items()) {
    if (tokens.contains(spelling) || !id.is_number_unsigned()) continue;
    tokens.add(id.get<std::uint64_t>(), spelling, type_of_added(spelling, false));
  }
}

void VocabularyReader::note_filled() {
  std::vector<std::uint64_t> filled;
  for (std::uint64_t id = 0; id < v_.tokens.size(); ++id) {
    if (is_filled(id)) filled.push_back(id);
  }
  if (filled.empty()) return;
  const bool at_the_end = filled.front() + filled.size() == v_.tokens.size();
  notes_.push_back(
      "the tokenizer has no token for " + std::string(at_the_end ? "the last " : "") +
      std::to_string(filled.size()) + " of " + std::to_string(v_.tokens.size()) + " rows of the embedding" +
      (at_the_end ? "" : ", the first of them " + std::to_string(filled.front())) +
      ": they are filled in as " + filled_spelling(filled.front()) + (filled.size() > 1 ? ", ..." : ""));
}

void VocabularyReader::require_token(const std::string& file, const char* field, std::uint64_t id) const {
  if (id < v_.tokens.size() && !is_filled(id)) return;
  throw ModelError(
      shown_path(folder_ / file),
      std::string(field) + " " + std::to_string(id) + " is no token of the tokenizer's",
      "tokenizer and model do not belong together, or the tokenizer is incomplete: download it again");
}

// By tokenizer_config.json's word or, where it has none, config.json's.
std::optional<std::uint32_t> VocabularyReader::special(const char* name, const std::string& fallback) {
  std::string spelling = spelling_of(tokenizer_config_, (std::string(name) + "_token").c_str());
  if (spelling.empty()) spelling = fallback;
  if (!spelling.empty()) {
    if (const auto id = v_.find(spelling)) return id;
    notes_.push_back(std::string(name) + "_token '" + printable(spelling, kMaxPrintedName) +
                     "' is no token of the vocabulary");
  }
  const std::string field = std::string(name) + "_token_id";
  const auto ids = ids_of(config_, field.c_str());
  if (ids.empty()) return std::nullopt;
  const bool is_end_of_text = field == "bos_token_id" || field == "eos_token_id";
  if (is_end_of_text) require_token("config.json", field.c_str(), ids.front());
  if (ids.front() >= v_.tokens.size()) return std::nullopt;
  return static_cast<std::uint32_t>(ids.front());
}

void VocabularyReader::read_special() {
  v_.bos = special("bos");
  v_.eos = special("eos");
  v_.unk = special("unk", unknown_);
  v_.pad = special("pad");
  // What ends a generation beside the end of text: the end of a turn, and of a message.
  std::vector<std::uint32_t> ends;
  for (const std::uint64_t id : ends_of_texts()) {
    const auto end = static_cast<std::uint32_t>(id);
    if (!v_.eos) v_.eos = end;
    if (end != *v_.eos && std::ranges::find(ends, end) == ends.end()) ends.push_back(end);
  }
  // The end of a text is known by its spelling; a key that is another's would call it the end of a turn.
  std::erase_if(ends, [&](std::uint32_t end) {
    return v_.tokens[end] == "<|endoftext|>" || v_.tokens[end] == "<|end_of_text|>";
  });
  if (!ends.empty()) v_.eot = ends[0];
  if (ends.size() > 1) v_.eom = ends[1];
  if (ends.size() > 2) {
    throw ModelError(
        shown_path(folder_ /
                   (generation_config_.contains("eos_token_id") ? "generation_config.json" : "config.json")),
        "eos_token_id names more tokens than a GGUF file can: " + std::to_string(ends.size() + 1),
        "leave those out that do not end a text, a turn or a message");
  }
}

// By generation_config.json's word or, where it has none, config.json's, which is often of an earlier
// tokenizer: what can be no end is left out.
std::vector<std::uint64_t> VocabularyReader::ends_of_texts() {
  if (generation_config_.contains("eos_token_id")) {
    std::vector<std::uint64_t> ends = ids_of(generation_config_, "eos_token_id");
    for (const std::uint64_t id : ends) require_token("generation_config.json", "eos_token_id", id);
    return ends;
  }
  std::vector<std::uint64_t> ends = ids_of(config_, "eos_token_id");
  std::erase_if(ends, [&](std::uint64_t id) {
    const bool is_end = id < v_.tokens.size() && v_.types[id] != TokenType::normal && !is_filled(id);
    if (!is_end && id != *v_.eos) {
      notes_.push_back("config.json: eos_token_id " + std::to_string(id) +
                       " is no control token of the tokenizer's and ends no text");
    }
    return !is_end;
  });
  return ends;
}

// tokenizer_config.json decides, then the tokenizer's own template, then the habit of the kind.
void VocabularyReader::read_added_automatically() {
  if (v_.add_eos && last_special_ && (!v_.eos || v_.tokens[*v_.eos] != *last_special_)) {
    notes_.push_back("texts end with '" + printable(*last_special_, kMaxPrintedName) +
                     "' where the model is trained, which is not its EOS: a GGUF file cannot say so");
    v_.add_eos = false;
  }
  v_.add_bos = flag_at(tokenizer_config_, "add_bos_token", says_bos_ ? v_.add_bos : v_.model == "llama");
  v_.add_eos = flag_at(tokenizer_config_, "add_eos_token", v_.add_eos);
  if (!v_.add_bos || !first_special_ || (v_.bos && v_.tokens[*v_.bos] == *first_special_)) return;
  const auto first = v_.find(*first_special_);
  const std::string shown = "'" + printable(*first_special_, kMaxPrintedName) + "'";
  if (!first) {
    notes_.push_back("texts begin with " + shown + ", which is no token of the vocabulary");
    return;
  }
  if (v_.bos) {
    notes_.push_back("texts begin with " + shown +
                     ", which is taken as BOS; tokenizer_config.json and config.json name '" +
                     printable(v_.tokens[*v_.bos], kMaxPrintedName) + "'");
  }
  v_.bos = first;
}

void VocabularyReader::read_template() {
  const fs::path file = folder_ / "chat_template.jinja";
  if (is_there(file)) {
    v_.chat_template = text_file(file);
    return;
  }
  const auto from = [&](const Json& json) {
    const auto at = json.find("chat_template");
    if (at == json.end()) return;
    if (at->is_string()) v_.chat_template = at->get<std::string>();
    if (!at->is_array()) return;
    for (const Json& entry : *at) {  // several, of which one is the default
      if (entry.is_object() && spelling_of(entry, "name") == "default") {
        v_.chat_template = spelling_of(entry, "template");
      }
    }
    if (v_.chat_template.empty())
      notes_.emplace_back("of several chat templates none is the default: none is kept");
  };
  from(tokenizer_config_);
  if (v_.chat_template.empty()) from(read_if_there(folder_ / "chat_template.json"));
}

}  // namespace

std::optional<std::uint32_t> HfVocabulary::find(std::string_view spelling) const {
  const auto at = std::ranges::find(tokens, spelling);
  if (at == tokens.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - tokens.begin());
}

bool HfVocabulary::is_added_space(std::size_t id) const {
  return types[id] == TokenType::user_defined && tokens[id].find(kSpacePiece) != std::string::npos;
}

HfVocabulary read_hf_vocabulary(const std::string& folder, const Json& config, std::uint64_t n_rows,
                                std::vector<std::string>& notes) {
  return VocabularyReader(folder, config, n_rows, notes).read();
}

void put_vocabulary(gguf::KeyValues& keys, const HfVocabulary& v) {
  keys.set("tokenizer.ggml.model", v.model);
  if (!v.pre.empty()) keys.set("tokenizer.ggml.pre", v.pre);
  // What engines take for a mistake beside some vocabularies.
  if (v.pre == "gpt-2") keys.set(kReadPreKey, v.pre);
  keys.set_array("tokenizer.ggml.tokens", std::span<const std::string>(v.tokens));
  std::vector<std::int32_t> types;
  types.reserve(v.types.size());
  for (const TokenType type : v.types) types.push_back(static_cast<std::int32_t>(type));
  keys.set_array("tokenizer.ggml.token_type", std::span<const std::int32_t>(types));
  if (v.model == "llama") keys.set_array("tokenizer.ggml.scores", std::span<const float>(v.scores));
  if (v.model == "gpt2") keys.set_array("tokenizer.ggml.merges", std::span<const std::string>(v.merges));
  const auto put_id = [&](std::string_view name, std::optional<std::uint32_t> id) {
    if (id) keys.set("tokenizer.ggml." + std::string(name) + "_token_id", *id);
  };
  put_id("bos", v.bos);
  put_id("eos", v.eos);
  put_id("eot", v.eot);
  put_id("eom", v.eom);
  put_id("unknown", v.unk);
  put_id("padding", v.pad);
  keys.set("tokenizer.ggml.add_bos_token", v.add_bos);
  if (v.add_eos) keys.set("tokenizer.ggml.add_eos_token", true);
  if (v.add_space_prefix) keys.set("tokenizer.ggml.add_space_prefix", *v.add_space_prefix);
  if (!v.chat_template.empty()) keys.set("tokenizer.chat_template", v.chat_template);
}

}  // namespace bitnet::convert
