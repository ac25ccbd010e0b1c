#include "gguf/foreign_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ascii.h"
#include "base/printable.h"
#include "gguf/load.h"

namespace bitnet::gguf {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kShownStart = 4;   // of bytes that are no text
constexpr std::size_t kShownText = 48;   // of a first line
constexpr std::size_t kTextProbe = 256;  // that must be text for the file to be called one
constexpr std::size_t kZeroProbe = 64;
constexpr std::size_t kTarMagic = 257;

constexpr std::string_view kUnpack = "unpack it and give the .gguf file in it";
constexpr std::string_view kConvert = "convert it to GGUF, as llama.cpp's and bitnet.cpp's converters do";
constexpr std::string_view kFetchItself = "download the .gguf file itself";
constexpr std::string_view kGiveGguf = "give a model in GGUF format";

struct Signature {
  std::string_view start;
  std::string_view what;
  std::string_view advice;
};

constexpr std::array kSignatures{
    Signature{"FUGG"sv, "is a big-endian GGUF file", "convert it to little-endian"},
    Signature{"lmgg"sv, "is a GGML file, older than GGUF", "convert the original model to GGUF version 3"},
    Signature{"fmgg"sv, "is a GGML file, older than GGUF", "convert the original model to GGUF version 3"},
    Signature{"tjgg"sv, "is a GGML file, older than GGUF", "convert the original model to GGUF version 3"},
    Signature{"algg"sv, "is a GGML file, older than GGUF", "convert the original model to GGUF version 3"},
    Signature{"\x1f\x8b"sv, "is compressed with gzip", "unpack it first: gunzip"},
    Signature{"BZh"sv, "is compressed with bzip2", "unpack it first: bunzip2"},
    Signature{"\xfd"
              "7zXZ\0"sv,
              "is compressed with xz", "unpack it first: unxz"},
    Signature{"\x28\xb5\x2f\xfd"sv, "is compressed with zstd", "unpack it first: unzstd"},
    Signature{"\x04\x22\x4d\x18"sv, "is compressed with lz4", "unpack it first: unlz4"},
    Signature{"7z\xbc\xaf\x27\x1c"sv, "is a 7z archive", kUnpack},
    Signature{"Rar!"sv, "is a rar archive", kUnpack},
    Signature{"\x93NUMPY"sv, "is a NumPy array", kGiveGguf},
    Signature{"\x89HDF"sv, "is an HDF5 file", kConvert},
    Signature{"\x7f"
              "ELF"sv,
              "is a program", kGiveGguf},
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool begins_with_ignoring_case(std::string_view text, std::string_view lower) {
  return ascii_lower(text.substr(0, lower.size())) == lower;
}

// A stand-in of three lines that a repository holds in place of a large file; one says "size N".
std::optional<ForeignFile> as_lfs_pointer(std::string_view text) {
  if (!text.starts_with("version https://git-lfs.github.com/") &&
      !text.starts_with("version https://hawser.github.com/")) {
    return std::nullopt;
  }
  std::string size;
  if (const std::size_t at = text.find("\nsize "); at != std::string_view::npos) {
    const std::string_view digits = text.substr(at + 6, 20);
    size = digits.substr(0, digits.find_first_not_of("0123456789"));
  }
  return ForeignFile{"is a Git LFS pointer, which stands for the model" +
                         (size.empty() ? "" : " of " + size + " bytes") + " and does not hold it",
                     "fetch the file: git lfs pull in its repository, or download it from the model's page"};
}

std::optional<ForeignFile> as_zip(std::string_view text) {
  if (!text.starts_with("PK\x03\x04") && !text.starts_with("PK\x05\x06")) return std::nullopt;
  // PyTorch's checkpoints are zip archives with a pickle in front.
  if (text.substr(0, 256).find("data.pkl") != std::string_view::npos) {
    return ForeignFile{"is a PyTorch checkpoint", std::string(kConvert)};
  }
  if (text.substr(0, 256).find(".npy") != std::string_view::npos) {
    return ForeignFile{"is an archive of NumPy arrays (.npz)", std::string(kGiveGguf)};
  }
  return ForeignFile{"is a zip archive", std::string(kUnpack)};
}

// Eight bytes of length, then as many of JSON.
bool is_safetensors(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kLongestHeader = 100'000'000;  // that the format allows
  if (bytes.size() < 10) return false;
  const auto length = load<std::uint64_t>(bytes.data());
  return length >= 2 && length <= std::min<std::uint64_t>(kLongestHeader, bytes.size() - 8) &&
         text_of(bytes)[8] == '{';
}

bool is_text(std::string_view text) {
  return std::ranges::all_of(text.substr(0, kTextProbe), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7F : c == '\n' || c == '\r' || c == '\t';
  });
}

ForeignFile as_text(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (begins_with_ignoring_case(text, "<!doctype html") || begins_with_ignoring_case(text, "<html")) {
    return {"is a web page (HTML), not the file that the page is about",
            std::string(kFetchItself) + ": at Hugging Face the link has /resolve/ in place of /blob/"};
  }
  if (text.starts_with('<'))
    return {"is XML text: perhaps a server's error message", std::string(kFetchItself)};
  if (text.starts_with('{') || text.starts_with('[')) {
    return {"is JSON text: perhaps a server's error message, or a model's configuration",
            std::string(kFetchItself)};
  }
  return {"is not a GGUF file but text: '" +
              printable(text.substr(0, text.find_first_of("\r\n")), kShownText) + "'",
          std::string(kFetchItself)};
}

}  // namespace

ForeignFile recognise_foreign(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  for (const Signature& s : kSignatures) {
    if (text.starts_with(s.start)) return {std::string(s.what), std::string(s.advice)};
  }
  if (auto pointer = as_lfs_pointer(text)) return *pointer;
  if (auto zip = as_zip(text)) return *zip;
  if (is_safetensors(bytes)) return {"is a safetensors file", std::string(kConvert)};
  // A pickle of protocol 2 to 5: PyTorch's older checkpoints.
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    return {"is a Python pickle, perhaps a PyTorch checkpoint", std::string(kConvert)};
  }
  if (text.size() > kTarMagic && text.substr(kTarMagic).starts_with("ustar")) {
    return {"is a tar archive", std::string(kUnpack)};
  }
  if (text.size() >= kZeroProbe && text.substr(0, kZeroProbe).find_first_not_of('\0') == text.npos) {
    return {"is not a GGUF file: it begins with zeros, as a download does that has only been given its room",
            "wait for its end, or download it again"};
  }
  if (text.size() > kShownStart && is_text(text)) return as_text(text);
  return {
      "is not a GGUF file: it begins with '" + printable(text.substr(0, kShownStart), 16) + "', not 'GGUF'",
      std::string(kGiveGguf)};
}

}  // namespace bitnet::gguf
