#include "engine/prompt_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "base/mapping_list.h"
#include "base/memory_map.h"
#include "base/output_file.h"
#include "bitnet/error.h"
#include "model/config.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kPromptFileVersion = 3;
// At a multiple of which keys and values begin, so that they can be mapped.
constexpr std::size_t kPage = 4096;
constexpr std::string_view kPromptMagic = "bitnet prompt kv";
constexpr std::string_view kPromptAdvice = "the prompt is not kept";
constexpr std::size_t kKeyBlock = kernels::kKeyBlock;

struct PromptHeader {
  std::array<char, 16> magic;
  std::uint64_t version;
  PromptOrigin origin;
  std::uint64_t n_tokens;
  std::uint64_t checksum;  // of this header with a zero here, of the ids and of the blocks' checksums
  std::array<std::uint64_t, 7> unused;
};
static_assert(sizeof(PromptHeader) == 128 && std::endian::native == std::endian::little);
static_assert(sizeof(TokenId) == 4);

std::size_t n_blocks_of(std::size_t n_positions) { return (n_positions + kKeyBlock - 1) / kKeyBlock; }
std::uint64_t data_offset_of(std::uint64_t n_tokens) {
  const std::uint64_t end =
      sizeof(PromptHeader) + n_tokens * sizeof(TokenId) + n_blocks_of(n_tokens) * sizeof(std::uint64_t);
  return (end + kPage - 1) / kPage * kPage;
}

// What the cache holds of a block, of as many of its positions as there are.
template <typename Visit>
void for_block(const KvCache& cache, std::size_t block, std::size_t n_positions, Visit visit) {
  cache.for_each_stretch(block * kKeyBlock, std::min((block + 1) * kKeyBlock, n_positions), visit);
}

// Checksums of one stream of bytes that lies in pieces.
class Checksum {
 public:
  Checksum() { XXH3_64bits_reset(&state_); }
  void add(std::span<const std::byte> bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_{};
};

std::uint64_t checksum_of(PromptHeader header, std::span<const TokenId> tokens,
                          std::span<const std::uint64_t> block_checksums) {
  header.checksum = 0;
  Checksum sum;
  sum.add(std::as_bytes(std::span(&header, 1)));
  sum.add(std::as_bytes(tokens));
  sum.add(std::as_bytes(block_checksums));
  return sum.value();
}

// A part of the file where keys and values are looked for: what happens to the file there is told by name.
class MappedBlocks {
 public:
  MappedBlocks(std::span<const std::byte> memory, const std::string& path, const Descriptor& file)
      : begin_(memory.data()), file_(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)) {
    ::fstat(file_.get(), &status_);
    list_mapping(begin_, memory.size(), path);
  }
  MappedBlocks(const MappedBlocks&) = delete;
  MappedBlocks& operator=(const MappedBlocks&) = delete;
  ~MappedBlocks() {
    struct stat now {};
    const bool has_changed =
        ::fstat(file_.get(), &now) == 0 &&
        (now.st_size != status_.st_size || now.st_mtim.tv_sec != status_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != status_.st_mtim.tv_nsec);
    unlist_mapping(begin_, has_changed);
  }

 private:
  const std::byte* begin_;
  Descriptor file_;
  struct stat status_ {};
};

}  // namespace

// O_NONBLOCK: opening a named pipe must not wait for a writer; it means nothing for regular files.
PromptFile::PromptFile(const std::string& path, const PromptOrigin& origin)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (!exists()) {
    is_ours_ = errno == ENOENT;
    if (is_ours_) return;
    fault_ = "cannot be opened: " + std::generic_category().message(errno);
    return;
  }
  fault_ = check(origin);
  if (!fault_.empty()) tokens_.clear();
}

std::string PromptFile::check(const PromptOrigin& origin) {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "is not a regular file";
  const auto size = static_cast<std::uint64_t>(status.st_size);
  PromptHeader header{};
  const auto n_header = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof header));
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(&header, 1)).first(n_header);
  if (!file_.read_at(0, bytes)) return "cannot be read";
  const std::string_view magic(header.magic.data(), std::min(n_header, header.magic.size()));
  is_ours_ = kPromptMagic.starts_with(magic);
  if (!is_ours_) return "is no prompt cache, and is left as it is";
  if (size == 0) return {};  // a name that was reserved
  if (n_header < sizeof header) return "is cut short";
  if (header.version != kPromptFileVersion || header.origin.program != origin.program) {
    return "was written by another build of bitnet";
  }
  if (header.origin.model != origin.model) return "is of another model, or another state of its file";
  if (header.origin != origin) return "was made with other options (--kv-type, --activations and the like)";
  const std::uint64_t n = header.n_tokens;
  if (n == 0 || n > limits::kContext) return "is damaged";
  const std::uint64_t n_blocks = n_blocks_of(n);
  data_offset_ = data_offset_of(n);
  // Both factors are far below 2^32: a model's shape is checked when it is loaded.
  bytes_per_position_ = origin.bytes_per_position;
  const std::uint64_t wanted = data_offset_ + n * bytes_per_position_;
  if (size != wanted) return size < wanted ? "is cut short" : "is longer than it should be";
  tokens_.resize(n);
  block_checksums_.resize(n_blocks);
  if (!file_.read_at(sizeof header, std::as_writable_bytes(std::span(tokens_))) ||
      !file_.read_at(sizeof header + n * sizeof(TokenId),
                     std::as_writable_bytes(std::span(block_checksums_)))) {
    return "cannot be read";
  }
  if (checksum_of(header, tokens_, block_checksums_) != header.checksum) return "is damaged";
  return {};
}

