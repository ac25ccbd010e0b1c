// Which files are mapped where, for what happens to them behind this process's back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace bitnet {

// The name of the file that is mapped at that address, fit for a message; nullptr: none is, or too many are
// for all to be listed. For a handler of signals: takes no lock and allocates nothing.
const char* mapped_file_at(const void* address) noexcept;

// The name of a file that was written to while it was mapped, as far as that is known: of those whose mapping
// has ended.
std::optional<std::string> file_changed_while_mapped();

// Told by MappedFile.
void list_mapping(const void* begin, std::size_t n_bytes, const std::string& path) noexcept;
void unlist_mapping(const void* begin, bool has_changed) noexcept;

}  // namespace bitnet
