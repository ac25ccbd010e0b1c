// The chat page: what its policy allows is what it holds.
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "diagnostics/sha256.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

std::string page() {
  std::ifstream file(BITNET_SCRIPTS "/../src/service/http/page.html", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between the first `begin` and the `end` after it.
std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

// Of a SHA-256, as content security policies write it.
std::string base64_of(const std::string& hexadecimal) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bits;
  for (const char digit : hexadecimal) {
    const auto value = static_cast<unsigned>(std::stoul(std::string(1, digit), nullptr, 16));
    for (unsigned mask = 8; mask != 0; mask /= 2) bits += (value & mask) != 0 ? '1' : '0';
  }
  std::string text;
  for (bits.resize((bits.size() + 5) / 6 * 6, '0'); !bits.empty(); bits.erase(0, 6)) {
    text += kDigits[std::stoul(bits.substr(0, 6), nullptr, 2)];
  }
  return text + std::string((4 - text.size() % 4) % 4, '=');
}

std::string digest_of(const std::string& text) {
  return "'sha256-" + base64_of(*sha256_of(std::as_bytes(std::span(text)))) + "'";
}

TEST(ChatPage, ItsPolicyNamesTheDigestsOfItsStyleAndItsScript) {
  const std::string html = page();
  const std::string policy = between(html, "Content-Security-Policy\" content=\"", "\"");
  EXPECT_EQ(between(policy, "style-src ", ";"), digest_of(between(html, "<style>", "</style>")));
  EXPECT_EQ(between(policy, "script-src ", ";"), digest_of(between(html, "<script>", "</script>")));
}

TEST(ChatPage, TakesNothingFromElsewhere) {
  const std::string html = page();
  EXPECT_EQ(between(between(html, "Content-Security-Policy\" content=\"", "\""), "default-src ", ";"),
            "'none'");
  for (const char* way :
       {"src=\"http", "href=\"http", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"}) {
    EXPECT_TRUE(lacks(html, way));
  }
  const std::string style = between(html, "<style>", "</style>");
  for (const char* way : {"url(", "@import"}) EXPECT_TRUE(lacks(style, way));
}

}  // namespace
}  // namespace bitnet::test
