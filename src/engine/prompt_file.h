// The file of a PromptCache.
//
// Little-endian: a header of 128 bytes, the ids of the tokens in 4 bytes each, a checksum in 8 bytes for each
// block of kernels::kKeyBlock positions, zeros up to a multiple of 4096, then keys and values block by block,
// as KvCache::for_each_stretch() hands them over; the last block holds as many positions as are left. The
// header's checksum is of itself, ids and blocks' checksums, a block's of its keys and values. A file is used
// only if its size is the one that follows from its header, and what is read of it has the checksums it says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/thread_pool.h"
#include "bitnet/types.h"
#include "model/kv_cache.h"

namespace bitnet {

// What keys and values depend on beside the tokens.
struct PromptOrigin {
  std::uint64_t program = 0;  // digest of the version and commit that computed them
  std::uint64_t model = 0;    // model_identity()
  // Options as numbers of their types, of 16 bits each.
  std::uint64_t options = 0;
  std::uint64_t bytes_per_position = 0;

  bool operator==(const PromptOrigin&) const = default;
};

// A file that was opened for reading: what its name stands for later makes no difference.
class PromptFile {
 public:
  // Opens the file and reads all but keys and values. fault() says what is wrong with it, if anything is.
  PromptFile(const std::string& path, const PromptOrigin& origin);

  bool exists() const { return file_.get() >= 0; }
  const std::string& fault() const { return fault_; }  // "is damaged"; empty: none
  // There is none, it is empty, or it began as a file of this kind: nobody's other data.
  bool is_ours() const { return is_ours_; }
  std::span<const TokenId> tokens() const { return tokens_; }  // none with a fault

  // Takes the blocks from `first_block` on that hold the positions below n_positions, at most
  // tokens().size(). False: they are not what was written, which fault() then says, and those blocks of the
  // cache hold zeros.
  bool read(std::size_t first_block, std::size_t n_positions, KvCache& cache, ThreadPool& pool);

  // Puts the first tokens.size() positions of the cache in a file's place. Gives its size. Throws
  // RuntimeError when it cannot be written.
  static std::uint64_t write(const std::string& path, const PromptOrigin& origin,
                             std::span<const TokenId> tokens, const KvCache& cache, ThreadPool& pool);

 private:
  std::string check(const PromptOrigin& origin);
  // Those blocks of the cache; empty: it cannot be done.
  std::span<std::byte> map(std::size_t first_block, std::size_t end_block, const KvCache& cache) const;

  std::string path_;
  Descriptor file_;
  std::string fault_;
  bool is_ours_ = false;
  std::uint64_t bytes_per_position_ = 0;
  std::uint64_t data_offset_ = 0;
  std::vector<TokenId> tokens_;
  std::vector<std::uint64_t> block_checksums_;
};

}  // namespace bitnet
