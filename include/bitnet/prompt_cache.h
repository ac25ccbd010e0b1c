// Keys and values of a text's beginning, kept in a file from one run to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "bitnet/export.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// A file with the beginning of one sequence. It is good for the model, kv_type, activations and whatever else
// keys and values depend on, and for the build of bitnet that wrote it; with others, or damaged, it counts
// for nothing, and a warning says why. So what is generated is the same, bit for bit, with the file and
// without. A checksum guards against accidents, not against someone who makes up a file.
//
// The file appears under its name when it is whole, so that processes may share it; its bytes must stay as
// they are for as long as a session uses them, which renaming another file over it leaves them. Only one that
// is empty or was begun as such a file is ever written over.
class PromptCache {
 public:
  using WarningSink = std::function<void(const std::string& warning)>;

  // Nothing is opened yet, and there need be no file. `on_warning` is told what is wrong with it, or why it
  // cannot be written; neither is a reason to stop.
  explicit PromptCache(std::string path, WarningSink on_warning = {});
  PromptCache(PromptCache&&) noexcept;
  PromptCache& operator=(PromptCache&&) noexcept;
  ~PromptCache();

  // `tokens` are what the session holds and behind that what is to be run. If the file has more of their
  // beginning than the session, the session gets it, all but the last token, whose logits are wanted: run
  // what follows session.position(), which a damaged file can make smaller. Gives how many tokens the session
  // got.
  std::size_t load(Session& session, std::span<const TokenId> tokens);
  // Once load() was called for those tokens and they have been run: writes them to the file if that is worth
  // it. It is where the file had nothing of use; where more than a quarter of them had to be run; and where
  // the file holds nothing but their beginning and the session began with it. Where it had something and less
  // than 16 had to be run it is not.
  void save(Session& session, std::span<const TokenId> tokens);

  // What the last of each did, for people.
  struct Work {
    std::size_t n_tokens = 0;  // 0: nothing
    std::uint64_t bytes = 0;
    double seconds = 0;
  };
  const std::string& path() const;
  const Work& loaded() const;
  const Work& saved() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitnet
