// Files that the program keeps for itself: what was computed of a prompt, copies of a head, files that were
// checked. Their checksums are put right, or no input would ever come past them.
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "engine/prompt_file.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "model/checked_files.h"
#include "model/head/head_cache.h"
#include "model/kv_cache.h"
#include "model/model_impl.h"
#include "support/small_model.h"
#include "support/temp_directory.h"

namespace bitnet::fuzz {
namespace {

using test::SmallModel;
using test::TempDirectory;

constexpr test::SmallShape kShape{
    .layers = 1, .hidden = 128, .heads = 2, .kv_heads = 1, .ffn = 128, .vocab = 301};

const Model& small_model() {
  static const test::LoadedModel loaded(SmallModel("llama", kShape));
  return loaded.model;
}

ThreadPool& one_thread() {
  static ThreadPool pool(1);
  return pool;
}

std::uint64_t word_at(std::string_view text, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data() + at, sizeof word);
  return word;
}

void put_word(std::string& text, std::size_t at, std::uint64_t word) {
  std::memcpy(text.data() + at, &word, sizeof word);
}

constexpr std::size_t kPositions = 160;
constexpr std::size_t kPromptHeader = 128;
constexpr std::size_t kPromptTokens = 56;    // where the header says how many there are
constexpr std::size_t kPromptChecksum = 64;  // and its checksum

KvCache& cache() {
  static KvCache one(small_model().impl().config, kPositions, kernels::CacheType::f16);
  return one;
}

PromptOrigin origin() {
  return {.program = 1, .model = 2, .options = 3, .bytes_per_position = cache().bytes_per_position()};
}

// With the checksums of what there is: the header's behind the blocks', which come first.
std::string with_prompt_checksums(std::string_view input) {
  std::string file(input);
  if (file.size() < kPromptHeader) return file;
  const std::uint64_t n = word_at(file, kPromptTokens);
  if (n > kPositions) return file;
  const std::size_t n_blocks = (n + kernels::kKeyBlock - 1) / kernels::kKeyBlock;
  const std::size_t sums = kPromptHeader + n * sizeof(TokenId);
  const std::size_t end = sums + n_blocks * sizeof(std::uint64_t);
  const std::size_t data = (end + 4095) / 4096 * 4096;
  if (file.size() < end) return file;
  for (std::size_t b = 0; b < n_blocks; ++b) {
    const std::size_t begin = data + b * kernels::kKeyBlock * cache().bytes_per_position();
    const std::size_t size =
        std::min<std::size_t>(kernels::kKeyBlock, n - b * kernels::kKeyBlock) * cache().bytes_per_position();
    if (begin + size <= file.size()) put_word(file, sums + 8 * b, XXH3_64bits(file.data() + begin, size));
  }
  put_word(file, kPromptChecksum, 0);
  put_word(file, kPromptChecksum, XXH3_64bits(file.data(), end));
  return file;
}

void run_prompt_cache(std::string_view input) {
  for (const std::string& content : {std::string(input), with_prompt_checksums(input)}) {
    const MemoryFile memory(content);
    PromptFile file(memory.path(), origin());
    require(file.exists(), "the file is there");
    require(file.fault().empty() || file.tokens().empty(), "a file with a fault has no tokens");
    const std::size_t n = std::min(file.tokens().size(), kPositions);
    if (n > 0 && !file.read(0, n, cache(), one_thread()))
      require(!file.fault().empty(), "what is wrong is said");
  }
}

std::vector<std::string> prompts() {
  std::vector<std::string> files;
  for (const std::size_t n : {1U, 64U, 70U}) {
    const TempDirectory directory;
    const std::vector<TokenId> tokens(n, TokenId{7});
    PromptFile::write(directory.file("p"), origin(), tokens, cache(), one_thread());
    files.push_back(test::content_of(directory.file("p")));
    require(files.back() == with_prompt_checksums(files.back()), "the checksums here are the program's");
  }
  return files;
}

constexpr std::size_t kHeadChecksum = 72;

std::string with_head_checksum(std::string_view input) {
  std::string file(input);
  if (file.size() < HeadCache::kOffset || file.size() > std::size_t{4} << 20) return file;
  put_word(file, kHeadChecksum, 0);
  std::string words = file.substr(0, HeadCache::kOffset) + std::string(8, '\0');
  put_word(words, HeadCache::kOffset,
           XXH3_64bits(file.data() + HeadCache::kOffset, file.size() - HeadCache::kOffset));
  put_word(file, kHeadChecksum, XXH3_64bits(words.data(), words.size()));
  return file;
}

const quant::Matrix& head() { return small_model().impl().weights.output; }

void run_head_cache(std::string_view input) {
  for (const std::string& content : {std::string(input), with_head_checksum(input)}) {
    const MemoryFile memory(content);
    for (const HeadKind kind : {HeadKind::int8, HeadKind::screened}) {
      HeadCache cache(memory.path(), kind, {1, 2, 3}, head());
      const std::optional<MappedFile> copy = cache.open(one_thread());
      require(copy.has_value() == cache.notice().empty(), "what is wrong is said");
      if (copy && kind == HeadKind::screened) {
        const HeadScreen screen(head(), MappedFile(memory.path()), HeadCache::kOffset);
        require(!screen.bytes().empty(), "a screen of something");
      }
    }
  }
}

std::vector<std::string> heads() {
  std::vector<std::string> files;
  for (const HeadKind kind : {HeadKind::int8, HeadKind::screened}) {
    const TempDirectory directory;
    const test::AlignedBytes bytes = SmallModel("llama", kShape).build();
    const Model model = Model::from_bytes(bytes.span(), "m", {.head = kind});
    if (kind == HeadKind::screened) model.impl().head_screen->complete(one_thread());
    const HeadCache cache(directory.file("h"), kind, {1, 2, 3}, head());
    cache.save(model.impl().head_copy(), one_thread(), [] { return true; });
    files.push_back(test::content_of(directory.file("h")));
    require(files.back() == with_head_checksum(files.back()), "the checksum here is the program's");
  }
  return files;
}

const gguf::File& checked_file() {
  static const TempDirectory directory;
  static const gguf::File file = [] {
    const std::vector<std::byte> bytes = SmallModel("llama", kShape).to_gguf().build();
    std::ofstream(directory.file("m.gguf"), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return gguf::File::open(directory.file("m.gguf"));
  }();
  return file;
}

void run_checked_list(std::string_view input) {
  const MemoryFile list(input);
  const CheckedFiles::Known known = CheckedFiles(list.path(), std::chrono::seconds(0)).find(checked_file());
  require(known.is_sound.empty() || known.is_sound.size() == 1, "one file has one part");
}

std::vector<std::string> lists() {
  const TempDirectory directory;
  CheckedFiles(directory.file("list"), std::chrono::seconds(0)).add(checked_file(), std::nullopt);
  return {test::content_of(directory.file("list"))};
}

}  // namespace

const Target kPromptCache{"prompt_cache", prompts, run_prompt_cache, {"bitnet prompt kv"}, 400};
const Target kHeadCache{"head_cache", heads, run_head_cache, {"bitnet int8 head", "bitnet head bits"}, 400};
const Target kCheckedList{"checked_list", lists, run_checked_list, {}, 1500};

}  // namespace bitnet::fuzz