// Whole blocks are mapped in the place of the cache's own memory, which the system would first have to find
// and clear; what is written to them later is this process's alone. As with a model, the file must stay as it
// is while it is mapped, and whoever replaces it under its name leaves it so.
std::span<std::byte> PromptFile::map(std::size_t first_block, std::size_t end_block,
                                     const KvCache& cache) const {
  if (first_block >= end_block) return {};
  std::byte* begin = nullptr;
  std::size_t size = 0;
  bool is_one = true;  // stretch of memory
  cache.for_each_stretch(first_block * kKeyBlock, end_block * kKeyBlock, [&](std::span<std::byte> stretch) {
    if (begin == nullptr) begin = stretch.data();
    is_one = is_one && stretch.data() == begin + size;
    size += stretch.size();
  });
  const std::uint64_t offset = data_offset_ + first_block * kKeyBlock * bytes_per_position_;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (!is_one || reinterpret_cast<std::uintptr_t>(begin) % page != 0 || size % page != 0 ||
      offset % page != 0) {
    return {};
  }
  void* const mapped = ::mmap(begin, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file_.get(),
                              static_cast<off_t>(offset));
  return mapped == MAP_FAILED ? std::span<std::byte>() : std::span(begin, size);
}

bool PromptFile::read(std::size_t first_block, std::size_t n_positions, KvCache& cache, ThreadPool& pool) {
  const std::size_t end_block = n_blocks_of(n_positions);
  // The block in which the sequence goes on is written to at once: it is read.
  const std::size_t end_whole = n_positions / kKeyBlock;
  const std::span<std::byte> mapped = map(first_block, end_whole, cache);
  auto source = mapped.empty() ? nullptr : std::make_shared<const MappedBlocks>(mapped, path_, file_);
  std::atomic<bool> is_whole = true;
  pool.parallel_for(end_block - first_block, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = first_block + begin; block < first_block + end; ++block) {
      const bool is_mapped = !mapped.empty() && block < end_whole;
      std::uint64_t at = data_offset_ + block * kKeyBlock * bytes_per_position_;
      Checksum sum;
      bool is_read = true;
      if (is_mapped) {
        const std::size_t n_bytes = kKeyBlock * bytes_per_position_;
        populate(mapped.data() + (block - first_block) * n_bytes, n_bytes);
      }
      for_block(cache, block, tokens_.size(), [&](std::span<std::byte> stretch) {
        is_read = is_read && (is_mapped || file_.read_at(at, stretch));
        if (is_read) sum.add(stretch);
        at += stretch.size();
      });
      if (!is_read || sum.value() != block_checksums_[block]) is_whole.store(false);
    }
  });
  if (is_whole) {
    if (source) cache.keep(mapped.data(), std::move(source));
    return true;
  }
  fault_ = "is damaged";
  if (!mapped.empty() && ::mmap(mapped.data(), mapped.size(), PROT_READ | PROT_WRITE,
                                kAnonymousMemory | MAP_FIXED, -1, 0) == MAP_FAILED) {
    throw RuntimeError("no memory for the KV cache in place of a damaged prompt cache");
  }
  for (std::size_t block = mapped.empty() ? first_block : std::max(first_block, end_whole); block < end_block;
       ++block) {
    for_block(cache, block, tokens_.size(),
              [](std::span<std::byte> stretch) { std::ranges::fill(stretch, std::byte{0}); });
  }
  tokens_.clear();
  return false;
}

std::uint64_t PromptFile::write(const std::string& path, const PromptOrigin& origin,
                                std::span<const TokenId> tokens, const KvCache& cache, ThreadPool& pool) {
  PromptHeader header{};
  std::ranges::copy(kPromptMagic, header.magic.begin());
  header.version = kPromptFileVersion;
  header.origin = origin;
  header.n_tokens = tokens.size();
  std::vector<std::uint64_t> checksums(n_blocks_of(tokens.size()));
  pool.parallel_for(checksums.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = begin; block < end; ++block) {
      Checksum sum;
      for_block(cache, block, tokens.size(), [&](std::span<std::byte> piece) { sum.add(piece); });
      checksums[block] = sum.value();
    }
  });
  header.checksum = checksum_of(header, tokens, checksums);
  OutputFile file(path, kPromptAdvice);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(std::as_bytes(tokens));
  file.write(std::as_bytes(std::span(checksums)));
  const std::uint64_t data_offset = data_offset_of(tokens.size());
  const std::vector<std::byte> padding(data_offset - sizeof header - tokens.size_bytes() -
                                       checksums.size() * sizeof(std::uint64_t));
  file.write(padding);
  for (std::size_t block = 0; block < checksums.size(); ++block) {
    for_block(cache, block, tokens.size(), [&](std::span<std::byte> piece) { file.write(piece); });
  }
  // What a power cut leaves of it is told by its checksums.
  file.commit(OutputFile::Durability::by_and_by);
  return data_offset + tokens.size() * origin.bytes_per_position;
}

}  // namespace bitnet
