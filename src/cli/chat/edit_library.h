// libedit, which only a chat on a terminal needs.
#pragma once

#include <histedit.h>

#include "base/late_library.h"

namespace bitnet::cli {

// Its functions, by their names.
struct EditLibrary {
  const LateLibrary library{BITNET_LIBEDIT, "a chat on a terminal"};
  decltype(::el_end)* const el_end = library["el_end"];
  decltype(::el_init)* const el_init = library["el_init"];
  decltype(::el_cursor)* const el_cursor = library["el_cursor"];
  decltype(::el_resize)* const el_resize = library["el_resize"];
  decltype(::el_source)* const el_source = library["el_source"];
  decltype(::el_wget)* const el_wget = library["el_wget"];
  decltype(::el_wgetc)* const el_wgetc = library["el_wgetc"];
  decltype(::el_wgets)* const el_wgets = library["el_wgets"];
  decltype(::el_winsertstr)* const el_winsertstr = library["el_winsertstr"];
  decltype(::el_wline)* const el_wline = library["el_wline"];
  decltype(::el_wset)* const el_wset = library["el_wset"];
  decltype(::history_w)* const history_w = library["history_w"];
  decltype(::history_wend)* const history_wend = library["history_wend"];
  decltype(::history_winit)* const history_winit = library["history_winit"];
};

// Loads it the first time. Throws RuntimeError when that fails.
inline const EditLibrary& libedit() {
  static const EditLibrary library;
  return library;
}

}  // namespace bitnet::cli
