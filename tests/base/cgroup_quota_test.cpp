// CPU quotas of control groups, in trees of files made up for it.
#include "base/cgroup_quota.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/cpu_count.h"
#include "base/system_files.h"

namespace bitnet::test {
namespace {

class CgroupQuota : public SystemFiles {
 protected:
  void put_v1(const std::string& group, const std::string& quota, const std::string& period = "100000") {
    put(group + "/cpu.cfs_quota_us", quota + "\n");
    put(group + "/cpu.cfs_period_us", period + "\n");
  }
  double quota() const { return cgroup_cpu_quota(root_.path()); }
};

TEST_F(CgroupQuota, IsNoneWhereNothingSaysOtherwise) {
  EXPECT_EQ(quota(), 0);
  put("/proc/self/cgroup", "0::/user.slice\n");
  put("/proc/self/mountinfo", kVersion2);
  EXPECT_EQ(quota(), 0);
  put("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), 0);
}

TEST_F(CgroupQuota, IsThatOfTheProcesssOwnGroup) {
  put("/proc/self/cgroup", "0::/system.slice/run-17.scope\n");
  put("/proc/self/mountinfo", kVersion2);
  put("/sys/fs/cgroup/system.slice/run-17.scope/cpu.max", "150000 100000\n");
  put("/sys/fs/cgroup/system.slice/other.scope/cpu.max", "10000 100000\n");
  EXPECT_EQ(quota(), 1.5);
}

TEST_F(CgroupQuota, IsTheLeastOfTheGroupAndThoseAroundIt) {
  put("/proc/self/cgroup", "0::/a/b/c\n");
  put("/proc/self/mountinfo", kVersion2);
  put("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/a/cpu.max", "100000 50000\n");
  EXPECT_EQ(quota(), 2);
  put("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
}

// As a container sees its own: in a namespace of its own the group is the root.
TEST_F(CgroupQuota, IsFoundAtTheRootOfTheMount) {
  put("/proc/self/cgroup", "0::/\n");
  put("/proc/self/mountinfo", kVersion2);
  put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(quota(), 1);
  // Moved out of the namespace's root: what is visible of the tree counts.
  put("/proc/self/cgroup", "0::/../elsewhere\n");
  EXPECT_EQ(quota(), 1);
  // The same with neither list of groups nor of mounts.
  std::filesystem::remove_all(root_.path() + "/proc");
  EXPECT_EQ(quota(), 1);
}

TEST_F(CgroupQuota, OfVersionOneIsThatOfTheHierarchyWithTheCpuController) {
  put("/proc/self/cgroup", "9:name=systemd:/x\n3:cpuset:/y\n2:cpu,cpuacct:/jobs/17\n0::/z\n");
  put("/proc/self/mountinfo",
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  put_v1("/sys/fs/cgroup/cpu,cpuacct/jobs/17", "-1");
  put_v1("/sys/fs/cgroup/cpuset/y", "1");
  EXPECT_EQ(quota(), 0);
  put_v1("/sys/fs/cgroup/cpu,cpuacct/jobs", "300000", "100000");
  EXPECT_EQ(quota(), 3);
  put_v1("/sys/fs/cgroup/cpu,cpuacct/jobs/17", "50000", "25000");
  EXPECT_EQ(quota(), 2);
  put("/sys/fs/cgroup/unified/z/cpu.max", "100000 100000\n");  // both versions at once: the least
  EXPECT_EQ(quota(), 1);
}

// A container without a namespace for groups: the mount shows its own group as the root.
TEST_F(CgroupQuota, IsFoundBelowAMountThatBeginsFurtherDown) {
  put("/proc/self/cgroup", "2:cpu:/docker/abc/inner\n");
  put("/proc/self/mountinfo", "32 31 0:29 /docker/abc /my\\040groups ro,relatime - cgroup cgroup rw,cpu\n");
  put_v1("/my groups/inner", "100000");
  EXPECT_EQ(quota(), 1);
  put("/proc/self/cgroup", "2:cpu:/docker/abcdef\n");  // not below it
  EXPECT_EQ(quota(), 0);
  put_v1("/my groups", "200000");
  EXPECT_EQ(quota(), 2);
}

TEST_F(CgroupQuota, IsNoneWhereTheFilesHoldNoNumbers) {
  put("/proc/self/cgroup", "\n:\n0:\nx\n0::\n2:cpu:/g\n");
  put("/proc/self/mountinfo", std::string(kVersion2) + "- - -\n1 2\n\n3 4 5 / /p - cgroup x cpu\n");
  for (const char* text : {"", "nonsense\n", "0 100000\n", "-5 100000\n", "100000\n", "100000 0\n"}) {
    put("/sys/fs/cgroup/cpu.max", text);
    put_v1("/p/g", text, "nonsense");
    EXPECT_EQ(quota(), 0) << text;
  }
}

TEST(CpuCount, IsAtLeastOneAndAtMostTheCpusThereAre) {
  EXPECT_GE(usable_cores(), 1U);
  EXPECT_LE(usable_cores(), usable_cpus().size());
}

}  // namespace
}  // namespace bitnet::test
