// Safetensors files, those among them that are damaged or made to do harm, and rows as they lie in them.
#include "convert/huggingface/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "convert/huggingface/json_file.h"
#include "convert/huggingface/packed_rows.h"
#include "support/hf_folder.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using convert::Dtype;
using convert::Safetensors;

std::string file_error(const std::string& content) {
  const TempDirectory directory;
  write_file(directory.file("x.safetensors"), content);
  try {
    Safetensors::open_file(directory.file("x.safetensors"));
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

// Of a header, before `n_bytes` of data.
std::string file_error(const std::string& header, std::size_t n_bytes) {
  return file_error(safetensors_of(header, std::string(n_bytes, '\0')));
}

// One line, which names the file too.
::testing::AssertionResult says_of_file(const std::string& message, const std::string& part) {
  if (const auto names_file = has(message, "x.safetensors: "); !names_file) return names_file;
  if (const auto is_line = lacks(message, "\n"); !is_line) return is_line;
  return has(message, part);
}

TEST(Safetensors, GivesNamesShapesAndBytes) {
  const TempDirectory directory;
  write_file(directory.file("x.safetensors"),
             safetensors_of(
                 {{"b", "BF16", {2, 3}, "abcdefghijkl"}, {"a", "F32", {}, "mnop"}, {"c", "U8", {0}, ""}}));
  const Safetensors file = Safetensors::open_file(directory.file("x.safetensors"));
  ASSERT_EQ(file.tensors().size(), 3U);
  const convert::StoredTensor* b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, Dtype::bf16);
  EXPECT_EQ(b->shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(b->data.data(), "abcdefghijkl", 12), 0);
  EXPECT_EQ(file.find("a")->n_elements(), 1U);
  EXPECT_EQ(std::memcmp(file.find("a")->data.data(), "mnop", 4), 0);
  EXPECT_EQ(file.find("c")->n_elements(), 0U);
  EXPECT_EQ(file.find("d"), nullptr);
}

TEST(Safetensors, AHeaderMayEndInSpaces) {
  EXPECT_EQ(file_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   )", 1), "");
}

TEST(Safetensors, RefusesAHeaderThatIsNotThere) {
  EXPECT_TRUE(says_of_file(file_error(""), "empty"));
  EXPECT_TRUE(says_of_file(file_error("1234567"), "it has 7 bytes"));
  EXPECT_TRUE(
      says_of_file(file_error(std::string("\x10\0\0\0\0\0\0\0{}", 10)), "a header of 16 bytes; 2 follow"));
  EXPECT_TRUE(says_of_file(file_error(std::string("\0\0\0\0\0\0\0\x80{}", 10)),
                           "a header of 9223372036854775808 bytes"));
  EXPECT_TRUE(says_of_file(file_error(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10)),
                           "18446744073709551615"));
  EXPECT_TRUE(says_of_file(file_error(std::string("\0\0\0\0\0\0\0\0", 8)), "not JSON"));
}

TEST(Safetensors, RefusesAHeaderThatIsNoListOfTensors) {
  EXPECT_TRUE(says_of_file(file_error("GGUF", 0), "not JSON"));
  EXPECT_TRUE(says_of_file(file_error("{", 0), "not JSON"));
  EXPECT_TRUE(says_of_file(file_error("{}", 0), "no tensors"));
  EXPECT_TRUE(says_of_file(file_error(R"({"__metadata__":{"a":"b"}})", 0), "no tensors"));
  EXPECT_TRUE(says_of_file(file_error("[]", 0), "not in the format's form"));
  EXPECT_TRUE(says_of_file(file_error("5", 0), "not in the format's form"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":1})", 0), "not in the format's form"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":null})", 0), "not in the format's form"));
  EXPECT_TRUE(says_of_file(file_error(R"({"__metadata__":{"a":{}}})", 0), "not in the format's form"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1]}})", 1), "lacks one of"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":["U8"],"shape":[1],"data_offsets":[0,1]}})", 1),
                           "its dtype is not"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1),
                           "its shape is not"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1),
                           "its shape is not"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1),
                           "not two numbers"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1),
                           "more than 2 numbers"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})", 1),
                           "unknown field 'more'"));
  EXPECT_TRUE(says_of_file(
      file_error(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1), "twice"));
  EXPECT_TRUE(says_of_file(file_error(R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
                           "a name of 0 bytes"));
}

