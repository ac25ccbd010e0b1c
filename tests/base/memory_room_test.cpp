// How much memory a process may still take, of systems made up for it.
#include "base/memory_room.h"

#include <gtest/gtest.h>

#include <string>

#include "base/buffer.h"
#include "base/system_files.h"
#include "bitnet/error.h"

namespace bitnet::test {
namespace {

class Room : public SystemFiles {
 protected:
  static constexpr const char* kGroup = "/sys/fs/cgroup/system.slice/job.scope";

  // Nothing of this process is in memory: what it has reserved in these tests is nothing.
  MemoryRoom room() const { return physical_memory_room(root_.path()); }
  void put_v2(const std::string& group, const std::string& limit, const std::string& used) {
    put("/proc/self/cgroup", "0::/system.slice/job.scope\n");
    put("/proc/self/mountinfo", kVersion2);
    put(group + "/memory.max", limit + "\n");
    put(group + "/memory.current", used + "\n");
  }
};

TEST_F(Room, HasNoLimitWhereNothingSaysOtherwise) {
  EXPECT_EQ(room().bytes, MemoryRoom::kNoLimit);
  put_v2(kGroup, "max", "1000000");
  EXPECT_EQ(room().bytes, MemoryRoom::kNoLimit);
}

TEST_F(Room, IsWhatTheMachineHasAvailableAndItsSwap) {
  put("/proc/meminfo",
      "MemTotal:  8000 kB\nMemFree:  100 kB\nMemAvailable:  3000 kB\nSwapTotal: 900 kB\nSwapFree:  500 kB\n");
  EXPECT_EQ(room().bytes, 3500U << 10);
  EXPECT_EQ(room().where, "on this machine");
}

TEST_F(Room, IsWhatTheGroupsLimitLeavesAndThePagesOfFilesThatCanGo) {
  put("/proc/meminfo", "MemAvailable: 9000 kB\nSwapFree: 0 kB\n");
  put_v2(kGroup, "1000000", "700000");
  EXPECT_EQ(room().bytes, 300'000U);
  EXPECT_EQ(room().where, "in the control group");
  put(std::string(kGroup) + "/memory.stat",
      "anon 300000\nfile 400000\ninactive_file 100000\nactive_file 250000\nslab_reclaimable 5000\n");
  EXPECT_EQ(room().bytes, 655'000U);
  put(std::string(kGroup) + "/memory.current", "2000000\n");  // the limit was lowered
  EXPECT_EQ(room().bytes, 0U);
}

TEST_F(Room, IsTheLeastOfTheGroupThoseAroundItAndTheMachine) {
  put_v2(kGroup, "1000000", "100000");
  put_v2("/sys/fs/cgroup/system.slice", "1000000", "600000");
  EXPECT_EQ(room().bytes, 400'000U);
  put("/proc/meminfo", "MemAvailable: 300 kB\n");
  EXPECT_EQ(room().bytes, 300U << 10);
  EXPECT_EQ(room().where, "on this machine");
}

TEST_F(Room, HasTheSwapThatTheGroupMayUseAndTheMachineHas) {
  put("/proc/meminfo", "MemAvailable: 9000 kB\nSwapFree: 100 kB\n");
  put_v2(kGroup, "1000000", "700000");
  EXPECT_EQ(room().bytes, 300'000U + (100U << 10));
  put(std::string(kGroup) + "/memory.swap.max", "60000\n");
  put(std::string(kGroup) + "/memory.swap.current", "20000\n");
  EXPECT_EQ(room().bytes, 340'000U);
  put(std::string(kGroup) + "/memory.swap.max", "max\n");
  EXPECT_EQ(room().bytes, 300'000U + (100U << 10));
}

TEST_F(Room, OfVersionOneIsThatOfTheMemoryController) {
  put("/proc/meminfo", "MemAvailable: 9000 kB\nSwapFree: 500 kB\n");
  put("/proc/self/cgroup", "4:memory:/jobs/17\n2:cpu,cpuacct:/x\n0::/\n");
  put("/proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n");
  const std::string group = "/sys/fs/cgroup/memory/jobs/17";
  put(group + "/memory.limit_in_bytes", "1000000\n");
  put(group + "/memory.usage_in_bytes", "900000\n");
  put(group + "/memory.stat", "active_file 1\ntotal_active_file 20000\ntotal_inactive_file 30000\n");
  EXPECT_EQ(room().bytes, 150'000U + (500U << 10));
  put(group + "/memory.memsw.limit_in_bytes", "1200000\n");
  put(group + "/memory.memsw.usage_in_bytes", "950000\n");
  EXPECT_EQ(room().bytes, 300'000U);
}

TEST_F(Room, HasNoLimitWhereTheFilesHoldNoNumbers) {
  put("/proc/meminfo", "MemAvailable: lots\n\n:\nSwapFree:\n");
  for (const char* text : {"", "nonsense", "-5"}) {
    put_v2(kGroup, text, text);
    put(std::string(kGroup) + "/memory.stat", text);
    EXPECT_EQ(room().bytes, MemoryRoom::kNoLimit) << text;
  }
}

// Its pages come when they are touched: until then the system doesn't count them.
TEST_F(Room, IsLessByWhatIsReservedAndNotYetInMemory) {
  put("/proc/meminfo", "MemAvailable: 4000000 kB\n");
  const std::uint64_t before = room().bytes;
  const AnonymousMemory reserved(std::size_t{64} << 20, "a test");
  EXPECT_EQ(room().bytes, before - (std::uint64_t{64} << 20));
  put("/proc/self/statm", "100000 30000 1000 10 0 40000 0\n");  // 29,000 pages are in memory
  EXPECT_EQ(room().bytes, before);
}

TEST(MemoryPurpose, StandsInTheRefusalWithBothFigures) {
  try {
    require_room({.bytes = std::uint64_t{200} << 20, .where = "in the control group"},
                 std::uint64_t{512} << 20, {"the KV cache", "use a smaller context"});
    FAIL() << "there was room";
  } catch (const RuntimeError& e) {
    EXPECT_STREQ(e.what(),
                 "no memory for the KV cache: 512.0 MiB needed, 200.0 MiB left in the control group; use a "
                 "smaller context");
  }
  EXPECT_NO_THROW(require_room({}, std::uint64_t{512} << 40, "anything"));
}

TEST(AnonymousMemory, ThatNoMachineHasIsRefused) {
  EXPECT_THROW(AnonymousMemory(static_cast<std::size_t>(-1), "a test"), RuntimeError);
  EXPECT_THROW(Buffer<float>(static_cast<std::size_t>(-1), "a test"), RuntimeError);
}

}  // namespace
}  // namespace bitnet::test
