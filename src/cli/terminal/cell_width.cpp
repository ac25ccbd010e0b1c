#include "cli/terminal/cell_width.h"

#include <clocale>
#include <cstdlib>
#include <cwchar>

namespace bitnet::cli {
namespace {

constexpr char32_t kFirstWide = 0x1100;  // no character before it is wider than one column

}  // namespace

void choose_locale() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::size_t cell_width(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return 0;  // a control
  if (c < 0x7F) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(c));
  if (width >= 0) return static_cast<std::size_t>(width);
  return c < kFirstWide ? 1 : 2;  // newer than the C library: too narrow a line is better than a broken word
}

}  // namespace bitnet::cli
