#include "cli/chat/line_editor.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "cli/chat/edit_library.h"
#include "cli/chat/terminal_input.h"
#include "cli/chat/wide_text.h"
#include "cli/terminal/cell_width.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {
namespace {

constexpr std::wstring_view kPasteEnd = L"\033[201~";
constexpr const wchar_t* kPrompt = L"> ";
constexpr const wchar_t* kBoldPrompt = L"\1\033[1m\1>\1\033[0m\1 ";  // a code needs a character after it

struct Free {
  void operator()(EditLine* editor) const { libedit().el_end(editor); }
  void operator()(HistoryW* history) const { libedit().history_wend(history); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// Rows from the prompt's to the cursor's where lines are broken at so many columns.
std::size_t rows_to_cursor(std::wstring_view before_cursor, std::size_t columns) {
  std::size_t row = 0;
  std::size_t column = std::wcslen(kPrompt);
  for (const wchar_t c : before_cursor) {
    const int width = ::wcwidth(c);
    const std::size_t wide = width < 0 ? 2 : static_cast<std::size_t>(width);  // a control is shown as ^X
    if (c == L'\n' || column + wide > columns) {
      ++row;
      column = 0;
    }
    if (c != L'\n') column += wide;
  }
  return row;
}

bool is_simple_terminal() {
  const char* const term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb" || *term == '\0';
}

}  // namespace

struct LineEditor::Impl {
  Impl(int screen, InputHistory& history, Completer completer);

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    libedit().el_wget(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static wchar_t* prompt(EditLine* editor) { return const_cast<wchar_t*>(of(editor).prompt_text); }
  static int get_char(EditLine* editor, wchar_t* out);
  static unsigned char insert_paste(EditLine* editor, wint_t);
  static unsigned char insert_line_break(EditLine* editor, wint_t);
  static unsigned char complete(EditLine* editor, wint_t);

  void add_keys();
  void list(const std::vector<std::string>& choices);
  void go_to_start_of_line();
  void remember(const std::string& line);
  void write_screen(const char* text) {
    std::fputs(text, out.get());
    std::fflush(out.get());
  }

  InputHistory& kept;
  Completer completer;
  TerminalInput input;
  Owned<std::FILE> in;
  Owned<std::FILE> out;
  const wchar_t* prompt_text;
  bool brackets_pastes;
  bool was_interrupted = false;
  bool had_text = false;  // when it was interrupted
  Owned<HistoryW> history;
  Owned<EditLine> editor;
};

LineEditor::Impl::Impl(int screen, InputHistory& history_file, Completer completes)
    : kept(history_file),
      completer(std::move(completes)),
      in(::fdopen(::dup(STDIN_FILENO), "r")),
      out(::fdopen(::dup(screen), "w")),
      prompt_text(no_color() || is_simple_terminal() ? kPrompt : kBoldPrompt),
      brackets_pastes(!is_simple_terminal()) {
  if (in == nullptr || out == nullptr) {
    throw RuntimeError(std::string("the terminal cannot be opened: ") + std::strerror(errno));
  }
  choose_locale();
  history.reset(libedit().history_winit());
  editor.reset(libedit().el_init("bitnet", in.get(), out.get(), out.get()));
  if (history == nullptr || editor == nullptr) throw RuntimeError("the line editor cannot be started");
  HistEventW event;
  libedit().history_w(history.get(), &event, H_SETSIZE, static_cast<int>(InputHistory::kMaxEntries));
  libedit().history_w(history.get(), &event, H_SETUNIQUE, 1);
  for (const std::string& line : kept.entries()) {
    libedit().history_w(history.get(), &event, H_ENTER, wide_of(line).c_str());
  }
  EditLine* const e = editor.get();
  libedit().el_wset(e, EL_CLIENTDATA, this);
  libedit().el_wset(e, EL_GETCFN, &Impl::get_char);
  libedit().el_wset(e, EL_PROMPT_ESC, &Impl::prompt, L'\1');
  libedit().el_wset(e, EL_HIST, libedit().history_w, history.get());
  libedit().el_wset(e, EL_EDITOR, L"emacs");
  // It has the terminal make \r of each \n, and the line end \r\n of a text that is pasted would be two.
  libedit().el_wset(e, EL_SETTY, L"-d", L"-icrnl", L"-inlcr", nullptr);
  add_keys();
  libedit().el_source(e, nullptr);
}

void LineEditor::Impl::add_keys() {
  EditLine* const e = editor.get();
  libedit().el_wset(e, EL_ADDFN, L"bitnet-paste", L"Insert what is pasted", &Impl::insert_paste);
  libedit().el_wset(e, EL_ADDFN, L"bitnet-line-break", L"Insert a line break", &Impl::insert_line_break);
  libedit().el_wset(e, EL_ADDFN, L"bitnet-complete", L"Complete a command or file name", &Impl::complete);
  constexpr std::pair<const wchar_t*, const wchar_t*> kKeys[] = {
      {L"\\e[200~", L"bitnet-paste"}, {L"\\e\\r", L"bitnet-line-break"},   {L"\\e\\n", L"bitnet-line-break"},
      {L"^R", L"em-inc-search-prev"}, {L"\\e[3~", L"ed-delete-next-char"}, {L"\\e[H", L"ed-move-to-beg"},
      {L"\\e[F", L"ed-move-to-end"},  {L"\\e[1~", L"ed-move-to-beg"},      {L"\\e[4~", L"ed-move-to-end"},
      {L"\\e[1;5C", L"em-next-word"}, {L"\\e[1;5D", L"ed-prev-word"},      {L"^I", L"bitnet-complete"},
  };
  for (const auto& [key, function] : kKeys) libedit().el_wset(e, EL_BIND, key, function, nullptr);
}

// From where libedit draws the line anew, for which it takes the cursor to be there. Most terminals have
// broken the line into other rows by now.
void LineEditor::Impl::go_to_start_of_line() {
  winsize size{};
  if (is_simple_terminal() || ::ioctl(fileno(out.get()), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return write_screen("\n");
  }
  const LineInfoW* const line = libedit().el_wline(editor.get());
  const std::size_t n_rows =
      rows_to_cursor({line->buffer, static_cast<std::size_t>(line->cursor - line->buffer)}, size.ws_col);
  const std::string up = n_rows == 0 ? "" : "\033[" + std::to_string(n_rows) + "A";
  write_screen(("\r" + up + "\033[J").c_str());
}

// 1 for a character, 0 at the end of input, -1 when a signal ends the waiting.
int LineEditor::Impl::get_char(EditLine* editor, wchar_t* out) {
  Impl& self = of(editor);
  for (;;) {
    char32_t c = 0;
    switch (self.input.next(c)) {
      case TerminalInput::Event::character:
        *out = static_cast<wchar_t>(c);
        return 1;
      case TerminalInput::Event::resized:
        libedit().el_resize(editor);
        self.go_to_start_of_line();
        libedit().el_wset(editor, EL_REFRESH);
        break;
      case TerminalInput::Event::continued:
        libedit().el_wset(editor, EL_PREP_TERM, 0);  // it believes to be prepared still
        libedit().el_wset(editor, EL_PREP_TERM, 1);
        libedit().el_wset(editor, EL_REFRESH);
        break;
      case TerminalInput::Event::interrupted: {
        const LineInfoW* const line = libedit().el_wline(editor);
        self.had_text = line->lastchar != line->buffer;
        if (line->cursor != line->lastchar) {  // what comes next stands below all of it
          self.go_to_start_of_line();
          libedit().el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
          libedit().el_wset(editor, EL_REFRESH);
        }
        self.was_interrupted = true;
        return -1;
      }
      case TerminalInput::Event::end:
        return 0;
    }
  }
}

// All of it becomes part of the line, line breaks too. Other controls would be taken for keys.
unsigned char LineEditor::Impl::insert_paste(EditLine* editor, wint_t /*key*/) {
  std::wstring text;
  for (wchar_t c = 0; libedit().el_wgetc(editor, &c) == 1;) {
    if (text.size() < kMaxMessageBytes) {
      text.push_back(c);
    } else {  // the end is still to be found
      text.erase(text.size() - kPasteEnd.size(), 1).push_back(c);
    }
    if (text.ends_with(kPasteEnd)) {
      text.resize(text.size() - kPasteEnd.size());
      break;
    }
  }
  std::wstring clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const wchar_t c = text[i];
    if (c == L'\r' && i + 1 < text.size() && text[i + 1] == L'\n') continue;
    if (c == L'\r' || c == L'\n') {
      clean.push_back(L'\n');
    } else if (c == L'\t' || (c >= 0x20 && c != 0x7F)) {
      clean.push_back(c);
    }
  }
  while (clean.ends_with(L'\n')) clean.pop_back();
  libedit().el_winsertstr(editor, clean.c_str());
  return CC_REFRESH;
}

unsigned char LineEditor::Impl::insert_line_break(EditLine* editor, wint_t /*key*/) {
  libedit().el_winsertstr(editor, L"\n");
  return CC_REFRESH;
}

unsigned char LineEditor::Impl::complete(EditLine* editor, wint_t /*key*/) {
  Impl& self = of(editor);
  const LineInfoW* const line = libedit().el_wline(editor);
  const Completion completion =
      self.completer(utf8_of({line->buffer, static_cast<std::size_t>(line->cursor - line->buffer)}));
  if (!completion.insert.empty()) {
    libedit().el_winsertstr(editor, wide_of(completion.insert).c_str());
    return CC_REFRESH;
  }
  if (completion.choices.empty()) return CC_ERROR;
  self.list(completion.choices);
  return CC_REDISPLAY;
}

// Under the line, which is then drawn once more.
void LineEditor::Impl::list(const std::vector<std::string>& choices) {
  constexpr std::size_t kMost = 100;
  constexpr std::size_t kGap = 2;
  constexpr std::size_t kUnknownWidth = 80;
  winsize size{};
  const bool known = ::ioctl(fileno(out.get()), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const std::size_t n = std::min(choices.size(), kMost);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < n; ++i) {
    const std::wstring wide = wide_of(choices[i]);
    widths.push_back(std::accumulate(
        wide.begin(), wide.end(), std::size_t{0},
        [](std::size_t sum, wchar_t c) { return sum + cell_width(static_cast<char32_t>(c)); }));
  }
  const std::size_t column = *std::ranges::max_element(widths) + kGap;
  const std::size_t n_columns = std::max<std::size_t>(1, (known ? size.ws_col : kUnknownWidth) / column);
  const std::size_t n_rows = (n + n_columns - 1) / n_columns;
  std::string text = "\n";
  for (std::size_t row = 0; row < n_rows; ++row) {
    for (std::size_t i = row; i < n; i += n_rows) {
      text += choices[i];
      if (i + n_rows < n) text.append(column - widths[i], ' ');
    }
    text += '\n';
  }
  if (n < choices.size()) text += "and " + std::to_string(choices.size() - n) + " more\n";
  write_screen(text.c_str());
}

void LineEditor::Impl::remember(const std::string& line) {
  HistEventW event;
  libedit().history_w(history.get(), &event, H_ENTER, wide_of(line).c_str());
  kept.add(line);
}

LineEditor::LineEditor(int screen, InputHistory& history, Completer completer)
    : impl_(std::make_unique<Impl>(screen, history, std::move(completer))) {}
LineEditor::~LineEditor() = default;

LineSource::Event LineEditor::next(std::string& line) {
  Impl& e = *impl_;
  e.was_interrupted = false;
  libedit().el_wset(e.editor.get(), EL_PREP_TERM,
                    1);  // or what is typed at the sight of the prompt comes too soon
  if (e.brackets_pastes) e.write_screen("\033[?2004h");
  int n = 0;
  const wchar_t* const text = libedit().el_wgets(e.editor.get(), &n);
  if (e.brackets_pastes) e.write_screen("\033[?2004l");
  if (e.was_interrupted) {
    e.write_screen("\n");
    return e.had_text && !terminated() ? Event::abandoned : Event::interrupted;
  }
  if (text == nullptr || n <= 0) {
    e.write_screen("\n");
    return Event::end;
  }
  line = utf8_of({text, static_cast<std::size_t>(n)});
  if (line.ends_with('\n')) line.pop_back();
  if (line.find_first_not_of(" \t\n") != std::string::npos) e.remember(line);
  return Event::line;
}

}  // namespace bitnet::cli
