#include "cli/help/man_page.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/joined.h"
#include "bitnet/version.h"

namespace bitnet::cli {
namespace {

// Text of ours as roff takes it: a hyphen that is to be typed is not one that is to be read.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string entry(const Option& option) {
  std::string names = joined(option.names(), bold);
  if (!option.is_flag()) names += (names.empty() ? "" : " ") + italic(option.value());
  std::string text = roff(option.description());
  if (!option.default_str().empty()) text += " [default: " + roff(option.default_str()) + "]";
  if (!option.envname().empty()) text += " [environment: " + roff(option.envname()) + "]";
  return ".TP\n" + names + "\n" + text + "\n";
}

std::string command_section(const Command& command) {
  std::string text = ".SS " + bold("bitnet " + command.name()) + " [\\fIOPTIONS\\fR]";
  for (const Option& option : command.options()) {
    if (!option.positional().empty()) text += " " + italic("[" + option.value() + "]");
  }
  text += "\n" + roff(command.description()) + ".\n";
  for (const std::string& group : command.groups()) {
    text += ".P\n" + roff(group) + ":\n";
    for (const Option& option : command.options()) {
      if (option.group() == group) text += entry(option);
    }
  }
  if (!command.examples().empty()) {
    text += ".P\nExamples:\n.P\n.nf\n";
    for (const std::string& example : command.examples()) text += roff(example) + "\n";
    text += ".fi\n";
  }
  if (command.footer().empty()) return text;
  return text + ".P\n.nf\n" + roff(command.footer()) + "\n.fi\n";
}

constexpr std::string_view kDescription = R"(.SH DESCRIPTION
Runs ternary (1.58\-bit) language models on CPUs.
Without a model, by \fB\-m\fR or \fBBITNET_MODEL\fR, every command uses a
small one that is compiled in and says so on stderr.
.P
.B bitnet
without a command lists them on stderr and ends with exit code 2;
\fBbitnet help\fR [\fICOMMAND\fR] and \fB\-\-help\fR print the everyday options, \fB\-\-help\-all\fR all.
A word that a command doesn't know is answered with the one that was meant.
.P
Of an option that is given several times the last counts, so that an alias can set what a command line changes;
\fB\-\-stop\fR takes all, and a prompt (\fB\-p\fR, \fB\-f\fR, \fB\-\-ids\fR) may be given once only.
The prompt of \fBrun\fR and \fBtokenize\fR, and the model of \fBchat\fR, \fBbench\fR, \fBinspect\fR and
\fBverify\fR, need no option's name before them. After \fB\-\-\fR nothing is an option.
.P
Of a prompt read from a file the final newline is left out, and a byte order mark; \fBtokenize\fR keeps both.
.P
stdout carries the result and nothing else.
Progress, statistics and warnings go to stderr.
The same command prints the same bytes every time: the default seed is fixed.
)";

constexpr std::string_view kEnd = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Failed while running; output that could not be written, for one.
.TP
.B 2
Wrong usage.
.TP
.B 3
The model or an input file was refused.
.TP
.B 4
A check did not hold.
.TP
.B 130
Interrupted.
.TP
.B 141
Nobody read stdout to its end, as in \fBbitnet ... | head\fR: the process dies of SIGPIPE, as others do, without a message.
.P
An error is one line on stderr: what, where, and what to do.
.SH ENVIRONMENT
.TP
.B BITNET_MODEL
The model file; stands in for \fB\-m\fR, but not for what \fBconvert\fR reads.
.TP
.B BITNET_THREADS
Stands in for \fB\-t\fR.
.TP
.B BITNET_BACKEND
Stands in for \fB\-\-backend\fR.
.TP
.B NO_COLOR
If not empty, no colour.
.TP
.B COLUMNS
How wide \fB\-\-help\fR is; otherwise as the terminal, or 80.
.SH A REAL MODEL
The compiled\-in model knows a few hundred facts. A real one is \fBmicrosoft/BitNet\-b1.58\-2B\-4T\-gguf\fR on
Hugging Face, the file \fBggml\-model\-i2_s.gguf\fR: 1.19 GB, about 1.2 GiB of memory and what the context takes.
Nothing is downloaded by
.B bitnet
itself:
.P
.EX
curl \-fLO https://huggingface.co/microsoft/BitNet\-b1.58\-2B\-4T\-gguf/resolve/main/ggml\-model\-i2_s.gguf
bitnet inspect ggml\-model\-i2_s.gguf
bitnet chat ggml\-model\-i2_s.gguf
.EE
.SH FILES
.TP
.I $XDG_STATE_HOME/bitnet/chat_history
What was typed in \fBbitnet chat\fR. \fB\-\-no\-history\fR keeps it as it is.
.TP
.I MODEL.screened\-head, MODEL.int8\-head
A copy of the head of the model file \fIMODEL\fR, beside it or where
\fB\-\-head\-cache\fR says: written and used by \fB\-\-head screened\-cached\fR and
\fBint8\-cached\fR, made anew when the model changes. It may be deleted at any time.
.TP
.I ~/.editrc
Keys of the line editor in \fBbitnet chat\fR; see \fBeditrc\fR(5).
.SH EXAMPLES
.EX
bitnet run "The capital of France is"
bitnet run \-m model.gguf \-f prompt.txt \-\-stop "User:" > answer.txt
bitnet chat model.gguf \-\-system "Answer in one sentence."
bitnet bench \-\-synthetic 2b\-4t \-p 128,512 \-n 32 \-t 1,2
bitnet inspect model.gguf && bitnet verify model.gguf
bitnet perplexity \-m model.gguf \-f text.txt \-c 2048
.EE
)";

}  // namespace

std::string man_page(const Command& app) {
  std::string text = ".\\\" Made by: bitnet completions man\n.TH BITNET 1 \"\" \"bitnet " +
                     std::string(version()) +
                     "\" \"User Commands\"\n.SH NAME\nbitnet \\- run ternary language models on CPUs\n"
                     ".SH SYNOPSIS\n\\fBbitnet\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n";
  text += kDescription;
  text += ".SH OPTIONS\n";
  for (const Option& option : app.options()) text += entry(option);
  text += ".SH COMMANDS\n";
  for (const Command& command : app.subcommands()) text += command_section(command);
  return text.append(kEnd);
}

}  // namespace bitnet::cli
