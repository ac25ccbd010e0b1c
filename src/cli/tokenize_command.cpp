#include "cli/tokenize_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/help/real_model.h"
#include "cli/options/builtin_model.h"
#include "cli/options/escapes.h"
#include "cli/options/prompt_input.h"
#include "cli/options/token_ids.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "diagnostics/json_text.h"
#include "gguf/gguf.h"
#include "model/read_vocabulary.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

struct Options {
  std::string model;
  std::optional<std::string> text;
  std::vector<std::string> ids;
  std::optional<std::string> file;
  bool escape = false;
  bool null = false;  // many texts, each ended by a NUL
  bool no_bos = false;
  bool special = false;
  bool pieces = false;
  bool count = false;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

void add_model_and_messages(Command& c, Options& o) {
  auto* model = c.add_option("-m,--model", o.model, "GGUF file; none: the canary");
  model->type_name("FILE")->envname("BITNET_MODEL")->file_ending(".gguf")->group("Model");
  c.add_flag("-q,--quiet", o.quiet, "Only errors on stderr")->group("Messages");
  c.add_flag("-v,--verbose", o.verbose, "More detail on stderr")->group("Messages");
  add_help(c);
}

// Of the weights nothing is read.
gguf::File open_model(const Options& o) {
  set_verbosity(o.quiet, o.verbose);
  if (!o.model.empty()) {
    check_model_exists(o.model);
    gguf::File file = gguf::File::open(o.model);
    if (const std::string notice = file.read_notice(); !notice.empty()) log_info("{}", notice);
    return file;
  }
  say_builtin_model();
  return gguf::File::from_bytes(builtin_model(), kBuiltinModelName);
}

// --- tokenize
//
// tokenize --json prints one object:
//   schema, version   "bitnet.tokens", 1
//   program, commit   that wrote it
//   model             the file, or the built-in model's name
//   add_bos, special  whether BOS comes first, if the model asks for it; whether control tokens were
//                     recognised in the text
//   n_bytes           of the text
//   n_tokens
//   ids               of all tokens, as detokenize takes them
//   tokens            one object for each:
//     id
//     begin, end      the bytes of the text that it stands for, from 0, end excluded; equal where it stands
//     for
//                     none (BOS)
//     piece           what it spells, a control token its name; null if that is no UTF-8 by itself
//     bytes           the same in hexadecimal
//     control         whether it is a control token

std::string token_json(const Tokenizer& tokenizer, const TokenSpan& span) {
  const std::string_view piece = tokenizer.bytes_of(span.id, /*with_special=*/true);
  return Json{{"id", to_int(span.id)},  {"begin", span.begin},
              {"end", span.end},        {"piece", text_json(piece)},
              {"bytes", hex_of(piece)}, {"control", tokenizer.is_control(span.id)}}
      .dump();
}

// Hands out many short lines as a few long ones; false once interrupted.
class Printer {
 public:
  bool line(std::string_view text) {
    block_.append(text).push_back('\n');
    if (block_.size() >= kBlock) flush();
    return !interrupted();
  }
  void flush() {
    if (!block_.empty()) write_stdout(std::exchange(block_, {}));
  }

 private:
  static constexpr std::size_t kBlock = 65536;
  std::string block_;
};

bool print_json(const Tokenizer& tokenizer, const std::string& model, const EncodeOptions& encoding,
                std::size_t n_bytes, const std::vector<TokenSpan>& spans) {
  Json head = schema_json("bitnet.tokens", 1);
  head.update({{"model", printable(model, kMaxPrintedPath)},
               {"add_bos", encoding.add_bos},
               {"special", encoding.parse_special},
               {"n_bytes", n_bytes},
               {"n_tokens", spans.size()},
               {"ids", Json::array()}});
  for (const TokenSpan& span : spans) {
    head["ids"].push_back(to_int(span.id));
    if (interrupted()) return false;  // before anything is printed
  }
  std::string text = head.dump();
  text.pop_back();  // the brace; what follows may be too large to be put together in memory
  Printer printer;
  printer.line(text + ",\"tokens\":[");
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!printer.line(token_json(tokenizer, spans[i]) + (i + 1 < spans.size() ? "," : ""))) return false;
  }
  printer.line("]}");
  printer.flush();
  return !interrupted();
}

bool print_pieces(const Tokenizer& tokenizer, const std::vector<TokenSpan>& spans) {
  Printer printer;
  for (const TokenSpan& span : spans) {
    const std::string piece = printable(tokenizer.bytes_of(span.id, /*with_special=*/true), kNoLimit);
    if (!printer.line(fmt::format("{}\t{}\t{}\t{}", to_int(span.id), span.begin, span.end, piece)))
      return false;
  }
  printer.flush();
  return !interrupted();
}

std::string ids_line(const std::vector<TokenId>& ids) {
  std::string line;
  for (const TokenId id : ids) {
    const fmt::format_int digits(to_int(id));
    line.append(digits.data(), digits.size()).push_back(' ');
  }
  if (!line.empty()) line.pop_back();
  return line;
}

