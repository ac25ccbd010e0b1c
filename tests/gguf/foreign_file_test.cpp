// What is no GGUF file is named for what it is, with what to do about it.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "gguf/sample_file.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string start;
  const char* what;
  const char* advice;
};

std::string refusal_of_text(std::string_view text) { return refusal_of_file(std::as_bytes(std::span(text))); }

void expect_named(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    std::string file = c.start;
    if (file.size() < 600) file += std::string(600, '.');
    const std::string message = refusal_of_text(file);
    EXPECT_TRUE(message.starts_with("m.gguf: ")) << message;
    EXPECT_TRUE(lacks(message, "\n"));
    EXPECT_TRUE(has(message, c.what));
    EXPECT_NE(message.find("); " + std::string(c.advice)), std::string::npos) << message << "\n" << c.advice;
  }
}

TEST(ForeignFile, AGitLfsPointerIsToBeFetched) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') +
      "\nsize 1187801280\n";
  const std::string message = refusal_of_text(pointer);
  EXPECT_TRUE(has(message, "is a Git LFS pointer, which stands for the model of 1187801280 bytes"));
  EXPECT_TRUE(has(message, "git lfs pull"));
  EXPECT_TRUE(
      has(refusal_of_text("version https://git-lfs.github.com/spec/v1\n"), "for the model and does not"));
}

TEST(ForeignFile, ADownloadOfSomethingElseIsToBeRepeated) {
  expect_named(
      {{"<!DOCTYPE html>\n<html lang=\"en\">", "is a web page (HTML)", "download the .gguf file itself"},
       {"\xEF\xBB\xBF\n <HTML><head>", "is a web page (HTML)", "download the .gguf file itself"},
       {"<?xml version=\"1.0\"?><Error>", "is XML text", "download the .gguf file itself"},
       {"{\"error\":\"Repository not found\"}", "is JSON text", "download the .gguf file itself"},
       {"Entry not found\nsecond line", "but text: 'Entry not found'", "download the .gguf file itself"},
       {"a\x1b[31m\n", "it begins with 'a\\x1b[3'", "give a model in GGUF format"},
       {std::string(600, '\0'), "it begins with zeros", "wait for its end, or download it again"}});
  EXPECT_TRUE(has(refusal_of_text("Not Found"), "text: 'Not Found'"));
}

TEST(ForeignFile, PackedFilesAreToBeUnpacked) {
  expect_named({{"\x1f\x8b\x08", "is compressed with gzip", "unpack it first: gunzip"},
                {"BZh9", "is compressed with bzip2", "unpack it first: bunzip2"},
                {std::string("\xfd"
                             "7zXZ\0"sv),
                 "is compressed with xz", "unpack it first: unxz"},
                {"\x28\xb5\x2f\xfd", "is compressed with zstd", "unpack it first: unzstd"},
                {"\x04\x22\x4d\x18", "is compressed with lz4", "unpack it first: unlz4"},
                {"PK\x03\x04model.gguf", "is a zip archive", "unpack it"},
                {"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it"},
                {"Rar!\x1a", "is a rar archive", "unpack it"},
                {"model.gguf" + std::string(247, '\0') + "ustar", "is a tar archive", "unpack it"}});
}

TEST(ForeignFile, OtherModelFormatsAreToBeConverted) {
  expect_named(
      {{std::string("\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}"sv), "is a safetensors file", "convert it"},
       {"PK\x03\x04..........................archive/data.pkl", "is a PyTorch checkpoint", "convert it"},
       {"\x80\x02}q", "is a Python pickle", "convert it"},
       {"\x89HDF\r\n", "is an HDF5 file", "convert it"},
       {"PK\x03\x04..........................logits.npy", "NumPy arrays (.npz)", "give a model"},
       {"\x93NUMPY\x01", "is a NumPy array", "give a model"},
       {"\x7f"
        "ELF\x02",
        "is a program", "give a model"},
       {"FUGG", "is a big-endian GGUF file", "convert it to little-endian"},
       {"tjgg", "is a GGML file, older than GGUF", "convert the original model"}});
  // A length that goes beyond the file is none.
  EXPECT_TRUE(has(refusal_of_text("\xff\0\0\0\0\0\0\0{}"sv), "it begins with '\\xff"));
}

// However short: nothing is read beyond the end.
TEST(ForeignFile, TakesAnyBeginning) {
  const std::string text = "version https://git-lfs.github.com/spec/v1\nsize ";
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_TRUE(refusal_of_text(std::string_view(text).substr(0, n)).starts_with("m.gguf: is "));
  }
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::size_t n : {1U, 2U, 3U, 8U, 9U, 257U, 262U}) {
      EXPECT_TRUE(refusal_of_text(std::string(n, static_cast<char>(byte))).starts_with("m.gguf: is "));
    }
  }
}

}  // namespace
}  // namespace bitnet::test
