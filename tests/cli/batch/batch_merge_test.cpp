// bitnet batch --merge: parts become what one process gives, or are refused.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <string>
#include <vector>

#include "base/descriptor.h"
#include "cli/batch/batch_fixture.h"

namespace bitnet::test {
namespace {

TEST_F(CliBatch, JoinsThePartsToWhatOneProcessGives) {
  const std::string input = requests(20);
  const std::string whole = run_bitnet(batch({input})).out;
  Args merge{"batch"};
  std::string in_order;
  for (const char* part : {"1", "2", "3"}) {
    const std::string output = file(std::string("part") + part);
    run_bitnet(batch({input, "-o", output, "--shard", std::string(part) + "/3", "--unordered"}));
    merge.insert(merge.begin() + 1, {"--merge", output});
  }
  EXPECT_EQ(run_bitnet(merge).out, whole);
  EXPECT_EQ(
      run_bitnet(batch({input, "--lines", "1-10"})).out + run_bitnet(batch({input, "--lines", "11-99"})).out,
      whole);
  merge.erase(merge.begin() + 3, merge.begin() + 5);
  EXPECT_TRUE(has(run_bitnet(merge).err, "no record of lines 4, 8-14"));
  const std::string other =
      write("other", R"({"schema":"bitnet.batch","version":1,"line":1,"settings":"x","key":"x"})"
                     "\n");
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge, {"--merge", other})), 3), "record of line 1 is another"));
}

TEST_F(CliBatch, JoinsOnlyThePartsOfOneInputAndOneWayOfAnsweringIt) {
  const std::string input = requests(9);
  const std::string whole = run_bitnet(batch({input})).out;
  const Args parts{file("1"), file("2"), file("3")};
  for (std::size_t i = 0; i < 3; ++i) {
    run_bitnet(batch({input, "-o", parts[i], "--shard", std::to_string(i + 1) + "/3"}));
  }
  const auto merge = [](const Args& named) {
    Args args{"batch"};
    for (const std::string& part : named) args.insert(args.end(), {"--merge", part});
    return args;
  };
  EXPECT_EQ(run_bitnet(with(merge(parts), {input})).out, whole);
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge({parts[0], parts[1]}), {input})), 3),
                  "no part has a record of lines 7-9"));
  run_bitnet(batch({input, "-o", file("other"), "--shard", "3/3", "-c", "64"}));
  EXPECT_TRUE(has(refusal(run_bitnet(merge({parts[0], parts[1], file("other")})), 3), "other options"));
  const std::string text = content_of(input);
  write("requests.jsonl", text.substr(0, text.rfind('{')));
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge(parts), {input})), 3),
                  "has no request in lines 9, of which there are records"));
  write("requests.jsonl", text + "\n");
  EXPECT_EQ(run_bitnet(with(merge(parts), {input})).out, whole);
  std::string changed = text;
  changed.replace(changed.find("Once"), 4, "What");
  write("requests.jsonl", changed);
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge(parts), {input})), 3), "another request"));
}

TEST_F(CliBatch, JoinsWithNothingThatCouldHaveNoEffect) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::string part = write("part.jsonl", text_of(batch({input})));
  for (const Args& idle :
       {Args{"-n", "5"}, {"-m", kRandom}, {"--greedy"}, {"--sequences", "2"}, {"-t", "1"}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(with({"batch", "--merge", part}, idle)), 2), "excludes"));
  }
  EXPECT_EQ(run_bitnet({"batch", "--merge", part}, {{"BITNET_MODEL", kRandom}}).out, content_of(part));
}

TEST_F(CliBatch, JoinsIntoNoFileThatIsNeeded) {
  const std::string input = write("in.jsonl", R"({"prompt": "2 + 2 =", "max_tokens": 2})");
  const std::string record = text_of(batch({input}));
  const std::string part = write("part.jsonl", record);
  const std::string output = write("out.jsonl", "my diary");
  const Args merge{"batch", "-q", input, "--merge", part};
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge, {"-o", output})), 2), "--force"));
  EXPECT_EQ(content_of(output), "my diary");
  const std::string before = content_of(input);
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge, {"-o", input, "--force"})), 2), "is the input itself"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(merge, {"-o", part, "--force"})), 2), "is one of the parts"));
  const Descriptor out(::open(part.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ChildOptions options = options_of(merge);
  options.stdout_fd = out.get();
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "stdout is one of the parts"));
  EXPECT_EQ(content_of(input), before);
  EXPECT_EQ(content_of(part), record);
  text_of(with(merge, {"-o", output, "--force"}));
  EXPECT_EQ(content_of(output), record);
}

}  // namespace
}  // namespace bitnet::test
