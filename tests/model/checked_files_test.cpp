// A file that was found sound is not read through again, and one that changed always is.
#include "model/checked_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/model.h"
#include "support/small_model.h"
#include "support/split_model.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const SmallShape kCheckedShape{.layers = 1, .vocab = 301};

SmallModel broken_model() {
  SmallModel broken("llama", kCheckedShape);
  broken.tensor("blk.0.ffn_up.weight").data[9] = std::byte{0xC0};
  return broken;
}

// A model with a code 3, and the list.
class CheckedList : public ::testing::Test {
 protected:
  CheckedList() { write_file(broken_, broken_model().to_gguf().build()); }

  bool loads(const std::string& path) const {
    try {
      Model::load(path, {.checked_list = list_, .checked_min_age = 0s});
      return true;
    } catch (const ModelError&) {
      return false;
    }
  }
  // As if the check had passed it: whether it is then looked at again shows whether it loads.
  void list_as_checked(const std::string& path) const {
    CheckedFiles(list_, 0s).add(gguf::File::open(path), std::nullopt);
  }
  bool is_listed(const std::string& path) const {
    const std::vector<bool> held = CheckedFiles(list_, 0s).find(gguf::File::open(path)).is_sound;
    return std::ranges::all_of(held, [](bool b) { return b; });
  }

  TempDirectory directory_;
  std::string broken_ = directory_.file("broken.gguf");
  std::string list_ = directory_.file("list");
};

TEST_F(CheckedList, HoldsWhatWasLoaded) {
  const std::string good = directory_.file("good.gguf");
  write_file(good, SmallModel("llama", kCheckedShape).to_gguf().build());
  EXPECT_FALSE(is_listed(good));
  EXPECT_TRUE(loads(good));
  EXPECT_TRUE(is_listed(good));
  const std::string before = content_of(list_);
  EXPECT_TRUE(loads(good));
  EXPECT_EQ(content_of(list_), before);
  EXPECT_FALSE(loads(broken_));
  EXPECT_FALSE(is_listed(broken_));
  EXPECT_EQ(content_of(list_), before);
  EXPECT_EQ(directory_.n_files(), 3);  // nothing is left behind
}

TEST_F(CheckedList, SparesWhatIsOnIt) {
  EXPECT_FALSE(loads(broken_));
  list_as_checked(broken_);
  EXPECT_TRUE(loads(broken_));
  EXPECT_THROW(Model::load(broken_), ModelError);  // without a list nothing is spared
}

// Whatever happens to a file: it is looked at again.
TEST_F(CheckedList, IsNotBelievedOfAFileThatChanged) {
  const std::vector<std::byte> bytes = broken_model().to_gguf().build();
  const auto overwrite = [&](std::size_t at) {
    const int file = ::open(broken_.c_str(), O_WRONLY);
    EXPECT_EQ(::pwrite(file, &bytes[at], 1, static_cast<off_t>(at)), 1);
    ::close(file);
  };
  const auto with_its_old_times = [&](const std::function<void()>& change) {
    struct stat before {};
    ASSERT_EQ(::stat(broken_.c_str(), &before), 0);
    change();
    const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, broken_.c_str(), times.data(), 0), 0);
  };
  const std::vector<std::pair<const char*, std::function<void()>>> changes{
      {"written", [&] { overwrite(bytes.size() - 1); }},
      {"written, and its time set back", [&] { with_its_old_times([&] { overwrite(bytes.size() - 1); }); }},
      {"replaced by another with the same size and time",
       [&] {
         with_its_old_times([&] {
           write_file(broken_ + ".new", bytes);
           fs::rename(broken_ + ".new", broken_);
         });
       }},
      {"longer", [&] { fs::resize_file(broken_, bytes.size() + 64); }},
      {"touched", [&] { fs::last_write_time(broken_, fs::file_time_type::clock::now()); }},
  };
  for (const auto& [how, change] : changes) {
    write_file(broken_, bytes);
    list_as_checked(broken_);
    ASSERT_TRUE(loads(broken_)) << how;
    ::usleep(20'000);  // file systems count in jiffies
    change();
    EXPECT_FALSE(loads(broken_)) << how;
  }
}

// A later change might get the same time.
TEST_F(CheckedList, DoesNotTakeAFileThatHasJustBeenWritten) {
  CheckedFiles(list_, 60s).add(gguf::File::open(broken_), LayoutVerdict::x86);
  EXPECT_FALSE(fs::exists(list_));
  EXPECT_FALSE(is_listed(broken_));
}

