#include "diagnostics/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "base/late_library.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

constexpr std::size_t kBlock = std::size_t{4} << 20;  // some milliseconds

// What is used of OpenSSL's libcrypto, which takes long to load.
struct CryptoLibrary {
  const LateLibrary library{BITNET_LIBCRYPTO, "SHA-256"};
  decltype(::EVP_MD_CTX_new)* const new_context = library["EVP_MD_CTX_new"];
  decltype(::EVP_MD_CTX_free)* const free_context = library["EVP_MD_CTX_free"];
  decltype(::EVP_DigestInit_ex)* const init = library["EVP_DigestInit_ex"];
  decltype(::EVP_DigestUpdate)* const update = library["EVP_DigestUpdate"];
  decltype(::EVP_DigestFinal_ex)* const final = library["EVP_DigestFinal_ex"];
  decltype(::EVP_sha256)* const sha256 = library["EVP_sha256"];
};

const CryptoLibrary& libcrypto() {
  static const CryptoLibrary library;
  return library;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { libcrypto().free_context(context); }
};

void require(bool done) {
  if (!done) throw RuntimeError("SHA-256: OpenSSL's libcrypto refuses; check its installation");
}

}  // namespace

std::optional<std::string> sha256_of(std::span<const std::byte> bytes,
                                     const std::function<bool()>& keep_going) {
  return sha256_of(std::span(&bytes, 1), keep_going);
}

std::optional<std::string> sha256_of(std::span<const std::span<const std::byte>> pieces,
                                     const std::function<bool()>& keep_going) {
  const CryptoLibrary& crypto = libcrypto();
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(crypto.new_context());
  require(context != nullptr && crypto.init(context.get(), crypto.sha256(), nullptr) == 1);
  for (std::span<const std::byte> bytes : pieces) {
    while (!bytes.empty()) {
      if (keep_going && !keep_going()) return std::nullopt;
      const auto block = bytes.first(std::min(kBlock, bytes.size()));
      require(crypto.update(context.get(), block.data(), block.size()) == 1);
      bytes = bytes.subspan(block.size());
    }
  }
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  require(crypto.final(context.get(), digest.data(), &size) == 1 && size == digest.size());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

}  // namespace bitnet