TEST(Safetensors, RefusesDeepNestingWithoutFollowingIt) {
  EXPECT_TRUE(says_of_file(file_error(std::string(100000, '['), 0), "not in the format's form"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += R"({"a":)";
  EXPECT_TRUE(says_of_file(file_error(objects, 0), "a"));
}

TEST(Safetensors, RefusesNumbersThatAreNoSizes) {
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1),
                           "-1 in its shape"));
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1),
                           "1.0 in its shape"));
  EXPECT_TRUE(says_of_file(
      file_error(R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}})", 1),
      "in its shape"));
  EXPECT_TRUE(says_of_file(
      file_error(R"({"a":{"dtype":"U8","shape":[9223372036854775808,2],"data_offsets":[0,1]}})", 1),
      "too large"));
  EXPECT_TRUE(says_of_file(
      file_error(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0),
      "too large"));
  EXPECT_TRUE(
      says_of_file(file_error(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1),
                   "more than 8"));
}

TEST(Safetensors, RefusesOffsetsThatDoNotFit) {
  const auto two = [](const char* first, const char* second) {
    return std::string(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)") + first +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(file_error(two("[2,4]", "[0,2]"), 4), "");
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[2,4]"), 3), "beyond the data's 3 bytes"));
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[2,4]"), 5), "1 bytes at its end"));
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[1,3]"), 4), "overlap"));
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[3,5]"), 5), "leave a gap"));
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[4,2]"), 4), "run backwards"));
  EXPECT_TRUE(
      says_of_file(file_error(two("[0,2]", "[2,18446744073709551615]"), 4), "beyond the data's 4 bytes"));
  EXPECT_TRUE(says_of_file(file_error(two("[0,2]", "[2,5]"), 5), "are 3 bytes where U8 [2] needs 2"));
}

TEST(Safetensors, RefusesAnUnknownDtypeAndANameThatIsThereTwice) {
  EXPECT_TRUE(says_of_file(file_error(R"({"a":{"dtype":"F2","shape":[1],"data_offsets":[0,1]}})", 1),
                           "dtype 'F2' is unknown"));
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[)";
  EXPECT_TRUE(says_of_file(file_error("{" + a + "0,1]}," + a + "1,2]}}", 2), "is in"));
}

// Folders with an index.

std::string folder_error(const TempDirectory& directory) {
  try {
    Safetensors::open_folder(directory.path());
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

std::string folder_error(const std::string& index) {
  const TempDirectory directory;
  write_file(directory.file("one.safetensors"), safetensors_of({{"a", "U8", {1}, "x"}}));
  write_file(directory.file("two.safetensors"), safetensors_of({{"b", "U8", {1}, "y"}}));
  write_file(directory.file("model.safetensors.index.json"), index);
  return folder_error(directory);
}

TEST(SafetensorsIndex, OpensTheFilesThatItNames) {
  EXPECT_EQ(folder_error(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"), "");
}

TEST(SafetensorsIndex, OpensNothingOutsideOfTheFolder) {
  for (const char* name : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", ".", "",
                           "a\\\\b", "one.safetensors\\u0000"}) {
    EXPECT_TRUE(has(folder_error(std::string(R"({"weight_map":{"a":")") + name + "\"}}"),
                    "is no name of a file in this folder"));
  }
  EXPECT_TRUE(has(folder_error(R"({"weight_map":{"a":5}})"), "is no name of a file"));
}

TEST(SafetensorsIndex, RefusesWhatItAndTheFilesContradictEachOtherIn) {
  EXPECT_TRUE(has(folder_error(R"({"weight_map":{"a":"one.safetensors","b":"three.safetensors"}})"),
                  "three.safetensors, which is not there"));
  EXPECT_TRUE(has(folder_error(R"({"weight_map":{"a":"one.safetensors"},"weight_map":{}})"), "stands twice"));
  EXPECT_TRUE(has(folder_error(R"({"weight_map":{"a":"one.safetensors","c":"two.safetensors"}})"),
                  "b: is not in model.safetensors.index.json"));
  EXPECT_TRUE(has(
      folder_error(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}})"),
      "c is not in two.safetensors"));
  EXPECT_TRUE(
      has(folder_error(R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})"), "has it in"));
  EXPECT_TRUE(has(folder_error(R"({"weight_map":{}})"), "no weight_map"));
  EXPECT_TRUE(has(folder_error(R"([])"), "no JSON object"));
  EXPECT_TRUE(has(folder_error(std::string(100000, '[')), "nested deeper"));
  EXPECT_TRUE(has(folder_error("nonsense"), "not JSON"));
}

TEST(SafetensorsIndex, RefusesTheSameTensorInTwoFiles) {
  const TempDirectory directory;
  write_file(directory.file("one.safetensors"), safetensors_of({{"a", "U8", {1}, "x"}}));
  write_file(directory.file("two.safetensors"),
             safetensors_of({{"a", "U8", {1}, "y"}, {"b", "U8", {1}, "y"}}));
  write_file(directory.file("model.safetensors.index.json"),
             R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_TRUE(has(folder_error(directory), "tensor a: is in"));
}

TEST(SafetensorsIndex, AFolderWithoutWeightsIsToldWhatIsMissing) {
  const TempDirectory directory;
  EXPECT_TRUE(has(folder_error(directory), "neither model.safetensors nor model.safetensors.index.json"));
}

TEST(JsonFile, KeepsToItsLimits) {
  const JsonLimits limits{.bytes = 64, .values = 5};
  EXPECT_EQ(convert::parse_object(R"({"a":[1,2]})", "x", limits)["a"][1], 2);
  EXPECT_THROW(convert::parse_object(R"({"a":[1,2,3]})", "x", limits), ModelError);
  EXPECT_THROW(convert::parse_object("{" + std::string(64, ' ') + "}", "x", limits), ModelError);
  EXPECT_THROW(convert::parse_object(R"({"a":1,"a":2})", "x"), ModelError);
  EXPECT_THROW(convert::parse_object("[]", "x"), ModelError);
  EXPECT_THROW(convert::parse_object("\"\xFF\"", "x"), ModelError);
}

TEST(PackedRows, FourRowsShareABytesBits) {
  // Columns 0 to 18; the four rows' codes are c % 3, (c + 1) % 3, 1 and 2.
  std::vector<std::byte> bytes;
  for (unsigned c = 0; c < 19; ++c)
    bytes.push_back(static_cast<std::byte>(c % 3 | (c + 1) % 3 << 2 | 1U << 4 | 2U << 6));
  for (unsigned which = 0; which < 4; ++which) {
    std::uint32_t words[2] = {};
    convert::unpack_row(bytes, which, words);
    EXPECT_FALSE(convert::find_code_3(bytes, 0, which + 1));
    for (unsigned c = 0; c < 19; ++c) {
      const unsigned want = which == 0 ? c % 3 : which == 1 ? (c + 1) % 3 : which - 1;
      EXPECT_EQ(words[c / 16] >> (2 * (c % 16)) & 3U, want) << which << ", " << c;
    }
    EXPECT_EQ(words[1] >> 6, 0U) << "behind the last";
  }
  bytes[17] |= std::byte{0x0C};
  for (unsigned begin = 0; begin < 4; ++begin) {
    for (unsigned end = begin + 1; end <= 4; ++end) {
      const auto found = convert::find_code_3(bytes, begin, end);
      ASSERT_EQ(found.has_value(), begin <= 1 && end >= 2) << begin << " to " << end;
      if (!found) continue;
      EXPECT_EQ(found->column, 17U);
      EXPECT_EQ(found->which, 1U);
    }
  }
}

TEST(PackedRows, AreUnpackedAtAnyWidth) {
  std::mt19937 random(3);
  for (std::size_t n = 1; n < 200; ++n) {
    std::vector<std::byte> bytes(n);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xFF);
    for (unsigned which = 0; which < 4; ++which) {
      std::vector<std::uint32_t> words((n + 15) / 16, ~0U);
      convert::unpack_row(bytes, which, words.data());
      for (std::size_t c = 0; c < words.size() * 16; ++c) {
        const unsigned want = c < n ? std::to_integer<unsigned>(bytes[c]) >> (2 * which) & 3U : 0;
        ASSERT_EQ(words[c / 16] >> (2 * (c % 16)) & 3U, want) << n << ", " << which << ", " << c;
      }
    }
  }
}

}  // namespace
}  // namespace bitnet::test
