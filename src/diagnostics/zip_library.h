// libzip, which only traces in .npz need.
#pragma once

#include <zip.h>

#include "base/late_library.h"

namespace bitnet {

// Its functions, by their names without "zip_".
struct ZipLibrary {
  const LateLibrary library{BITNET_LIBZIP, "a trace in .npz"};
  decltype(::zip_close)* const close = library["zip_close"];
  decltype(::zip_discard)* const discard = library["zip_discard"];
  decltype(::zip_error_fini)* const error_fini = library["zip_error_fini"];
  decltype(::zip_error_init)* const error_init = library["zip_error_init"];
  decltype(::zip_error_strerror)* const error_strerror = library["zip_error_strerror"];
  decltype(::zip_fclose)* const fclose = library["zip_fclose"];
  decltype(::zip_file_add)* const file_add = library["zip_file_add"];
  decltype(::zip_file_get_error)* const file_get_error = library["zip_file_get_error"];
  decltype(::zip_file_set_dostime)* const file_set_dostime = library["zip_file_set_dostime"];
  decltype(::zip_fopen_index)* const fopen_index = library["zip_fopen_index"];
  decltype(::zip_fread)* const fread = library["zip_fread"];
  decltype(::zip_get_error)* const get_error = library["zip_get_error"];
  decltype(::zip_get_num_entries)* const get_num_entries = library["zip_get_num_entries"];
  decltype(::zip_open_from_source)* const open_from_source = library["zip_open_from_source"];
  decltype(::zip_set_file_compression)* const set_file_compression = library["zip_set_file_compression"];
  decltype(::zip_source_buffer_create)* const source_buffer_create = library["zip_source_buffer_create"];
  decltype(::zip_source_buffer_fragment)* const source_buffer_fragment =
      library["zip_source_buffer_fragment"];
  decltype(::zip_source_close)* const source_close = library["zip_source_close"];
  decltype(::zip_source_free)* const source_free = library["zip_source_free"];
  decltype(::zip_source_keep)* const source_keep = library["zip_source_keep"];
  decltype(::zip_source_open)* const source_open = library["zip_source_open"];
  decltype(::zip_source_read)* const source_read = library["zip_source_read"];
  decltype(::zip_stat_index)* const stat_index = library["zip_stat_index"];
};

// Loads it the first time. Throws RuntimeError when that fails.
inline const ZipLibrary& libzip() {
  static const ZipLibrary library;
  return library;
}

// Ends the use of an archive without writing to it.
struct DiscardArchive {
  void operator()(zip_t* zip) const { libzip().discard(zip); }
};

}  // namespace bitnet
