#include "convert/huggingface/tokenizer_json.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/added_tokens.h"
#include "convert/huggingface/merge_reach.h"
#include "convert/huggingface/token_list.h"
#include "convert/huggingface/tokenizer_lists.h"
#include "convert/huggingface/tokenizer_steps.h"
#include "tokenizer/byte_token.h"
#include "tokenizer/pretokenizer.h"

namespace bitnet::convert {
namespace {

// The largest published ones have a quarter of a million tokens, and half a million merges.
constexpr JsonLimits kLimits{.bytes = std::size_t{64} << 20, .values = std::size_t{4} << 20};
constexpr std::string_view kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";  // ByteLevel's own

bool is_set(const Json& object, const char* field) {
  const auto at = object.find(field);
  return at != object.end() && !at->is_null() && *at != "" && *at != 0;
}

class TokenizerReader {
 public:
  TokenizerReader(const std::string& path, std::uint64_t n_rows, std::vector<std::string>& notes)
      : shown_(printable(path, kMaxPrintedPath)),
        notes_(notes),
        json_(read_object(path, kLimits, &lists_)),
        tokens_(shown_, n_rows) {}

  TokenizerJson read();

 private:
  [[noreturn]] void refuse(const std::string& what, std::string_view hint = {}) const {
    throw ModelError(shown_, what, hint);
  }
  void read_model();
  void read_vocabulary(bool sentence_piece);
  void read_added();
  void check_merges() const;
  void read_byte_level();
  std::string expression_of_steps();
  void check_whole_words(bool are_taken);
  void read_sentence_piece();
  void make_scores();
  void read_post_processor();

