#include "model/head/head_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kVersion = 1;  // of the file, and of how rows are rounded
constexpr std::string_view kMagic = "bitnet int8 head";
constexpr std::size_t kBlock = std::size_t{4} << 20;     // that has a checksum of its own
constexpr std::size_t kStretch = std::size_t{16} << 20;  // written between two questions whether to go on

struct Header {
  std::array<char, 16> magic;
  std::uint64_t version;
  std::uint64_t file_bytes;
  std::int64_t file_modified;
  std::uint64_t tensor_offset;
  std::uint64_t tensor_type;  // ggml type id
  std::uint64_t rows;
  std::uint64_t cols;
  std::uint64_t checksum;  // of this header with a zero here, and of the copy
  std::array<std::uint64_t, 6> unused;
};
static_assert(sizeof(Header) == 128 && std::endian::native == std::endian::little);

Header header_of(const HeadOrigin& origin, const quant::Matrix& head) {
  Header header{};
  std::ranges::copy(kMagic, header.magic.begin());
  header.version = kVersion;
  header.file_bytes = origin.file_bytes;
  header.file_modified = origin.file_modified;
  header.tensor_offset = origin.tensor_offset;
  header.tensor_type = quant::info(head.type).id;
  header.rows = head.rows;
  header.cols = head.cols;
  return header;
}

// XXH3 of the header and of each block's XXH3. `before_block` is called before a block is read.
std::uint64_t checksum_of(Header header, std::span<const std::byte> copy, ThreadPool& pool,
                          FunctionRef<void(std::span<const std::byte>)> before_block) {
  header.checksum = 0;
  constexpr std::size_t kHeaderWords = sizeof header / sizeof(std::uint64_t);
  std::vector<std::uint64_t> words(kHeaderWords + (copy.size() + kBlock - 1) / kBlock);
  std::memcpy(words.data(), &header, sizeof header);
  pool.parallel_for(copy.size(), kBlock, [&](std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end; at += kBlock) {
      const auto block = copy.subspan(at, std::min(kBlock, end - at));
      before_block(block);
      words[kHeaderWords + at / kBlock] = XXH3_64bits(block.data(), block.size());
    }
  });
  return XXH3_64bits(words.data(), words.size() * sizeof words[0]);
}

// What speaks against a header; empty: nothing but, perhaps, the checksum.
std::string_view fault_of(const Header& got, const Header& wanted) {
  if (got.magic != wanted.magic) return "is no copy of a head";
  if (got.version != wanted.version) return "is of another version";
  if (got.file_bytes != wanted.file_bytes || got.file_modified != wanted.file_modified) {
    return "was made from another state of the model's file";
  }
  if (got.tensor_offset != wanted.tensor_offset || got.tensor_type != wanted.tensor_type ||
      got.rows != wanted.rows || got.cols != wanted.cols) {
    return "was made from another tensor";
  }
  return {};
}

// Anything but a regular file: opening a pipe may wait for ever, and a device is not to be overwritten.
bool is_something_else(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status);
}

}  // namespace

HeadCache::HeadCache(const std::string& model_path, const HeadOrigin& origin, const quant::Matrix& head)
    : path_(model_path + ".int8-head"), origin_(origin), head_(head) {}

std::optional<Int8Head> HeadCache::open(ThreadPool& pool) {
  notice_.clear();
  const std::string name = printable(path_, kMaxPrintedPath) + ": ";
  const auto refuse = [&](std::string_view why) -> std::optional<Int8Head> {
    notice_ = name + std::string(why) + "; the copy is made anew";
    return std::nullopt;
  };
  std::error_code error;
  if (!fs::exists(path_, error) && !error) return std::nullopt;
  if (is_something_else(path_)) return refuse("is not a regular file");
  if (fs::file_size(path_, error) == 0 && !error) return refuse("is empty");
  std::optional<MappedFile> file;
  try {
    file.emplace(path_);
  } catch (const ModelError& e) {
    notice_ = std::string(e.what()) + "; the copy is made anew";
    return std::nullopt;
  }
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() < sizeof(Header)) return refuse("is cut short");
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (const std::string_view fault = fault_of(header, header_of(origin_, head_)); !fault.empty()) {
    return refuse(fault);
  }
  const std::uint64_t size = quant::i8_rows::n_bytes(head_.rows, head_.cols);
  if (bytes.size() - sizeof header < size) return refuse("is cut short");
  if (bytes.size() - sizeof header > size) return refuse("is longer than the copy");
  const auto populate = [&](std::span<const std::byte> block) { file->populate(block); };
  if (checksum_of(header, bytes.subspan(sizeof header), pool, populate) != header.checksum) {
    return refuse("is damaged: its checksum is wrong");
  }
  return std::optional<Int8Head>(std::in_place, head_, std::move(*file), sizeof header);
}

bool HeadCache::save(const Int8Head& copy, ThreadPool& pool, const std::function<bool()>& keep_going) const {
  constexpr std::string_view kAdvice = "the copy of the head is not kept";
  if (is_something_else(path_)) {
    throw RuntimeError(printable(path_, kMaxPrintedPath) + ": is not a regular file; " +
                       std::string(kAdvice));
  }
  const std::span<const std::byte> bytes = copy.bytes();
  Header header = header_of(origin_, head_);
  header.checksum = checksum_of(header, bytes, pool, [](std::span<const std::byte>) {});
  OutputFile file(path_, kAdvice);
  file.write(std::as_bytes(std::span(&header, 1)));
  for (std::size_t at = 0; at < bytes.size(); at += kStretch) {
    if (keep_going && !keep_going()) return false;
    file.write(bytes.subspan(at, std::min(kStretch, bytes.size() - at)));
  }
  file.commit();
  return true;
}

}  // namespace bitnet
