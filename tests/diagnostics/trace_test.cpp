// Traces: what is kept of a pass, and what becomes of it in files.
#include "diagnostics/trace.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "diagnostics/trace_file.h"
#include "engine/session_impl.h"
#include "support/temp_directory.h"

namespace bitnet {
namespace {

const std::string kRandom = BITNET_TEST_DATA "/models/random-";

std::vector<TokenId> some_ids() { return {TokenId{5}, TokenId{16}, TokenId{250}, TokenId{9}, TokenId{9}}; }

Trace trace_of(const Model& model, SessionOptions options, std::size_t n_greedy = 0,
               std::vector<TokenId> forced = {}) {
  options.n_threads = 1;
  Session session(model, options);
  TraceRequest request{traceable_tensors(model, some_ids().size()), some_ids(), n_greedy, std::move(forced)};
  return run_trace(session, model, options, request, {}).value();
}

TEST(Trace, ListsWhatAPassShowsInTheOrderOfTheGraph) {
  for (const char* name : {"bitnet-b1.58.gguf", "llama.gguf"}) {
    const Model model = Model::load(kRandom + name);
    std::vector<std::string> shown;
    Session session(model, {.n_threads = 1});
    session.impl().observer = [&](std::string_view stage, std::size_t layer, const float*, std::size_t,
                                  std::size_t width) {
      const bool of_model = stage == "inp_embd" || stage == "result_norm";
      shown.push_back((of_model ? "" : "blk." + std::to_string(layer) + ".") + std::string(stage) + " " +
                      std::to_string(width));
    };
    session.run(some_ids());
    shown.push_back("logits " + std::to_string(model.info().vocab));
    if (model.info().architecture == "llama") {  // without sub-norms there is nothing between the two
      std::erase_if(shown, [](const std::string& s) { return s.find("sub_norm") != std::string::npos; });
    }
    std::vector<std::string> listed;
    std::size_t before = 0;
    for (const TraceTensor& t : traceable_tensors(model, 1)) {
      listed.push_back(t.name + " " + std::to_string(t.cols));
      EXPECT_TRUE(listed.size() == 1 || graph_order(t.name) > before) << t.name;
      before = graph_order(t.name);
    }
    EXPECT_EQ(listed, shown);
  }
}

TEST(Trace, PutsUnknownNamesBehindTheirLayerOrLast) {
  EXPECT_LT(graph_order("blk.0.l_out"), graph_order("blk.0.other"));
  EXPECT_LT(graph_order("blk.0.other"), graph_order("blk.1.attn_norm"));
  EXPECT_LT(graph_order("blk.9.q"), graph_order("blk.10.q"));
  for (const char* name : {"", "other", "blk.", "blk.x.q", "blk.99999999999999999999.q", "blk.-1.q"}) {
    EXPECT_GT(graph_order(name), graph_order("logits")) << name;
  }
}

TEST(Trace, SaysWhatAStepIs) {
  EXPECT_EQ(meaning_of("blk.12.ffn_act"), "the gate's activation in layer 12");
  EXPECT_EQ(meaning_of("result_norm"), "the norm before the head");
  for (const char* name : {"", "q", "blk.", "blk.q", "blk..q", "blk.0.other", "0.q"}) {
    EXPECT_EQ(meaning_of(name), "") << name;
  }
}

TEST(Trace, HoldsTheSameBitsWhateverTheChunks) {
  const Model model = Model::load(kRandom + "bitnet.gguf");
  const Trace whole = trace_of(model, {});
  const Trace parts = trace_of(model, {.prefill_chunk = 2});
  ASSERT_EQ(whole.values.size(), whole.tensors.size());
  for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
    ASSERT_EQ(whole.values[i].size(), whole.tensors[i].rows * whole.tensors[i].cols) << whole.tensors[i].name;
    EXPECT_EQ(whole.values[i], parts.values[i]) << whole.tensors[i].name;
  }
}

TEST(Trace, GoesOnGreedilyOrAsItIsForced) {
  const Model model = Model::load(kRandom + "bitnet.gguf");
  const Trace free = trace_of(model, {}, 4);
  ASSERT_EQ(free.info.greedy.size(), 4U);
  EXPECT_EQ(free.info.greedy_margin.size(), 4U);
  EXPECT_EQ(trace_of(model, {}, 4, free.info.greedy).info.greedy, free.info.greedy);
  const TokenId other{to_int(free.info.greedy[0]) == 3 ? 4 : 3};
  const Trace forced = trace_of(model, {}, 4, {other});
  EXPECT_EQ(forced.info.greedy[0], free.info.greedy[0]);  // what the model would have taken
  EXPECT_NE(forced.info.greedy, free.info.greedy);
}

TEST(Trace, LeavesTheSessionUnobserved) {
  const Model model = Model::load(kRandom + "bitnet.gguf");
  Session session(model, {.n_threads = 1});
  const TraceRequest request{traceable_tensors(model, some_ids().size()), some_ids(), 0, {}};
  ASSERT_TRUE(run_trace(session, model, {.n_threads = 1}, request, {}));
  EXPECT_FALSE(session.impl().observer);
  Session stopped(model, {.n_threads = 1});
  EXPECT_FALSE(run_trace(stopped, model, {}, request, [](std::size_t, std::size_t) { return false; }));
  EXPECT_FALSE(stopped.impl().observer);
}

TEST(Trace, RefusesWhatDoesNotFit) {
  const Model model = Model::load(kRandom + "bitnet.gguf");
  Session session(model, {.ctx_size = 8, .n_threads = 1});
  const auto run = [&](std::vector<TokenId> ids, std::size_t n_greedy, std::size_t rows) {
    run_trace(session, model, {}, {traceable_tensors(model, rows), std::move(ids), n_greedy, {}}, {});
  };
  EXPECT_THROW(run({}, 0, 1), UsageError);
  EXPECT_THROW(run(some_ids(), 5, 5), UsageError);
  EXPECT_THROW(run(some_ids(), SIZE_MAX, 5), UsageError);
  EXPECT_THROW(run(some_ids(), 0, std::size_t{1} << 30), UsageError);  // of memory
  EXPECT_THROW(run({TokenId{517}}, 0, 1), UsageError);
  run(some_ids(), 4, 5);
}

class TraceForms : public ::testing::TestWithParam<const char*> {};

TEST_P(TraceForms, BringBackEveryBit) {
  const Model model = Model::load(kRandom + "llama.gguf");
  const Trace trace = trace_of(model, {.kv_type = KvType::f32}, 3);
  const test::TempDirectory folder;
  const std::string path = folder.file(std::string("trace") + GetParam());
  OutputFile file(path);
  write_trace(trace, trace_form_of(path), file);
  file.commit();
  const auto read = open_trace(path);
  EXPECT_EQ(read->info().model, trace.info.model);
  EXPECT_EQ(read->info().backend, trace.info.backend);
  EXPECT_EQ(read->info().kv_type, "f32");
  EXPECT_EQ(read->info().activations, "int8");
  EXPECT_EQ(read->info().ids, trace.info.ids);
  EXPECT_EQ(read->info().greedy, trace.info.greedy);
  EXPECT_EQ(read->info().greedy_margin, trace.info.greedy_margin);
  ASSERT_EQ(read->tensors().size(), trace.tensors.size());
  for (std::size_t i = 0; i < trace.tensors.size(); ++i) {
    const TraceTensor& t = read->tensors()[i];
    EXPECT_EQ(t.name, trace.tensors[i].name);
    ASSERT_EQ(t.rows, trace.tensors[i].rows);
    ASSERT_EQ(t.cols, trace.tensors[i].cols);
    const TraceSource::Rows next = read->rows(i);
    std::vector<float> row(t.cols);
    for (std::size_t r = 0; r < t.rows; ++r) {
      next(row);
      EXPECT_EQ(std::memcmp(row.data(), &trace.values[i][r * t.cols], t.cols * sizeof(float)), 0) << t.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TraceForms, ::testing::Values(".npz", ".gguf"),
                         [](const auto& info) { return std::string(info.param).substr(1); });

}  // namespace
}  // namespace bitnet
