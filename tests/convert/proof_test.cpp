// What is read back is held against its source: a single wrong bit is found, wherever it is.
#include "convert/proof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "convert/converted.h"
#include "convert/layout.h"
#include "convert/plan.h"

namespace bitnet::test {
namespace {

// A conversion whose result can be changed before it is proved.
class ProofOf {
 public:
  ProofOf(const std::string& type, const std::string& head)
      : pool_(2),
        source_(convert::open_source(BITNET_MODELS "/canary.gguf", {}, pool_, notes_)),
        options_{.type = type_named(type), .head = type_named(head)},
        plan_(convert::make_plan(*source_, options_, pool_, {})),
        layout_(convert::make_layout(plan_, {})) {
    convert::convert(*source_, file_, {.plan = options_, .split = {}}, pool_, {});
  }

  const convert::Plan& plan() const { return plan_; }
  // Of a byte of a tensor's data.
  std::uint64_t place(std::size_t tensor, std::uint64_t byte) const {
    return layout_.places[tensor].offset + byte;
  }
  convert::Proof prove() {
    return convert::prove(*source_, plan_, layout_, gguf::File::open(file_), pool_, {});
  }
  convert::Proof prove_with_flipped(std::uint64_t at, unsigned char bits) {
    flip(at, bits);
    const convert::Proof proof = prove();
    flip(at, bits);
    return proof;
  }

 private:
  void flip(std::uint64_t at, unsigned char bits) {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ bits));
  }

  TempDirectory directory_;
  std::string file_ = directory_.file("m.gguf");
  ThreadPool pool_;
  std::vector<std::string> notes_;
  std::unique_ptr<convert::Source> source_;
  convert::PlanOptions options_;
  convert::Plan plan_;
  convert::Layout layout_;
};

TEST(Proof, HoldsForWhatWasWritten) {
  ProofOf proof("tq2_0", "q8_0");
  const convert::Proof found = proof.prove();
  EXPECT_FALSE(found.failure);
  ASSERT_EQ(found.tensors.size(), proof.plan().tensors.size());
  for (std::size_t i = 0; i < found.tensors.size(); ++i) {
    EXPECT_EQ(found.tensors[i].is_equal, proof.plan().tensors[i].type != quant::TensorType::q8_0);
  }
}

TEST(Proof, FindsAChangedBitOfEveryLosslessTensor) {
  ProofOf proof("tq2_0", "f32");
  for (std::size_t i = 0; i < proof.plan().tensors.size(); ++i) {
    const convert::TensorPlan& p = proof.plan().tensors[i];
    for (const std::uint64_t byte : {std::uint64_t{0}, p.n_bytes() / 2, p.n_bytes() - 2}) {
      const convert::Proof found = proof.prove_with_flipped(proof.place(i, byte), 0x01);
      ASSERT_TRUE(found.failure) << p.name << ", byte " << byte;
      EXPECT_NE(found.failure->find(p.name), std::string::npos) << *found.failure;
      EXPECT_FALSE(found.tensors[i].is_equal);
    }
  }
  EXPECT_FALSE(proof.prove().failure);
}

TEST(Proof, FindsAChangedHeader) {
  ProofOf proof("tq1_0", "f16");
  EXPECT_TRUE(proof.prove_with_flipped(200, 0x01).failure);  // among the keys
}

TEST(Proof, MeasuresWhatIsRoundedByTheSource) {
  ProofOf proof("tq2_0", "q8_0");
  const auto head =
      std::ranges::find(proof.plan().tensors, quant::TensorType::q8_0, &convert::TensorPlan::type);
  const auto i = static_cast<std::size_t>(head - proof.plan().tensors.begin());
  const convert::TensorProof before = proof.prove().tensors[i];
  EXPECT_GT(before.rms_error, 0);
  EXPECT_GE(before.max_error, before.rms_error);
  const convert::Proof worse = proof.prove_with_flipped(proof.place(i, 1), 0x08);  // a scale's exponent
  EXPECT_FALSE(worse.failure);
  EXPECT_GT(worse.tensors[i].max_error, before.max_error);
  const convert::Proof infinite = proof.prove_with_flipped(proof.place(i, 1), 0x7C);
  EXPECT_EQ(infinite.failure.has_value(), !std::isfinite(infinite.tensors[i].max_error));
}

}  // namespace
}  // namespace bitnet::test