  std::string shown_;
  std::vector<std::string>& notes_;
  TokenizerLists lists_;
  Json json_;  // without them
  const Json* model_ = nullptr;
  TokenList tokens_;
  TokenizerJson result_;
};

TokenizerJson TokenizerReader::read() {
  read_model();
  const bool sentence_piece = flag_at(*model_, "byte_fallback", false);
  read_vocabulary(sentence_piece);
  read_added();
  check_merges();
  HfVocabulary& v = result_.vocabulary;
  v.model = sentence_piece ? "llama" : "gpt2";
  tokens_.take(v.tokens, v.types);
  if (sentence_piece) {
    read_sentence_piece();
  } else {
    read_byte_level();
  }
  read_post_processor();
  return std::move(result_);
}

void TokenizerReader::read_model() {
  const auto model = json_.find("model");
  if (model == json_.end() || !model->is_object()) refuse("has no model", "download it again");
  model_ = &*model;
  // Files from before the field existed have BPE's own fields.
  const std::string type = text_at(*model_, "type");
  if (type != "BPE" && !(type.empty() && model_->contains("merges"))) {
    refuse("a tokenizer of the type '" + printable(type, kMaxPrintedName) + "' is not supported",
           "byte-level BPE and SentencePiece's BPE are");
  }
  for (const char* field : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    if (is_set(*model_, field)) refuse(std::string("model.") + field + " is set, which is not supported");
  }
  result_.unknown = text_at(*model_, "unk_token");
}

void TokenizerReader::read_vocabulary(bool sentence_piece) {
  const auto vocab = model_->find("vocab");
  if (vocab == model_->end() || !vocab->is_object() || lists_.vocab.empty()) {
    refuse("model.vocab is missing or empty", "download it again");
  }
  for (auto& [spelling, id] : lists_.vocab) {
    if (!id) {
      refuse("model.vocab: the id of '" + printable(spelling, kMaxPrintedName) + "' is no whole number");
    }
    if (tokens_.contains(spelling)) {
      refuse("model.vocab: the key '" + printable(spelling, kMaxPrintedName) + "' stands twice",
             "it is damaged: download it again");
    }
    const bool is_byte = sentence_piece && parse_byte_token(spelling).has_value();
    tokens_.add(*id, std::move(spelling), is_byte ? TokenType::byte : TokenType::normal);
  }
}

void TokenizerReader::read_added() {
  const std::vector<AddedToken> added = read_added_tokens(json_, shown_);
  // By Hugging Face's library, which reads no number of theirs (findings/tokenizers-count-on.sh).
  std::uint64_t next = tokens_.size();
  std::string counted_on;
  for (const AddedToken& token : added) {
    if (!tokens_.contains(token.spelling)) {
      if (counted_on.empty() && token.id != next) {
        counted_on =
            "'" + printable(token.spelling, kMaxPrintedName) + "' is token " + std::to_string(token.id) +
            "; Hugging Face's library counts on from the vocabulary and gives it " + std::to_string(next);
      }
      ++next;
    }
    const TokenType type = !token.spelling.empty() && token.spelling == result_.unknown
                               ? TokenType::unknown
                               : type_of_added(token.spelling, token.is_special);
    tokens_.add_or_mark(token.id, token.spelling, type);
  }
  if (!counted_on.empty()) notes_.push_back(shown_ + ": added_tokens: " + counted_on);
  note_unlike_in_gguf(added, prepends_space(json_), shown_, notes_);
}

void TokenizerReader::check_merges() const {
  const auto merges = model_->find("merges");
  if (merges == model_->end() || !merges->is_array()) refuse("model.merges is missing", "download it again");
  const auto bad = std::ranges::find_if(lists_.merges, &std::string::empty);
  if (bad == lists_.merges.end()) return;
  refuse("model.merges: entry " + std::to_string(bad - lists_.merges.begin()) + " is no pair of pieces",
         "it is damaged: download it again");
}

// The expression that text is split by before bytes become characters.
std::string TokenizerReader::expression_of_steps() {
  const std::vector<const Json*> steps = steps_of(json_, "pre_tokenizer", "pretokenizers");
  const bool ends_in_bytes = !steps.empty() && steps.back()->is_object() &&
                             text_at(*steps.back(), "type") == "ByteLevel" &&
                             !flag_at(*steps.back(), "add_prefix_space", true);
  const bool by_itself = ends_in_bytes && flag_at(*steps.back(), "use_regex", true);
  if (steps.size() == 1 && by_itself) return std::string(kGpt2Expression);
  if (steps.size() == 2 && ends_in_bytes && !by_itself && steps[0]->is_object() &&
      text_at(*steps[0], "type") == "Split" && text_at(*steps[0], "behavior") == "Isolated" &&
      !flag_at(*steps[0], "invert", false)) {
    const auto pattern = steps[0]->find("pattern");
    if (pattern != steps[0]->end() && pattern->is_object()) return text_at(*pattern, "Regex");
  }
  refuse("its pre-tokenizer (" + names_of(steps) + ") is not known here",
         "text would be split in another way than the model was trained with");
}

void TokenizerReader::read_byte_level() {
  HfVocabulary& v = result_.vocabulary;
  const std::string expression = expression_of_steps();
  const std::vector<const Json*> normalizers = steps_of(json_, "normalizer", "normalizers");
  const bool nfc =
      normalizers.size() == 1 && normalizers[0]->is_object() && text_at(*normalizers[0], "type") == "NFC";
  const auto pre = pretokenizer_of(expression, nfc);
  if (!pre) {
    refuse("the expression of its pre-tokenizer, " + printable(expression, kMaxPrintedPath) +
               ", is not known here",
           "text would be split in another way than the model was trained with");
  }
  v.pre = *pre;
  const Pretokenizer known(*pre);
  if ((!normalizers.empty() && !nfc) || nfc != known.normalizes_to_nfc()) {
    refuse("its normalizer (" + names_of(normalizers) +
               ") is not that of other models with the pre-tokenizer " + v.pre,
           "such a tokenizer cannot be expressed in a GGUF file");
  }
  v.merges = std::move(lists_.merges);
  check_whole_words(known.prefers_whole_tokens());
}

// Some tokenizers take a word that is a token as it is, and some merge it; which one is said by the
// pre-tokenizer's name.
void TokenizerReader::check_whole_words(bool are_taken) {
  if (flag_at(*model_, "ignore_merges", false) == are_taken) return;
  const HfVocabulary& v = result_.vocabulary;
  const std::size_t n = count_unreached(v.tokens, v.types, v.merges);
  if (n == 0) return;
  notes_.push_back(shown_ + ": model.ignore_merges is " + (are_taken ? "not set" : "set") +
                   ", unlike in other models with the pre-tokenizer " + v.pre + "; the " + std::to_string(n) +
                   " tokens that merges do not lead to are " + (are_taken ? "used" : "not used") +
                   " where the model's own tokenizer does " + (are_taken ? "not" : "so"));
}

void TokenizerReader::read_sentence_piece() {
  const auto prefix = find_space_prefix(json_);
  if (!prefix) {
    refuse("its normalizer (" + names_of(steps_of(json_, "normalizer", "normalizers")) +
               ") and pre-tokenizer (" + names_of(steps_of(json_, "pre_tokenizer", "pretokenizers")) +
               ") are not SentencePiece's",
           "such a tokenizer cannot be expressed in a GGUF file");
  }
  result_.vocabulary.add_space_prefix = prefix->is_put;
  if (!prefix->unlike.empty()) notes_.push_back(shown_ + ": " + prefix->unlike);
  make_scores();
}

// SentencePiece merges whatever two pieces make the piece of the highest score. The merges were made of the
// scores: all that make one piece stand together, those of a higher score first. Only where that is so can
// the scores be had back.
void TokenizerReader::make_scores() {
  HfVocabulary& v = result_.vocabulary;
  std::unordered_map<std::string, std::size_t> rank_of;  // of the piece that is made
  std::unordered_set<std::string> pairs;
  std::string last;
  for (const std::string& merge : lists_.merges) {
    std::string piece = merge;
    piece.erase(piece.find(' '), 1);
    if (piece != last && !rank_of.emplace(piece, rank_of.size()).second) {
      refuse(
          "model.merges: those that make '" + printable(piece, kMaxPrintedName) + "' do not stand together",
          "the scores of a SentencePiece vocabulary cannot be had from them: get its tokenizer.model");
    }
    pairs.insert(merge);
    last = std::move(piece);
  }
  constexpr float kNeverMade = -1e6F;
  v.scores.assign(v.tokens.size(), kNeverMade);
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    if (v.is_added_space(id) && rank_of.contains(v.tokens[id])) v.types[id] = TokenType::normal;
  }
  std::unordered_set<std::string_view> normal;
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    if (v.types[id] == TokenType::normal) normal.insert(v.tokens[id]);
  }
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    if (v.types[id] != TokenType::normal) continue;
    const std::string_view piece = v.tokens[id];
    const auto rank = rank_of.find(v.tokens[id]);
    if (rank != rank_of.end()) v.scores[id] = -static_cast<float>(rank->second);
    for (std::size_t at = 1; at < piece.size(); ++at) {
      const std::string_view left = piece.substr(0, at);
      const std::string_view right = piece.substr(at);
      if (!normal.contains(left) || !normal.contains(right)) continue;
      if (pairs.contains(joined_merge(left, right))) continue;
      refuse("model.merges: '" + printable(piece, kMaxPrintedName) + "' is not made of '" +
                 printable(left, kMaxPrintedName) + "' and '" + printable(right, kMaxPrintedName) +
                 "', which SentencePiece would do",
             "the scores of a SentencePiece vocabulary cannot be had from them: get its tokenizer.model");
    }
  }
}