// A line for each text: the whole, or those that a NUL ends.
bool print_lines(const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& encoding,
                 const Options& o) {
  Printer printer;
  const auto print = [&](std::string_view one) {
    const std::vector<TokenId> ids = tokenizer.encode(one, encoding);
    return printer.line(o.count ? std::to_string(ids.size()) : ids_line(ids));
  };
  if (!o.null) {
    if (!print(text)) return false;
  } else {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\0'), text.size());
      if (!print(text.substr(0, end))) return false;
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  printer.flush();
  return !interrupted();
}

std::string read_text(const Options& o) {
  if (o.text) return o.escape ? unescape(*o.text, "--prompt") : *o.text;
  if (o.file) return read_input(*o.file, "the text");
  throw UsageError("no text: pass -p TEXT, -f FILE, or -f - to read it from stdin");
}

ExitCode tokenize(const Options& o) {
  const std::string text = read_text(o);
  const gguf::File file = open_model(o);
  const FileTokenizer vocabulary = read_tokenizer(file);
  require_text(file.name(), vocabulary.spelling);
  for (const std::string& warning : vocabulary.warnings)
    log_warn("{}: {}", printable(file.name(), kMaxPrintedPath), warning);
  const Tokenizer& tokenizer = vocabulary.tokenizer;
  const EncodeOptions encoding{.add_bos = !o.no_bos, .parse_special = o.special};
  bool complete = !interrupted();
  if (o.json || o.pieces) {
    const std::vector<TokenSpan> spans = tokenizer.encode_spans(text, encoding);
    if (interrupted()) return ExitCode::interrupted;
    complete = o.json ? print_json(tokenizer, file.name(), encoding, text.size(), spans)
                      : print_pieces(tokenizer, spans);
  } else if (complete) {
    complete = print_lines(tokenizer, text, encoding, o);
  }
  return complete ? ExitCode::done : ExitCode::interrupted;
}

// --- detokenize
//
// detokenize --json prints one object:
//   schema, version   "bitnet.text", 1
//   program, commit   that wrote it
//   model             the file, or the built-in model's name
//   n_tokens
//   text              null if the bytes are no UTF-8
//   bytes             the same in hexadecimal
//   special           whether control tokens are shown

std::vector<TokenId> read_ids(const Options& o) {
  if (o.file) return parse_token_ids(read_input(*o.file, "the ids"), *o.file == "-" ? "stdin" : *o.file);
  if (o.ids.empty()) throw UsageError("no ids: pass them, -f FILE, or -f - to read them from stdin");
  std::string joined;
  for (const std::string& word : o.ids) joined += word + " ";
  return token_ids_of(joined, "ids");
}

ExitCode detokenize(const Options& o) {
  const std::vector<TokenId> ids = read_ids(o);
  const gguf::File file = open_model(o);
  const FileTokenizer vocabulary = read_tokenizer(file);
  const Tokenizer& tokenizer = vocabulary.tokenizer;
  check_token_ids(ids, tokenizer.vocab_size());
  const std::string text = tokenizer.decode(ids, o.special);
  if (interrupted()) return ExitCode::interrupted;
  if (o.json) {
    Json all = schema_json("bitnet.text", 1);
    all.update({{"model", printable(file.name(), kMaxPrintedPath)},
                {"n_tokens", ids.size()},
                {"text", text_json(text)},
                {"bytes", hex_of(text)},
                {"special", o.special}});
    write_stdout(all.dump() + "\n");
    return ExitCode::done;
  }
  write_stdout(text);
  if (stdout_is_terminal() && !text.ends_with('\n')) write_stdout("\n");
  return ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_tokenize_command(Command& app) {
  auto o = std::make_shared<Options>();
  Command& c = *app.add_subcommand("tokenize", "Text to token ids");
  auto* text = add_prompt(c, o->text, "The text");
  auto* file = c.add_option("-f,--file", o->file,
                            "Read it from a file; - is stdin. Every byte counts, the final newline that run "
                            "leaves out too");
  file->type_name("FILE")->excludes(text)->only_once();
  auto* escape =
      c.add_flag("-e,--escape", o->escape, "\\n, \\t, \\\\, \\xNN, \\uNNNN in TEXT are characters");
  auto* no_bos = c.add_flag("--no-bos", o->no_bos, "Never BOS first; otherwise as the model asks");
  auto* special = c.add_flag("--special", o->special, "Recognise control tokens in the text");
  for (Option* option : {text, file, escape, no_bos, special}) option->group("Text");
  auto* pieces = c.add_flag("--pieces", o->pieces, "A line each: id, begin, end, piece; tabs between");
  auto* count = c.add_flag("--count", o->count, "Only how many tokens there are")->excludes(pieces);
  auto* json = c.add_flag("--json", o->json, "One JSON object")->excludes(pieces)->excludes(count);
  auto* null = c.add_flag("-0,--null", o->null, "Many texts, a NUL behind each: a line for each");
  null->excludes(pieces)->excludes(json);
  for (Option* option : {pieces, count, json, null}) option->group("Output (otherwise the ids on one line)");
  add_model_and_messages(c, *o);
  c.example("bitnet tokenize -m model.gguf \"What is 2+2?\" --pieces");
  return [o] { return tokenize(*o); };
}

std::function<ExitCode()> add_detokenize_command(Command& app) {
  auto o = std::make_shared<Options>();
  Command& c = *app.add_subcommand("detokenize", "Token ids to text");
  auto* ids = c.add_option("ids", o->ids, "Token ids, or a JSON array of them")->type_name("ID...");
  auto* file = c.add_option("-f,--file", o->file, "Read the ids from a file; - is stdin");
  file->type_name("FILE")->excludes(ids);
  auto* special = c.add_flag("--special", o->special, "Show control tokens");
  for (Option* option : {ids, file, special}) option->group("Ids");
  c.add_flag("--json", o->json, "One JSON object")->group("Output (otherwise the text's bytes alone)");
  add_model_and_messages(c, *o);
  return [o] { return detokenize(*o); };
}

}  // namespace bitnet::cli
