// Writes traces as numpy's .npz: a zip archive of .npy files, which are stored as they are.
#include <array>
#include <utility>

#include "bitnet/error.h"
#include "diagnostics/npy.h"
#include "diagnostics/trace_formats.h"
#include "diagnostics/zip_library.h"

namespace bitnet {
namespace {

// An archive being made in memory.
class ArchiveWriter {
 public:
  ArchiveWriter() {
    zip_error_t error;
    libzip().error_init(&error);
    source_ = libzip().source_buffer_create(nullptr, 0, 0, &error);
    if (source_ != nullptr) {
      libzip().source_keep(source_);  // it is read after the archive is closed
      zip_.reset(libzip().open_from_source(source_, ZIP_CREATE | ZIP_TRUNCATE, &error));
    }
    libzip().error_fini(&error);
    if (zip_ == nullptr) fail();
  }
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  ~ArchiveWriter() {
    zip_.reset();
    libzip().source_free(source_);
  }

  // The parts' bytes, one after another, must live until write().
  void add(const std::string& member, std::span<const std::span<const std::byte>> parts) {
    std::vector<zip_buffer_fragment_t> fragments;
    for (const std::span<const std::byte> part : parts) {
      // libzip takes no pointer to const, and does not write through this one.
      auto* data = reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(part.data()));
      fragments.push_back({data, part.size()});
    }
    zip_source_t* from =
        libzip().source_buffer_fragment(zip_.get(), fragments.data(), fragments.size(), /*freep=*/0);
    if (from == nullptr) fail();
    const zip_int64_t index = libzip().file_add(zip_.get(), member.c_str(), from, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      libzip().source_free(from);
      fail();
    }
    // Stored as they are, so that readers can map them; a fixed date, so that the same trace is the same
    // bytes.
    constexpr std::uint16_t kFirstOfJanuary1980 = 0x21;
    const auto i = static_cast<zip_uint64_t>(index);
    if (libzip().set_file_compression(zip_.get(), i, ZIP_CM_STORE, 0) != 0 ||
        libzip().file_set_dostime(zip_.get(), i, 0, kFirstOfJanuary1980, 0) != 0) {
      fail();
    }
  }

  void write(OutputFile& file) {
    if (libzip().close(zip_.get()) != 0) fail();
    static_cast<void>(zip_.release());
    if (libzip().source_open(source_) != 0) fail();
    std::vector<std::byte> block(std::size_t{1} << 20);
    for (zip_int64_t n = 0; (n = libzip().source_read(source_, block.data(), block.size())) > 0;) {
      file.write(std::span(block).first(static_cast<std::size_t>(n)));
    }
    libzip().source_close(source_);
  }

 private:
  [[noreturn]] static void fail() {
    throw RuntimeError(
        "the archive cannot be put together in memory; choose fewer tensors with --tensors, or "
        "a file that ends in .gguf");
  }

  zip_source_t* source_ = nullptr;
  std::unique_ptr<zip_t, DiscardArchive> zip_;
};

}  // namespace

void write_npz_trace(const Trace& trace, OutputFile& file) {
  std::vector<std::string> headers;
  headers.reserve(trace.tensors.size() + 2);
  ArchiveWriter archive;
  const auto add = [&](const std::string& name, std::string_view type, std::span<const std::uint64_t> dims,
                       std::span<const std::byte> bytes) {
    headers.push_back(make_npy_header(type, dims));
    const std::array parts{std::as_bytes(std::span(headers.back())), bytes};
    archive.add(name + ".npy", parts);
  };
  const std::string json = trace_info_json(trace.info);
  const std::array json_parts{std::as_bytes(std::span(json))};
  archive.add(std::string(kTraceJsonName), json_parts);
  const auto add_ids = [&](const std::string& name, const std::vector<TokenId>& ids) {
    const std::array<std::uint64_t, 1> dims{ids.size()};
    if (!ids.empty()) add(name, "<i4", dims, std::as_bytes(std::span(ids)));
  };
  add_ids("ids", trace.info.ids);
  add_ids("greedy", trace.info.greedy);
  for (std::size_t i = 0; i < trace.tensors.size(); ++i) {
    const std::array<std::uint64_t, 2> dims{trace.tensors[i].rows, trace.tensors[i].cols};
    add(trace.tensors[i].name, "<f4", dims, std::as_bytes(std::span(trace.values[i])));
  }
  archive.write(file);
}

}  // namespace bitnet