// What is put before and behind a text.
void TokenizerReader::read_post_processor() {
  HfVocabulary& v = result_.vocabulary;
  const TextFrame frame = read_text_frame(json_, v.tokens);
  if (!frame.is_said) return;
  if (frame.before.n > 1 || frame.after.n > 1) {
    const bool is_before = frame.before.n > 1;
    refuse("its post_processor puts " + std::to_string((is_before ? frame.before : frame.after).n) +
               " tokens " + (is_before ? "before" : "behind") + " every text",
           "a GGUF file can say one: BOS before it, EOS behind it");
  }
  result_.says_bos = true;
  v.add_bos = frame.before.n > 0;
  v.add_eos = frame.after.n > 0;
  if (v.add_bos) result_.first_special = frame.before.first;
  if (v.add_eos) result_.last_special = frame.after.first;
}

}  // namespace

TokenizerJson read_tokenizer_json(const std::string& path, std::uint64_t n_rows,
                                  std::vector<std::string>& notes) {
  return TokenizerReader(path, n_rows, notes).read();
}

std::optional<JsonBesideModel> read_json_beside_model(const std::string& path,
                                                      std::vector<std::string>& notes) {
  TokenizerLists lists;
  const Json json = read_object(path, kLimits, &lists);
  const auto model = json.find("model");
  const bool is_sentencepiece =
      model != json.end() && model->is_object() && flag_at(*model, "byte_fallback", false);
  if (!is_sentencepiece) return std::nullopt;
  const std::string shown = printable(path, kMaxPrintedPath);
  JsonBesideModel result{.added = read_added_tokens(json, shown), .puts_space_prefix = std::nullopt};
  note_unlike_in_gguf(result.added, prepends_space(json), shown, notes);
  if (const auto prefix = find_space_prefix(json)) {
    result.puts_space_prefix = prefix->is_put;
    if (!prefix->unlike.empty()) notes.push_back(shown + ": " + prefix->unlike);
  }
  return result;
}

}  // namespace bitnet::convert
