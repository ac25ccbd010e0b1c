// Models in several files: any part opens all, and what is amiss among them is named.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gguf/gguf.h"
#include "gguf/sample_file.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using gguf::File;

// Part `i` of three, with a vector named after it of 40 values that are its number.
GgufBuilder part(std::uint16_t i, std::uint16_t count = 3, std::int32_t n_tensors = 3) {
  GgufBuilder b;
  if (i == 0) b.add("general.name", "three").add_array<std::uint32_t>("k.array", {1, 2});
  b.add("split.no", i).add("split.count", count).add("split.tensors.count", n_tensors);
  b.add_f32("t" + std::to_string(i), {40}, std::vector<float>(40, static_cast<float>(i)));
  return b;
}

std::string name_of_part(int i) { return "m-0000" + std::to_string(i + 1) + "-of-00003.gguf"; }

class SplitFile : public ::testing::Test {
 protected:
  SplitFile() {
    for (int i = 0; i < 3; ++i) put(i, part(static_cast<std::uint16_t>(i)));
  }
  void put(const std::string& name, const std::vector<std::byte>& bytes) {
    std::ofstream out(directory_.file(name), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void put(int i, GgufBuilder builder) { put(name_of_part(i), builder.build()); }
  std::string path(int i) const { return directory_.file(name_of_part(i)); }
  std::string refusal_of(const std::string& name) const {
    try {
      walk(File::open(directory_.file(name)));
    } catch (const ModelError& error) {
      return error.what();
    }
    return "no error";
  }
  // That the file `name` is refused under `file`'s name, with `what` in the message.
  void expect_refused(const std::string& name, const std::string& file, const std::string& what) const {
    const std::string message = refusal_of(name);
    EXPECT_TRUE(message.starts_with(directory_.file(file) + ": ")) << message;
    EXPECT_TRUE(has(message, what));
    EXPECT_TRUE(lacks(message, "\n"));
  }

  TempDirectory directory_;
};

TEST_F(SplitFile, IsOneWhicheverPartIsNamed) {
  for (int named = 0; named < 3; ++named) {
    const File opened = File::open(path(named));
    File file = File::open(path((named + 1) % 3));
    file = File::open(path(named));  // moved, it stays whole
    EXPECT_EQ(file.name(), path(0));
    EXPECT_EQ(file.get_string("general.name"), "three");
    EXPECT_EQ(file.get_numbers("k.array")->at(1), 2);
    ASSERT_EQ(file.n_parts(), 3U);
    ASSERT_EQ(file.tensors().size(), 3U);
    std::uint64_t size = 0;
    for (std::uint32_t i = 0; i < 3; ++i) {
      const gguf::Tensor* t = file.find_tensor("t" + std::to_string(i));
      ASSERT_NE(t, nullptr);
      EXPECT_EQ(t, &file.tensors()[i]);
      EXPECT_EQ(t->part, i);
      EXPECT_EQ(file.part(i).name(), path(static_cast<int>(i)));
      EXPECT_EQ(t->extent.data(), file.part(i).bytes().data() + t->file_offset);
      float value = 7;
      std::memcpy(&value, t->extent.data(), sizeof value);
      EXPECT_EQ(value, static_cast<float>(i));
      size += std::filesystem::file_size(path(static_cast<int>(i)));
      file.populate(t->extent);
      file.give_back(file.part(i).bytes());
      EXPECT_EQ(file.part(i).identity(), identity_of(path(static_cast<int>(i))));
    }
    EXPECT_EQ(file.size(), size);
    EXPECT_EQ(walk(file), walk(opened));
    EXPECT_EQ(file.read_notice(), "");
  }
}

TEST_F(SplitFile, OfOnePartIsAFileLikeAnyOther) {
  put("whole.gguf", part(0, 1, 1).build());
  EXPECT_EQ(File::open(directory_.file("whole.gguf")).n_parts(), 1U);
}

TEST_F(SplitFile, ALonePartSaysWhichOneItIs) {
  std::filesystem::remove(path(1));
  const std::string advice = "; put all 3 parts into one folder and name any of them";
  expect_refused(
      name_of_part(0), name_of_part(0),
      "is part 1 of 3 of a split model, and part 2, " + name_of_part(1) + ", is not beside it" + advice);
  expect_refused(name_of_part(2), name_of_part(2), "is part 3 of 3 of a split model, and part 2, ");
  std::filesystem::remove(path(0));
  expect_refused(name_of_part(2), name_of_part(2), "and part 1, " + name_of_part(0) + ", is not beside it");
  const std::vector<std::byte> bytes = part(1).build();
  EXPECT_TRUE(
      has(refusal_of_file(bytes), "m.gguf: is part 2 of 3 of a split model, and the others are not known"));
}

TEST_F(SplitFile, APartThatWasRenamedSaysWhatItsNameWouldBe) {
  std::filesystem::rename(path(0), directory_.file("model.gguf"));
  expect_refused("model.gguf", "model.gguf",
                 "is part 1 of 3 of a split model, and its name does not end in -00001-of-00003.gguf");
  std::filesystem::rename(directory_.file("model.gguf"), directory_.file("m-00002-of-00004.gguf"));
  expect_refused("m-00002-of-00004.gguf", "m-00002-of-00004.gguf",
                 "part 1 of 3 of a split model, and its name");
}

TEST_F(SplitFile, PartsJoinedByCatAreNamedAsThat) {
  for (const bool in_order : {true, false}) {
    std::vector<std::byte> joined;
    for (std::uint16_t i = 0; i < 3; ++i) {
      const std::vector<std::byte> bytes = part(in_order ? i : static_cast<std::uint16_t>(2 - i)).build();
      joined.insert(joined.end(), bytes.begin(), bytes.end());
    }
    put("joined.gguf", joined);
    const std::size_t first = part(in_order ? 0 : 2).build().size();
    expect_refused("joined.gguf", "joined.gguf",
                   "is part " + std::string(in_order ? "1" : "3") + " of 3 of a split model");
    expect_refused("joined.gguf", "joined.gguf",
                   "with another behind it, from byte " + std::to_string(first) +
                       " on: parts put together by cat are no model; keep the parts as they were");
  }
}

TEST_F(SplitFile, PartsThatDoNotBelongTogetherAreRefusedByName) {
  const std::string advice =
      "; the parts are of different models, or have changed names: download them again";
  put(1, part(2));
  expect_refused(name_of_part(0), name_of_part(1),
                 "is part 3 of 3 of a model of 3 tensors, where part 2 of 3");
  put(1, part(1, 3, 4));
  expect_refused(
      name_of_part(0), name_of_part(1),
      "is part 2 of 3 of a model of 4 tensors, where part 2 of 3 of one of 3 is expected" + advice);
  put(1, part(1, 4));
  expect_refused(name_of_part(2), name_of_part(1), "is part 2 of 4 of a model");
  put(1, sample_builder());  // a model of its own
  expect_refused(name_of_part(0), name_of_part(1), "is part 1 of 1 of a model");
  put(1, GgufBuilder(part(1)).add("general.architecture", "llama"));
  expect_refused(name_of_part(0), name_of_part(1), "key 'general.architecture' is not in the first part");
  put(1, GgufBuilder(part(1)).add("general.name", "three"));  // which the first part has too
  EXPECT_EQ(refusal_of(name_of_part(0)), "no error");
  put(1, GgufBuilder(part(1)).add("general.name", "four"));
  expect_refused(name_of_part(0), name_of_part(1),
                 R"(key 'general.name' is "four", where the first part has "three")");
  put(1, part(1).alignment(64));
  EXPECT_EQ(refusal_of(name_of_part(0)), "no error");
}

TEST_F(SplitFile, TensorsThatAreMissingOrThereTwiceAreTold) {
  GgufBuilder twice = part(1);
  put(1, twice.add_f32("t0", {40}, std::vector<float>(40)));
  expect_refused(name_of_part(0), name_of_part(0), "split.tensors.count is 3, but all parts have 4 tensors");
  for (int i = 0; i < 3; ++i) put(i, part(static_cast<std::uint16_t>(i), 3, 4));
  expect_refused(name_of_part(0), name_of_part(0), "split.tensors.count is 4, but all parts have 3 tensors");
  for (int i = 0; i < 3; ++i) {
    GgufBuilder b = part(static_cast<std::uint16_t>(i), 3, 4);
    if (i == 1) b.add_f32("t0", {40}, std::vector<float>(40));
    put(i, b);
  }
  expect_refused(name_of_part(0), name_of_part(1), "the tensor's name appears twice (tensor 't0'");
}

TEST_F(SplitFile, APartThatIsDamagedIsRefusedByItsOwnName) {
  std::filesystem::resize_file(path(2), 100);
  for (int named = 0; named < 3; ++named) {
    expect_refused(name_of_part(named), name_of_part(2), "the file ends inside");
  }
  std::string damage;
  const File file = File::open_damaged(path(0), damage);
  EXPECT_TRUE(has(damage, name_of_part(2)));
  EXPECT_EQ(file.get_string("general.name"), "three");
  ASSERT_EQ(file.tensors().size(), 1U);
  EXPECT_TRUE(file.tensors()[0].extent.empty());
}

TEST_F(SplitFile, SenselessPlacesAreRefused) {
  const auto expect_senseless = [&](const std::function<void(GgufBuilder&)>& change,
                                    const std::string& what) {
    GgufBuilder b;
    b.add("general.name", "x").add_f32("t0", {40}, std::vector<float>(40));
    change(b);
    put(0, b);
    expect_refused(name_of_part(0), name_of_part(0), what);
  };
  expect_senseless([](GgufBuilder& b) { b.add("split.count", std::uint16_t{3}); }, "but not which");
  expect_senseless(
      [](GgufBuilder& b) {
        b.add("split.no", std::uint16_t{3}).add("split.count", std::uint16_t{3});
        b.add("split.tensors.count", std::int32_t{3});
      },
      "but not which");
  expect_senseless(
      [](GgufBuilder& b) {
        b.add("split.no", std::uint16_t{0}).add("split.count", std::uint64_t{1} << 40);
        b.add("split.tensors.count", std::int32_t{3});
      },
      "but not which");
  expect_senseless([](GgufBuilder& b) { b.add("split.count", "3"); }, "key 'split.count'");
  expect_senseless(
      [](GgufBuilder& b) {
        b.add("split.no", std::uint16_t{0}).add("split.count", std::uint16_t{3});
        b.add("split.tensors.count", std::int32_t{-1});
      },
      "split.tensors.count");
}

}  // namespace
}  // namespace bitnet::test
