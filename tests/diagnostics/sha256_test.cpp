#include "diagnostics/sha256.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

namespace bitnet {
namespace {

std::optional<std::string> hash(const std::string& text, const std::function<bool()>& keep_going = {}) {
  return sha256_of(std::as_bytes(std::span(text)), keep_going);
}

// The examples of FIPS 180-2, and the empty message.
TEST(Sha256, OfKnownMessages) {
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfMoreThanOneBlockAsksBetweenThem) {
  const std::string zeros(std::size_t{9} << 20, '\0');  // head -c 9M /dev/zero | sha256sum
  int asked = 0;
  EXPECT_EQ(hash(zeros,
                 [&] {
                   ++asked;
                   return true;
                 }),
            "d2ee4703cd9698945ca7b9fe1689ea3095597eac1a0afd8dba00cac7894fdc43");
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(hash(zeros, [&] { return --asked > 1; }), std::nullopt);
}

TEST(Sha256, OfPiecesIsThatOfTheWhole) {
  const std::string whole(std::size_t{9} << 20, 'x');
  const auto bytes = std::as_bytes(std::span(whole));
  const std::vector<std::span<const std::byte>> pieces{
      bytes.first(3), bytes.subspan(3, 5'000'000), {}, bytes.subspan(5'000'003)};
  EXPECT_EQ(sha256_of(pieces), hash(whole));
}

}  // namespace
}  // namespace bitnet
