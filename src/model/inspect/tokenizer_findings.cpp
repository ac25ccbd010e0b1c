#include <algorithm>
#include <optional>
#include <string>

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "model/inspect/inspection_findings.h"
#include "model/inspect/known_defects.h"
#include "model/read_vocabulary.h"

namespace bitnet {
namespace {

using enum FindingLevel;

std::string quoted(std::string_view text) { return "'" + printable(text, kMaxPrintedName) + "'"; }

// "128001 '<|end_of_text|>'"
std::string token_name(const Tokenizer& tokenizer, TokenId id) {
  return std::to_string(to_int(id)) + " " + quoted(tokenizer.bytes_of(id, /*with_special=*/true));
}

void add_spelling(Inspection& out, const FileTokenizer& read) {
  if (read.spelling.verdict == Spelling::Verdict::ids_only) {
    out.add(
        warning, "text", std::string(read.spelling.key) + ": " + read.spelling.what,
        "the weights were made up for tests or measurements: the engine runs them on token ids, and refuses "
        "text for them",
        "nothing, if that is what the file is for; otherwise convert the model again with its tokenizer");
  } else {
    out.add(ok, "text", "every printable ASCII character and a sentence come back from their tokens",
            "words become fewer tokens than they have bytes");
  }
  for (const std::string& w : read.warnings) {
    out.add(warning, "vocabulary", w, "the file is not quite right; the engine takes it all the same",
            "convert the model again with its tokenizer if its text is not what you expect");
  }
}

void add_pretokenizer(Inspection& out, const Vocabulary& v) {
  if (v.model != "gpt2") return;
  if (const auto instead = pretokenizer_instead(v)) {
    out.add(
        warning, "pre-tokenizer",
        "tokenizer.ggml.pre is " + quoted(v.pre) + ", and the vocabulary is that of Llama 3",
        "some converters write that name beside it, by which text would be cut in another way than the model "
        "was trained with; the engine takes " +
            std::string(*instead),
        "let bitnet convert write the right name down, for other programs");
    return;
  }
  if (!v.pre.empty()) {
    out.add(ok, "pre-tokenizer", "tokenizer.ggml.pre is " + quoted(v.pre),
            "the engine has this pattern for cutting text before it merges bytes");
    return;
  }
  out.add(note, "pre-tokenizer", "tokenizer.ggml.pre is missing",
          "nothing says how text is cut before bytes are merged; the published BitNet-b1.58-2B-4T file has "
          "this gap and was trained with llama-bpe, which the engine takes",
          "nothing, if the model is of the Llama 3 or BitNet family; otherwise convert it again with its "
          "tokenizer, or words will be cut in unfamiliar ways");
}

void add_token_types(Inspection& out, const Vocabulary& v) {
  if (!v.types.empty()) return;
  out.add(warning, "token types", "tokenizer.ggml.token_type is missing",
          "nothing says which tokens are control tokens; the engine takes those spelled like an end of turn "
          "for such and all others for text",
          "convert the model again with its tokenizer if chat answers don't end");
}

void add_bos(Inspection& out, const Vocabulary& v, const Tokenizer& tokenizer) {
  const std::string does = tokenizer.adds_bos()
                               ? "the engine puts " + token_name(tokenizer, *tokenizer.bos()) + " first, once"
                               : std::string("the engine puts no BOS first");
  if (v.add_bos) {
    out.add(ok, "BOS", std::string("tokenizer.ggml.add_bos_token is ") + (*v.add_bos ? "true" : "false"),
            does);
  } else {
    out.add(note, "BOS", "tokenizer.ggml.add_bos_token is missing",
            "the habit of the tokenizer's family holds: " + does);
  }
}

void add_ends(Inspection& out, const Tokenizer& tokenizer) {
  const std::string ends =
      joined(tokenizer.end_tokens(), [&](TokenId id) { return token_name(tokenizer, id); });
  if (ends.empty()) {
    out.add(warning, "end of text", "no token ends the text",
            "tokenizer.ggml.eos_token_id is missing and no control token is spelled like an end; generation "
            "goes on until --max-tokens or the context is full",
            "pass -n or --stop");
    return;
  }
  if (const auto eot = end_of_turn_beside_eos(tokenizer)) {
    out.add(note, "end of turn",
            "EOS is " + token_name(tokenizer, *tokenizer.eos()) + ", but a turn ends with " +
                token_name(tokenizer, *eot),
            "an engine that stops on EOS alone runs on after an answer, as with the published 2B-4T file; "
            "this one stops on all of " +
                ends);
    return;
  }
  out.add(ok, "end of text", "generation stops on " + ends,
          "what the file names, and control tokens so spelled");
}

void add_thinking(Inspection& out, ChatTemplate t, const ChatHints& hints, const Tokenizer& tokenizer) {
  const ThinkingForms forms = thinking_forms(t, hints, tokenizer);
  if (forms.is_other) {
    out.add(warning, "thinking", "the template has the model think in a way that the engine does not know",
            "nothing is put before an answer, and what was thought is not left out of later turns",
            "expect answers that are worse than the model's");
  }
  if (forms.unasked == Thinking::none) return;
  const std::string asked = std::string(forms.off ? "--think off" : "") +
                            (forms.off && forms.on ? " and " : "") + (forms.on ? "--think on" : "");
  out.add(ok, "thinking",
          forms.unasked == Thinking::skipped
              ? "the template has the model answer at once, unless asked to think"
              : "the template lets the model think before it answers",
          "what stands between <think> and </think> is left out of later turns; run --template auto and chat "
          "take " +
              asked);
}

void add_template(Inspection& out, const gguf::File& file, const Tokenizer& tokenizer) {
  const auto value = file.find("tokenizer.chat_template");
  const std::string_view jinja = value ? value->as_string().value_or("") : std::string_view();
  const ChatChoice choice = choose_chat_template({out.architecture, jinja}, tokenizer);
  const std::string name = choice.chosen ? std::string(name_of(*choice.chosen)) : std::string();
  if (!choice.chosen) {
    const std::string usable = usable_chat_templates(tokenizer);
    out.add(warning, "chat template", choice.obstacle,
            "templates are recognised, not executed, and need their control tokens; run --template auto and "
            "chat refuse to guess",
            usable.empty() ? "use run without --template: none of the program's templates fits the vocabulary"
                           : "pass --template NAME: " + usable);
  } else if (jinja.empty()) {
    out.add(note, "chat template", "tokenizer.chat_template is missing",
            "the engine takes the template " + name + ", by architecture and vocabulary",
            "pass --template NAME if the model was trained on another: " + usable_chat_templates(tokenizer));
  } else if (is_obsolete_template(jinja)) {
    out.add(note, "chat template", "an obsolete one (\"Human: ... BITNETAssistant:\")",
            "the published 2B-4T file carries it, but the model was trained on \"User: ...<|eot_id|>"
            "Assistant: \"; the engine uses that, its template " +
                name);
  } else {
    out.add(ok, "chat template", "recognised as " + name, "run --template auto and chat use it");
    add_thinking(out, *choice.chosen, {out.architecture, jinja}, tokenizer);
  }
}

}  // namespace

void add_tokenizer_findings(Inspection& out, const gguf::File& file) {
  try {
    const Vocabulary vocabulary = read_vocabulary(file);
    const FileTokenizer read = read_tokenizer(file);
    const Tokenizer& tokenizer = read.tokenizer;
    out.add(ok, "vocabulary",
            std::to_string(tokenizer.vocab_size()) + " tokens, tokenizer model " + quoted(vocabulary.model),
            vocabulary.model == "gpt2" ? "byte-level BPE" : "SentencePiece BPE");
    add_spelling(out, read);
    add_pretokenizer(out, vocabulary);
    add_token_types(out, vocabulary);
    add_bos(out, vocabulary, tokenizer);
    add_ends(out, tokenizer);
    add_template(out, file, tokenizer);
  } catch (const RuntimeError&) {
    throw;  // no fault of the file
  } catch (const Error& e) {
    out.add(error, "vocabulary", e.what(), "text cannot be turned into tokens; the engine refuses the file",
            "convert the model again with its tokenizer");
  }
}

}  // namespace bitnet
