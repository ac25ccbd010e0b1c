#include "base/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "bitnet/error.h"

namespace bitnet {
namespace {

constexpr std::size_t kBlock = std::size_t{4} << 20;  // some milliseconds

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

void require(bool done) {
  if (!done) throw RuntimeError("SHA-256: OpenSSL's libcrypto refuses; check its installation");
}

}  // namespace

std::optional<std::string> sha256_of(std::span<const std::byte> bytes,
                                     const std::function<bool()>& keep_going) {
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  require(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  while (!bytes.empty()) {
    if (keep_going && !keep_going()) return std::nullopt;
    const auto block = bytes.first(std::min(kBlock, bytes.size()));
    require(EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1);
    bytes = bytes.subspan(block.size());
  }
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1 && size == digest.size());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

}  // namespace bitnet
