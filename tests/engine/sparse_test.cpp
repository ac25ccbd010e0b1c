// Leaving out zeros of relu^2 changes no bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "engine/allocation_count.h"
#include "engine/same_bits.h"
#include "engine/session_impl.h"
#include "kernels/kernels.h"
#include "model/synthetic/synthetic.h"
#include "support/small_model.h"
#include "support/temp_file.h"

namespace bitnet {
namespace {

constexpr const char* kSparseCanary = BITNET_MODELS "/canary.gguf";

// The logits of a model that leaves nothing out, and whether they are those of one that does, for passes of 1
// to 5 tokens, all backends and numbers of threads.
void expect_same(std::span<const std::byte> file, std::size_t n_tokens, const std::string& what) {
  const Model dense = Model::from_bytes(file, "dense", {.sparse = SparseMode::off});
  ASSERT_EQ(dense.info().sparse.mode, SparseMode::off);
  const Model sparse = Model::from_bytes(file, "sparse", {.sparse = SparseMode::on});
  ASSERT_EQ(sparse.info().sparse.mode, SparseMode::on);
  ASSERT_GT(sparse.info().sparse.copied_bytes, 0U);
  const auto ids = some_ids(n_tokens, dense.info().vocab);
  for (const kernels::Kernels* k : kernels::available()) {
    // Of the same backend: which NaN comes of what is not finite is the instruction set's to say.
    Session reference(dense, {.n_threads = 1, .backend = std::string(k->name)});
    const Logits want = all_logits(reference, ids);
    EXPECT_EQ(reference.take_sparse_work().down_products, 0U);
    for (const unsigned threads : {1U, 3U}) {
      for (const std::size_t chunk : {1U, 2U, 3U, 4U, 5U}) {
        Session session(sparse,
                        {.n_threads = threads, .prefill_chunk = chunk, .backend = std::string(k->name)});
        EXPECT_TRUE(same_bits(all_logits(session, ids), want))
            << what << ", " << k->name << ", " << threads << " threads, passes of " << chunk;
        const SparseWork work = session.take_sparse_work();
        EXPECT_EQ(work.sparse_down_products, work.down_products);
        if (chunk <= 4) {
          EXPECT_EQ(work.down_products, (ids.size() + chunk - 1) / chunk * sparse.info().n_layers);
        }
      }
    }
  }
}

test::SmallModel small(std::size_t hidden = 128, std::size_t ffn = 384) {
  return test::SmallModel("bitnet-b1.58", {.hidden = hidden, .ffn = ffn});
}

TEST(SparseProducts, GiveTheSameBitsInEveryShape) {
  for (const std::size_t hidden : {128U, 256U, 384U}) {
    for (const std::size_t ffn : {128U, 640U, 2048U})
      expect_same(small(hidden, ffn).build().span(), 9, std::to_string(hidden) + " x " + std::to_string(ffn));
  }
}

// Every gate is that of one row: open for all neurons of a token, or shut for all.
TEST(SparseProducts, GiveTheSameBitsWhereAllOrNoneIsZero) {
  test::SmallModel model = small();
  for (const char* layer : {"blk.0.", "blk.1."}) {
    test::SmallTensor& gate = model.tensor(std::string(layer) + "ffn_gate.weight");
    const std::size_t row_bytes = gate.dims[0] / 4;
    for (std::size_t row = 1; row < gate.dims[1]; ++row)
      std::memcpy(gate.data.data() + row * row_bytes, gate.data.data(), row_bytes);
  }
  const test::AlignedBytes file = model.build();
  expect_same(file.span(), 12, "one gate");
  const Model sparse = Model::from_bytes(file.span(), "sparse", {.sparse = SparseMode::on});
  Session session(sparse, {.n_threads = 1, .prefill_chunk = 1});
  std::size_t n_shut = 0;
  std::size_t n_open = 0;
  for (const TokenId id : some_ids(12, sparse.info().vocab)) {
    session.run({&id, 1});
    const SparseWork work = session.take_sparse_work();
    n_shut += static_cast<std::size_t>(work.shut_gates == work.gates);
    n_open += static_cast<std::size_t>(work.shut_gates == 0);
    EXPECT_EQ(work.shut_gates % 384, 0U);
  }
  EXPECT_GT(n_shut + n_open, 0U);
}

// The dense product of a shut gate and an infinite row is NaN.
TEST(SparseProducts, GiveTheSameBitsWhereProductsAreNotFinite) {
  constexpr float kHuge = 3e38F;
  for (const char* name : {"ffn_up.weight", "ffn_gate.weight", "ffn_down.weight"}) {
    test::SmallModel model = small();
    test::SmallTensor& tensor = model.tensor(std::string("blk.1.") + name);
    std::memcpy(tensor.data.data() + tensor.n_elements() / 4, &kHuge, sizeof kHuge);
    const test::AlignedBytes file = model.build();
    expect_same(file.span(), 6, name);
    const Model dense = Model::from_bytes(file.span(), "dense", {.sparse = SparseMode::off});
    Session session(dense, {.n_threads = 1});
    const auto logits = all_logits(session, some_ids(6, dense.info().vocab));
    EXPECT_FALSE(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); })) << name;
  }
}

