#include "model/head/head_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdio>
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
#include "model/head/head_screen.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

// What the files of a kind begin with and end in.
struct FileKind {
  std::string_view magic;
  std::uint64_t version;  // of the file, and of how rows are rounded
  std::string_view suffix;
};
constexpr FileKind kInt8{"bitnet int8 head", 1, ".int8-head"};
constexpr FileKind kScreened{"bitnet head bits", 1, ".screened-head"};
const FileKind& file_kind(HeadKind kind) { return kind == HeadKind::int8 ? kInt8 : kScreened; }

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
static_assert(sizeof(Header) == HeadCache::kOffset && std::endian::native == std::endian::little);

Header header_of(HeadKind kind, const HeadOrigin& origin, const quant::Matrix& head) {
  Header header{};
  std::ranges::copy(file_kind(kind).magic, header.magic.begin());
  header.version = file_kind(kind).version;
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

}  // namespace

HeadCache::HeadCache(std::string path, HeadKind kind, const HeadOrigin& origin, const quant::Matrix& head)
    : path_(std::move(path)), kind_(kind), origin_(origin), head_(head) {}

std::string HeadCache::path_of(const std::string& model_path, HeadKind kind, const std::string& directory) {
  const std::string suffix(file_kind(kind).suffix);
  if (directory.empty()) return model_path + suffix;
  std::error_code error;
  fs::path full = fs::weakly_canonical(model_path, error);
  if (error) full = model_path;
  const std::string place = full.native();
  std::array<char, 20> digest{};
  std::snprintf(digest.data(), digest.size(), ".%016llx",
                static_cast<unsigned long long>(XXH3_64bits(place.data(), place.size())));
  return (fs::path(directory) / (full.filename().native() + digest.data() + suffix)).native();
}

std::uint64_t HeadCache::copy_bytes() const {
  return kind_ == HeadKind::int8 ? quant::i8_rows::n_bytes(head_.rows, head_.cols)
                                 : HeadScreen::n_bytes(head_.rows, head_.cols);
}

std::optional<MappedFile> HeadCache::open(ThreadPool& pool) {
  notice_.clear();
  const std::string name = printable(path_, kMaxPrintedPath) + ": ";
  const auto refuse = [&](std::string_view why) -> std::optional<MappedFile> {
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
  if (const std::string_view fault = fault_of(header, header_of(kind_, origin_, head_)); !fault.empty()) {
    return refuse(fault);
  }
  const std::uint64_t size = copy_bytes();
  if (bytes.size() - sizeof header < size) return refuse("is cut short");
  if (bytes.size() - sizeof header > size) return refuse("is longer than the copy");
  const auto populate = [&](std::span<const std::byte> block) { file->populate(block); };
  if (checksum_of(header, bytes.subspan(sizeof header), pool, populate) != header.checksum) {
    return refuse("is damaged: its checksum is wrong");
  }
  return file;
}

bool HeadCache::save(std::span<const std::byte> copy, ThreadPool& pool,
                     const std::function<bool()>& keep_going) const {
  constexpr std::string_view kAdvice = "the copy of the head is not kept";
  if (is_something_else(path_)) {
    throw RuntimeError(printable(path_, kMaxPrintedPath) + ": is not a regular file; " +
                       std::string(kAdvice));
  }
  Header header = header_of(kind_, origin_, head_);
  header.checksum = checksum_of(header, copy, pool, [](std::span<const std::byte>) {});
  OutputFile file(path_, kAdvice);
  file.write(std::as_bytes(std::span(&header, 1)));
  for (std::size_t at = 0; at < copy.size(); at += kStretch) {
    if (keep_going && !keep_going()) return false;
    file.write(copy.subspan(at, std::min(kStretch, copy.size() - at)));
  }
  file.commit();
  return true;
}

}  // namespace bitnet
