// Texts and token ids, and the Jinja of chat templates.
#include <array>

#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "fuzz/target.h"
#include "support/small_model.h"
#include "tokenizer/jinja.h"
#include "tokenizer/recognise_template.h"
#include "tokenizer/recognise_thinking.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabularies.h"

namespace bitnet::fuzz {
namespace {

using test::VocabularyBuilder;

// A vocabulary with all bytes, some words and control tokens of that kind.
VocabularyBuilder small_vocabulary(const char* model, const char* pre) {
  VocabularyBuilder builder(model, pre);
  builder.add_bytes();
  if (std::string_view(model) == "llama") {
    for (const char* piece : {"\xe2\x96\x81", "\xe2\x96\x81t", "he", "\xe2\x96\x81the", "in", "\xc3\xa9"}) {
      builder.add(piece, TokenType::normal, -1.0F);
    }
  } else {
    builder.add_merged("t", "h");
    builder.add_merged("th", "e");
    builder.add_merged("i", "n");
  }
  builder.add("<|eot_id|>", TokenType::control);
  builder.add("<tool>", TokenType::user_defined);
  return builder;
}

struct TokenizerKind {
  const Tokenizer* tokenizer;
  bool is_exact;  // what is encoded comes back byte for byte
};

std::span<const TokenizerKind> kinds() {
  static const std::array builders{small_vocabulary("llama", ""), small_vocabulary("gpt2", "gpt-2"),
                                   small_vocabulary("gpt2", "qwen2"), small_vocabulary("gpt2", "qwen35")};
  static const std::array tokenizers{builders[0].build(), builders[1].build(), builders[2].build(),
                                     builders[3].build()};
  static const std::array all{TokenizerKind{&test::canary_tokenizer(), true},
                              TokenizerKind{&tokenizers[0], false}, TokenizerKind{&tokenizers[1], true},
                              TokenizerKind{&tokenizers[2], false}, TokenizerKind{&tokenizers[3], false}};
  return all;
}

// The first byte says which vocabulary and how, the rest is the text; then it is ids, two bytes each.
void run_tokenizer(std::string_view input) {
  if (input.empty()) return;
  const auto how = static_cast<unsigned char>(input[0]);
  const std::string_view text = input.substr(1);
  const TokenizerKind& kind = kinds()[how % kinds().size()];
  const Tokenizer& tokenizer = *kind.tokenizer;
  const EncodeOptions options{.parse_special = (how & 64U) != 0, .continues_text = (how & 128U) != 0};

  const std::vector<TokenSpan> spans = tokenizer.encode_spans(text, options);
  const std::vector<TokenId> ids = tokenizer.encode(text, options);
  require(spans.size() == ids.size(), "as many spans as tokens");
  std::size_t end = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(spans[i].id == ids[i] && spans[i].begin == end && spans[i].end >= end,
            "spans follow one another");
    end = spans[i].end;
    require(to_int(ids[i]) >= 0 && to_index(ids[i]) < tokenizer.vocab_size(), "an id outside the vocabulary");
  }
  require(end == text.size(), "spans cover the text");
  if (kind.is_exact) require(tokenizer.decode(ids, true) == text, "a text comes back as it was");

  std::vector<TokenId> any;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    any.push_back(
        TokenId{static_cast<unsigned char>(text[i]) - 8 + 256 * static_cast<signed char>(text[i + 1])});
  }
  (void)tokenizer.decode(any);
  Detokenizer stream(tokenizer, (how & 64U) != 0, (how & 128U) == 0);
  std::string streamed;
  for (const TokenId id : any) {
    stream.push(id, streamed);
    require(is_utf8(streamed), "a stream is valid UTF-8 at any time");
  }
  stream.flush(streamed);
  require(is_utf8(streamed), "a stream is valid UTF-8 at its end");
}

std::vector<std::string> texts() {
  std::vector<std::string> all;
  for (std::size_t how = 0; how < kinds().size(); ++how) {
    for (const char* text :
         {"The theme in Th\xc3\xa9 <|eot_id|> 1234 don't\r\n\n  it's <tool>",
          "\xe2\x96\x81 e\xcc\x81\xed\x95\x9c\xe1\x84\x92\xe1\x85\xa1 \xf0\x9f\x98\x80\xff\xc0 \t"}) {
      all.push_back(static_cast<char>(how + 64 * all.size()) + std::string(text));
    }
  }
  return all;
}

void run_chat_template(std::string_view input) {
  (void)recognise_template(input);
  (void)recognise_thinking(input);
  (void)evaluate_jinja(input, std::nullopt);
  for (std::string_view rest = input; !rest.empty();) {
    const std::size_t before = rest.size();
    const JinjaPiece piece = take_jinja_piece(rest);
    require(rest.size() + piece.whole.size() == before && !piece.whole.empty(), "pieces make up the text");
    (void)keyword_of(piece);
    for (const bool thinks : {false, true}) (void)evaluate_jinja(piece.inner, thinks);
  }
}

std::vector<std::string> templates() {
  return {
      "{% for m in messages %}{{'<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] "
      "| trim "
      "+ '<|eot_id|>'}}{% endfor %}{% if add_generation_prompt %}"
      "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
      "{%- if tools %}{# none #}{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role "
      "+ '\\n' + "
      "message.content + '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- "
      "'<|im_start|>assistant\\n' "
      "}}{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' "
      "}}"
      "{%- else %}{{- '<think>\\n' }}{%- endif %}{%- endif %}",
      "{{ 'a' if not (enable_thinking | default(true)) and 'x' != \"y\" else 'b' ~ 'c' }}"};
}

}  // namespace

const Target kTokenizer{
    "tokenizer", texts, run_tokenizer, {"<|eot_id|>", "<tool>", "\xe2\x96\x81", "\xcc\x81"}, 4000};
const Target kChatTemplate{
    "chat_template",
    templates,
    run_chat_template,
    {"{%", "%}", "{{", "}}", "{#", "#}", "{%-", "enable_thinking", "is defined", " if ", " else ", "default(",
     "namespace(", "<|im_start|>", "<|start_header_id|>"},
    6000};

}  // namespace bitnet::fuzz
