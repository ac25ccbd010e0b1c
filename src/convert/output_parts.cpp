#include "convert/output_parts.h"

#include <string_view>

#include "base/printable.h"
#include "bitnet/error.h"
#include "gguf/split_names.h"

namespace bitnet::convert {
namespace {

constexpr std::string_view kAdvice = "free some space, or choose another place for it";

// Of the temporary names of parts, which find one another by them.
std::string stem_of(const std::string& temporary, std::size_t part, std::size_t n_parts) {
  return temporary.substr(0, temporary.size() - gguf::parts_ending(part, n_parts).size());
}

}  // namespace

OutputParts::OutputParts(const std::vector<std::string>& names, const Layout& layout) {
  const std::size_t n = names.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::string ending = n == 1 ? std::string() : gguf::parts_ending(i, n);
    files_.push_back(std::make_unique<OutputFile>(names[i], kAdvice, ending));
    const std::string& name = files_.back()->temporary_name();
    if (n > 1 && stem_of(name, i, n) != stem_of(readable_name(), 0, n)) {
      throw RuntimeError(printable(name, kMaxPrintedPath) +
                         ": files of an earlier run are in the way; delete those that end like this");
    }
    const gguf::Writer& writer = layout.parts[i].writer;
    files_.back()->resize(writer.file_size());
    files_.back()->write_at(0, writer.header());
  }
}

void OutputParts::write_at(const TensorPlace& place, std::uint64_t offset,
                           std::span<const std::byte> bytes) const {
  const OutputFile& file = *files_[place.part];
  file.write_at(place.offset + offset, bytes);
  file.start_sync(place.offset + offset, bytes.size());
}

void OutputParts::commit() {
  for (std::size_t i = files_.size(); i-- > 0;) {
    files_[i]->commit();
  }
}

}  // namespace bitnet::convert