TEST(SparseProducts, GiveTheSameBitsOfTheCanaryWhicheverWayIsChosen) {
  const Model dense = Model::load(kSparseCanary, {.sparse = SparseMode::off});
  std::ifstream file(BITNET_TEST_DATA "/perplexity/village.txt");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto ids = dense.tokenizer().encode(text);
  ASSERT_GE(ids.size(), 280U);
  ids.resize(280);
  Session reference(dense, {.n_threads = 2, .prefill_chunk = 1});
  const auto want = all_logits(reference, ids);
  for (const SparseMode mode : {SparseMode::on, SparseMode::automatic}) {
    const Model model = Model::load(kSparseCanary, {.sparse = mode});
    Session session(model, {.n_threads = 2, .prefill_chunk = 1});
    EXPECT_TRUE(same_bits(all_logits(session, ids), want));
    const SparseWork work = session.take_sparse_work();
    EXPECT_EQ(work.down_products, 280 * model.info().n_layers);
    EXPECT_GT(work.sparse_up_products, 0U);
    // A trained model's.
    EXPECT_GT(static_cast<double>(work.shut_gates), 0.55 * static_cast<double>(work.gates));
    EXPECT_GT(static_cast<double>(work.zero_inputs), 0.75 * static_cast<double>(work.inputs));
  }
}

// What is never left out: other activations, types that are no integers, observers.
TEST(SparseProducts, AreForRelu2AndInt8Alone) {
  const test::AlignedBytes silu = test::SmallModel("bitnet", {}).build();
  const Model model = Model::from_bytes(silu.span(), "silu", {.sparse = SparseMode::on});
  EXPECT_EQ(model.info().sparse.mode, SparseMode::off);
  EXPECT_EQ(model.info().sparse.copied_bytes, 0U);

  const test::AlignedBytes file = small().build();
  const Model relu2 = Model::from_bytes(file.span(), "relu2", {.sparse = SparseMode::on});
  const auto ids = some_ids(3, relu2.info().vocab);
  Session unrounded(relu2, {.n_threads = 1, .prefill_chunk = 1, .activations = ActivationType::f32});
  all_logits(unrounded, ids);
  EXPECT_EQ(unrounded.take_sparse_work().down_products, 0U);
  Session observed(relu2, {.n_threads = 1, .prefill_chunk = 1});
  observed.impl().observer = [](std::string_view, std::size_t, const float*, std::size_t, std::size_t) {};
  all_logits(observed, ids);
  EXPECT_EQ(observed.take_sparse_work().down_products, 0U);
}

// Resident bytes of what is mapped of a file.
std::size_t resident_bytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::size_t n_kib = 0;
  bool is_of_file = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) {  // a mapping's first line
      is_of_file = line.ends_with(path);
    } else if (is_of_file && line.starts_with("Rss:")) {
      n_kib += std::stoul(line.substr(4));
    }
  }
  return n_kib * 1024;
}

// A copy by columns takes the place of the rows; but reading these anew for each of many passes would take
// longer than the products.
TEST(SparseProducts, KeepRowsInMemoryOnlyWhereTheyAreMultipliedManyTimes) {
  const test::TempFile file(small(256, 4096).build().span());
  const Model model = Model::load(file.path(), {.sparse = SparseMode::on});
  const std::size_t n_bytes = model.info().n_layers * (256 * 4096 / 4);
  if (!std::ifstream("/proc/self/smaps")) GTEST_SKIP() << "this system does not tell what is resident";
  Session session(model, {.n_threads = 2, .prefill_chunk = 8});
  const auto resident_after = [&](std::size_t n_tokens) {
    session.rewind(Position{0});
    session.run(some_ids(n_tokens, model.info().vocab));
    return resident_bytes(file.path());
  };
  ASSERT_GT(resident_after(8), 0U);  // and whatever a first pass brings in is there
  const std::size_t without = resident_after(1);
  EXPECT_LT(resident_after(8), without + n_bytes / 10);
  EXPECT_GT(resident_after(64), without + n_bytes * 9 / 10);
  EXPECT_GT(resident_after(1), without + n_bytes * 9 / 10);
  for (std::size_t i = 0; i < 100; ++i) resident_after(1);
  EXPECT_LT(resident_after(1), without + n_bytes / 10);
}

TEST(SparseProducts, AllocateNothing) {
  const Model model = Model::load(kSparseCanary, {.sparse = SparseMode::on});
  Session session(model, {.n_threads = 2});
  const auto ids = some_ids(10, model.info().vocab);
  session.run(std::span(ids).first(1));
  const std::size_t before = test::allocation_count();
  for (const TokenId& id : ids) session.run({&id, 1});
  EXPECT_EQ(test::allocation_count(), before);
}

// Trained models of the kind: 57 to 67 % and 79 to 83 %.
TEST(SparseProducts, OfTheSyntheticModelAreAsSparseAsATrainedModels) {
  SyntheticShape shape = *find_synthetic_preset("2b-4t-sparse");
  shape.n_layers = 6;  // of 30
  shape.vocab = 320;
  ThreadPool pool(2);
  const AnonymousMemory memory = make_synthetic_model(shape, 1, pool);
  const Model model = Model::from_bytes({static_cast<const std::byte*>(memory.data()), memory.size()},
                                        "sparse", {.sparse = SparseMode::on});
  Session session(model, {.n_threads = 2, .prefill_chunk = 1});
  for (const TokenId& id : some_ids(24, 320)) session.run({&id, 1});
  const SparseWork work = session.take_sparse_work();
  const double shut = static_cast<double>(work.shut_gates) / static_cast<double>(work.gates);
  EXPECT_GT(shut, 0.57);
  EXPECT_LT(shut, 0.67);
  const double zero = static_cast<double>(work.zero_inputs) / static_cast<double>(work.inputs);
  EXPECT_GT(zero, 0.79);
  EXPECT_LT(zero, 0.83);
}

}  // namespace
}  // namespace bitnet