TEST_F(CheckedList, TellsPartsOfASplitModelApart) {
  const std::vector<std::string> paths = write_parts(broken_model(), 3, directory_.file("m"));
  EXPECT_FALSE(loads(paths[0]));
  list_as_checked(paths[0]);
  EXPECT_TRUE(loads(paths[1]));
  ::usleep(20'000);
  fs::last_write_time(paths[0], fs::file_time_type::clock::now());
  const std::vector<bool> held = CheckedFiles(list_, 0s).find(gguf::File::open(paths[0])).is_sound;
  EXPECT_EQ(held, (std::vector<bool>{false, true, true}));
  // Only the part that changed is read again: the broken tensor is in another.
  EXPECT_TRUE(loads(paths[0]));
  fs::last_write_time(paths[2], fs::file_time_type::clock::now());
  fs::last_write_time(paths[1], fs::file_time_type::clock::now());
  EXPECT_FALSE(loads(paths[0]));
}

TEST_F(CheckedList, IsAsIfEmptyWhateverIsWrongWithIt) {
  list_as_checked(broken_);
  const std::string good = content_of(list_);
  ASSERT_TRUE(is_listed(broken_));
  const auto put = [&](const std::string& text) { write_file(list_, std::as_bytes(std::span(text))); };
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] ^= 4;
    put(bad);
    EXPECT_FALSE(is_listed(broken_)) << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    put(good.substr(0, size));
    EXPECT_FALSE(is_listed(broken_)) << size;
  }
  put(std::string(1 << 20, 'x'));
  EXPECT_FALSE(loads(broken_));
  list_as_checked(broken_);
  EXPECT_EQ(content_of(list_), good);

  fs::remove(list_);
  ASSERT_EQ(::mkfifo(list_.c_str(), 0600), 0);
  EXPECT_FALSE(is_listed(broken_));
  fs::remove(list_);
  fs::create_directory(list_);
  EXPECT_FALSE(is_listed(broken_));
  list_as_checked(broken_);
  EXPECT_FALSE(is_listed(broken_));
}

TEST_F(CheckedList, ThatCannotBeWrittenIsNoError) {
  const std::string good = directory_.file("good.gguf");
  write_file(good, SmallModel("llama", kCheckedShape).to_gguf().build());
  for (const char* list : {"/no/such/place/list", "/proc/list", "/dev/full"}) {
    EXPECT_NO_THROW(Model::load(good, {.checked_list = list, .checked_min_age = 0s})) << list;
  }
}

TEST_F(CheckedList, KeepsNoMoreThanTheLastFiles) {
  for (std::size_t i = 0; i < CheckedFiles::kMaxFiles + 3; ++i) {
    const std::string path = directory_.file(std::to_string(i) + ".gguf");
    GgufBuilder b;
    write_file(path, b.add("n", static_cast<std::uint32_t>(i)).build());
    list_as_checked(path);
  }
  EXPECT_LT(fs::file_size(list_), 8192U);
  EXPECT_FALSE(is_listed(directory_.file("2.gguf")));
  EXPECT_TRUE(is_listed(directory_.file("3.gguf")));
  EXPECT_TRUE(is_listed(directory_.file(std::to_string(CheckedFiles::kMaxFiles + 2) + ".gguf")));
  // A file that is checked again takes no second place.
  const auto size = fs::file_size(list_);
  ::usleep(20'000);
  fs::last_write_time(directory_.file("9.gguf"), fs::file_time_type::clock::now());
  list_as_checked(directory_.file("9.gguf"));
  EXPECT_EQ(fs::file_size(list_), size);
  EXPECT_TRUE(is_listed(directory_.file("3.gguf")));
}

TEST_F(CheckedList, KeepsTheVerdictOnTheLayout) {
  const CheckedFiles list(list_, 0s);
  const gguf::File file = gguf::File::open(broken_);
  EXPECT_EQ(list.find(file).layout, std::nullopt);
  list.add(file, std::nullopt);
  EXPECT_EQ(list.find(file).is_sound, std::vector<bool>{true});
  EXPECT_EQ(list.find(file).layout, std::nullopt);
  const auto size_of_one = fs::file_size(list_);
  for (const LayoutVerdict verdict :
       {LayoutVerdict::x86, LayoutVerdict::arm, LayoutVerdict::rows4, LayoutVerdict::unknown}) {
    list.add(file, verdict);
    EXPECT_EQ(list.find(file).layout, verdict);
    EXPECT_EQ(fs::file_size(list_), size_of_one);
  }
}

TEST_F(CheckedList, HasAVerdictOnASplitModelIfAllPartsAgree) {
  const std::vector<std::string> paths = write_parts(broken_model(), 3, directory_.file("m"));
  const CheckedFiles list(list_, 0s);
  const gguf::File all = gguf::File::open(paths[0]);
  list.add(all, LayoutVerdict::arm);
  EXPECT_EQ(list.find(all).layout, LayoutVerdict::arm);
  ::usleep(20'000);
  fs::last_write_time(paths[1], fs::file_time_type::clock::now());
  EXPECT_EQ(list.find(gguf::File::open(paths[0])).layout, std::nullopt);
}

TEST_F(CheckedList, HasNoUseForBytesThatAreInNoFile) {
  const AlignedBytes good = SmallModel("llama", kCheckedShape).build();
  Model::from_bytes(good.span(), "m", {.checked_list = list_, .checked_min_age = 0s});
  EXPECT_FALSE(fs::exists(list_));
  const AlignedBytes bad = broken_model().build();
  EXPECT_THROW(Model::from_bytes(bad.span(), "m", {.checked_list = list_}), ModelError);
  EXPECT_NO_THROW(Model::from_bytes(bad.span(), "m", {.is_sound = true}));
}

// The program takes its own model without looking: that is right as long as this holds.
TEST(CheckedCanary, IsSound) { EXPECT_NO_THROW(Model::load(BITNET_MODELS "/canary.gguf")); }

}  // namespace
}  // namespace bitnet::test
