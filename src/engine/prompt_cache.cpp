#include "bitnet/prompt_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "bitnet/version.h"
#include "engine/prompt_file.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

// Tokens that are run in hardly more time than one are not worth writing for.
constexpr std::size_t kWorthWriting = 16;
constexpr std::size_t kLargePart = 4;  // of the tokens: one in so many

std::uint64_t number_of(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

PromptOrigin origin_of(const Session::Impl& session) {
  const ModelInfo& info = session.model.info;
  const auto layout = info.i2s.layout ? 1 + static_cast<std::uint64_t>(*info.i2s.layout) : 0;
  return {.program = number_of(std::string(version()) + " " + std::string(commit())),
          .model = session.model.identity(),
          .options = static_cast<std::uint64_t>(session.cache.type()) |
                     static_cast<std::uint64_t>(session.activations) << 16U |
                     static_cast<std::uint64_t>(info.hidden_act.act) << 32U | layout << 48U,
          .bytes_per_position = session.cache.bytes_per_position()};
}

}  // namespace

struct PromptCache::Impl {
  void warn(const std::string& what) const {
    if (on_warning) on_warning(what);
  }

  std::string path;
  WarningSink on_warning;
  // What the last load() found.
  bool may_write = false;          // nobody's other data is in the file's place
  std::size_t n_file = 0;          // tokens in the file; 0: none of use
  std::size_t n_common = 0;        // of them, those that are the beginning of the sequence
  std::size_t n_held = 0;          // by the session before
  std::size_t n_at_hand = 0;       // by the session afterwards
  bool cannot_be_written = false;  // was tried
  Work loaded;
  Work saved;
};

PromptCache::PromptCache(std::string path, WarningSink on_warning) : impl_(std::make_unique<Impl>()) {
  impl_->path = std::move(path);
  impl_->on_warning = std::move(on_warning);
}
PromptCache::PromptCache(PromptCache&&) noexcept = default;
PromptCache& PromptCache::operator=(PromptCache&&) noexcept = default;
PromptCache::~PromptCache() = default;

const std::string& PromptCache::path() const { return impl_->path; }
const PromptCache::Work& PromptCache::loaded() const { return impl_->loaded; }
const PromptCache::Work& PromptCache::saved() const { return impl_->saved; }

std::size_t PromptCache::load(Session& session, std::span<const TokenId> tokens) {
  const auto start = std::chrono::steady_clock::now();
  Impl& s = *impl_;
  Session::Impl& to = session.impl();
  s.loaded = s.saved = {};
  s.n_held = s.n_at_hand = to.position;
  PromptFile file(s.path, origin_of(to));
  std::size_t common = 0;
  if (!tokens.empty() && tokens.size() <= to.ctx_size) {
    common =
        static_cast<std::size_t>(std::ranges::mismatch(file.tokens(), tokens).in1 - file.tokens().begin());
  }
  const std::size_t wanted = std::min(common, tokens.size() - std::min<std::size_t>(tokens.size(), 1));
  if (wanted > to.position) {
    const std::size_t first_block = to.position / kernels::kKeyBlock;
    const PinnedThread pinned = to.pool.pin_caller();
    if (file.read(first_block, wanted, to.cache, to.pool)) {
      s.loaded = {.n_tokens = wanted - to.position,
                  .bytes = (wanted - to.position) * to.cache.bytes_per_position(),
                  .seconds = seconds_since(start)};
      to.position = wanted;
      to.has_last = false;
    } else {
      // The block that the session's last tokens share with the file's was read over.
      to.position = first_block * kernels::kKeyBlock;
      to.has_last = false;
    }
  }
  s.may_write = file.is_ours();
  s.n_file = file.tokens().size();
  s.n_common = file.fault().empty() ? common : 0;
  s.n_at_hand = to.position;
  if (!file.fault().empty()) {
    s.warn(printable(s.path, kMaxPrintedPath) + ": " + file.fault() + "; the prompt is run without it");
  }
  return s.loaded.n_tokens;
}

void PromptCache::save(Session& session, std::span<const TokenId> tokens) {
  Impl& s = *impl_;
  s.saved = {};
  Session::Impl& from = session.impl();
  if (!s.may_write || s.cannot_be_written || tokens.empty() || tokens.size() > from.position) return;
  const std::size_t n_run = tokens.size() - std::min(tokens.size(), s.n_at_hand);
  const bool is_large_part = n_run * kLargePart > tokens.size();
  const bool continues_file = s.n_held == 0 && s.n_common == s.n_file;
  const bool is_worth_it = s.n_file == 0 || (n_run >= kWorthWriting && (is_large_part || continues_file));
  if (!is_worth_it) return;
  const auto start = std::chrono::steady_clock::now();
  try {
    const std::uint64_t bytes = PromptFile::write(s.path, origin_of(from), tokens, from.cache, from.pool);
    s.saved = {.n_tokens = tokens.size(), .bytes = bytes, .seconds = seconds_since(start)};
  } catch (const RuntimeError& e) {
    s.cannot_be_written = true;
    s.warn(e.what());
  }
}

}  // namespace bitnet
