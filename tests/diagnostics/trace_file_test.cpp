// Trace files as others write them, and as nobody should.
#include "diagnostics/trace_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "diagnostics/npy.h"
#include "support/gguf_builder.h"
#include "support/small_trace.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;
using test::lacks;
using test::TempDirectory;
using test::TempFile;

TempFile file_with(const std::string& bytes) { return TempFile(std::as_bytes(std::span(bytes))); }

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Opens it and reads every value; the message with which it is refused, empty if it is not.
std::string refusal(const std::string& path) {
  try {
    const auto trace = open_trace(path);
    test::read_values(*trace);
  } catch (const ModelError& e) {
    EXPECT_TRUE(lacks(e.what(), "\n"));
    return e.what();
  }
  return "";
}

std::string small_trace(TraceForm form) {
  const Trace trace = test::small_trace();
  const TempDirectory folder;
  OutputFile file(folder.file("trace"));
  write_trace(trace, form, file);
  file.commit();
  return contents(folder.file("trace"));
}

TEST(TraceFile, ReadsWhatNumpyWrites) {
  const auto numpy = open_trace(BITNET_TEST_DATA "/traces/random-bitnet.npz");
  const auto golden = open_trace(BITNET_TEST_DATA "/golden/random-bitnet.json");
  EXPECT_EQ(numpy->info().ids, golden->info().ids);
  ASSERT_EQ(numpy->tensors().size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const TraceTensor& t = numpy->tensors()[i];
    const auto same = std::ranges::find(golden->tensors(), t.name, &TraceTensor::name);
    ASSERT_NE(same, golden->tensors().end()) << t.name;
    ASSERT_EQ(t.rows, same->rows);
    ASSERT_EQ(t.cols, same->cols);
    const TraceSource::Rows a = numpy->rows(i);
    const TraceSource::Rows b = golden->rows(static_cast<std::size_t>(same - golden->tensors().begin()));
    std::vector<float> row_a(t.cols);
    std::vector<float> row_b(t.cols);
    for (std::size_t r = 0; r < t.rows; ++r) {
      a(row_a);
      b(row_b);
      EXPECT_EQ(row_a, row_b) << t.name << " " << r;
    }
  }
}

// The same values, whichever index runs fastest in the file.
TEST(TraceFile, ReadsFortranOrder) {
  const auto trace = open_trace(BITNET_TEST_DATA "/traces/fortran-order.npz");
  const auto values_of = [&](const std::string& name) {
    const auto t = std::ranges::find(trace->tensors(), name, &TraceTensor::name);
    EXPECT_NE(t, trace->tensors().end()) << name;
    EXPECT_EQ(t->rows, 2U) << name;  // there are two ids
    const TraceSource::Rows next = trace->rows(static_cast<std::size_t>(t - trace->tensors().begin()));
    std::vector<float> values(t->rows * t->cols);
    next(std::span(values).first(t->cols));
    next(std::span(values).subspan(t->cols));
    return values;
  };
  for (const std::string name : {"two", "three", "four"}) {
    const std::vector<float> values = values_of(name);
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], static_cast<float>(i)) << name;
    EXPECT_EQ(values_of(name + "_fortran"), values) << name;
  }
}

TEST(TraceFile, ReadsHalfPrecisionFromGguf) {
  const std::array values{1.5F, -2.0F, 0.25F, 8.0F};
  test::GgufBuilder builder;
  builder.add_f16("logits", {2, 2}, values);
  const TempFile file(builder.build());
  const auto trace = open_trace(file.path());
  std::array<float, 2> row{};
  const TraceSource::Rows next = trace->rows(0);
  next(row);
  EXPECT_EQ(row, (std::array{1.5F, -2.0F}));
  next(row);
  EXPECT_EQ(row, (std::array{0.25F, 8.0F}));
}

TEST(TraceFile, IsRefusedWhereverItWasCutOff) {
  for (const TraceForm form : {TraceForm::npz, TraceForm::gguf}) {
    const std::string whole = small_trace(form);
    const TempFile file = file_with(whole);
    ASSERT_EQ(refusal(file.path()), "");
    // The last bytes of a GGUF file are padding.
    const std::size_t end = form == TraceForm::npz ? whole.size() : whole.size() - 32;
    for (std::size_t size = end; size-- > 0;) {
      std::filesystem::resize_file(file.path(), size);
      ASSERT_NE(refusal(file.path()), "") << size;
    }
  }
}

TEST(TraceFile, WithAnyByteChangedIsReadOrRefused) {
  for (const TraceForm form : {TraceForm::npz, TraceForm::gguf}) {
    const std::string whole = small_trace(form);
    const TempFile file = file_with(whole);
    std::fstream out(file.path(), std::ios::binary | std::ios::in | std::ios::out);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const char byte : {'\x00', '\x39', '\xFF', whole[at]}) {
        out.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
        const std::string why = refusal(file.path());
        if (byte == whole[at]) {
          ASSERT_EQ(why, "") << at;
        }
      }
    }
  }
}

// Of the archive's first float array, by its header's text.
std::string npz_with(const std::string& from, const std::string& to) {
  std::string npz = small_trace(TraceForm::npz);
  const std::size_t at = npz.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return npz.replace(at, from.size(), to);
}

TEST(TraceFile, NamesWhatIsWrongWithAnArray) {
  const auto says = [](const std::string& from, const std::string& to, const std::string& part) {
    ASSERT_EQ(from.size(), to.size());
    EXPECT_TRUE(has(refusal(file_with(npz_with(from, to)).path()), part)) << to;
  };
  const std::string order = "'fortran_order': False, 'shape': (2, 3), }";
  says(order, "'fortran_order': True , 'shape': (2, 4), }",
       "inp_embd.npy: has 24 bytes, and its shape takes 32");
  says(order, "'fortran_order': False, 'shape': (2, 4), }",
       "inp_embd.npy: has 24 bytes, and its shape takes 32");
  says(order, "'fortran_order': False, 'shape': (9999), }", "inp_embd.npy: has 24 bytes");
  says(order, "'fortran_order': False, 'shape': (2, 0), }", "has no elements");
  says(order, "'fortran_order': False, 'shape':(-2, 3), }", "has no header of a numpy array");
  says(order, "'fortran_order': False, 'shapes':(2, 3), }", "has no header of a numpy array");
  says(order, "'fortran_order': Maybe, 'shape': (2, 3), }", "has no header of a numpy array");
  says("<f4', " + order, ">f4', " + order, "inp_embd.npy: is big-endian");
  says("\"ids\":[1,2]", "\"ids\":[1,x]", "trace.json: is no JSON object");
  says("\"ids\":[1,2]", "\"ids\":[1,{}", "trace.json: is no JSON object");
  says("\"ids\":[1,2]", "\"ids\":[-12]", "trace.json: ids is no list of token ids");
  says("\"ids\":[1,2]", "\"ids\":\"12\" ", "trace.json: ids is no list of token ids");
  says("\"version\":1", "\"version\":2", "trace.json: is no trace in a form that this version knows");
}

TEST(TraceFile, RefusesShapesBeyondAnyModels) {
  for (const auto& dims : {std::vector<std::uint64_t>{1, std::uint64_t{1} << 40},
                           std::vector<std::uint64_t>{std::uint64_t{1} << 40, 1},
                           std::vector<std::uint64_t>{std::uint64_t{1} << 63, std::uint64_t{1} << 63, 2}}) {
    const std::string header = make_npy_header("<f4", dims);
    const auto parsed = parse_npy_text(std::string_view(header).substr(10));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->dims, dims);
  }
  const TempDirectory folder;
  std::ofstream(folder.file("t.f32")) << "0123456789abcdef";
  const auto refused = [&](const std::string& tensors) {
    std::ofstream(folder.file("t.json")) << "{\"ids\":[1,2],\"tensors\":" << tensors << "}";
    return refusal(folder.file("t.json"));
  };
  const std::string name = R"({"name":"a","shape":)";
  EXPECT_EQ(refused("[" + name + R"([2,2],"offset":0}])"), "");
  EXPECT_TRUE(has(refused("[" + name + R"([2,2],"offset":4}])"), "ends at byte 16, inside tensor a"));
  EXPECT_TRUE(has(refused("[" + name + R"([2,2],"offset":18446744073709551615}])"), "ends at byte 16"));
  EXPECT_TRUE(has(refused("[" + name + R"([2,18446744073709551615],"offset":0}])"), "beyond any model's"));
  EXPECT_TRUE(has(refused("[" + name + R"([4294967296,4294967296],"offset":0}])"), "beyond any model's"));
  EXPECT_TRUE(has(refused("[" + name + R"([2,2.5],"offset":0}])"), "whole numbers"));
  EXPECT_TRUE(has(refused("[" + name + R"([],"offset":0}])"), "has no shape"));
  EXPECT_TRUE(has(refused("[" + name + R"([2,2],"offset":-4}])"), "has no offset"));
  EXPECT_TRUE(has(refused(R"([{"name":7}])"), "has no name"));
  EXPECT_TRUE(has(refused("[1]"), "is no object"));
  EXPECT_TRUE(has(refused("{}"), "lists no tensors"));
  EXPECT_TRUE(
      has(refused("[" + name + R"([1],"offset":0},)" + name + R"([1],"offset":0}])"), "is there twice"));
}

TEST(TraceFile, TakesNestingWithoutEndForDamage) {
  const TempDirectory folder;
  for (const char* start : {"{\"tensors\":", "{\"schema\":", "{\"ids\":"}) {
    std::ofstream(folder.file("t.json")) << start << std::string(1'000'000, '[');
    EXPECT_TRUE(has(refusal(folder.file("t.json")), "is no JSON object"));
    std::ofstream(folder.file("t.json"))
        << start << std::string(1'000'000, '[') << std::string(1'000'000, ']') << "}";
    EXPECT_TRUE(has(refusal(folder.file("t.json")), "is no JSON object"));
  }
}

TEST(TraceFile, IsNamedForWhatItIsInstead) {
  EXPECT_TRUE(has(refusal("/nowhere/a.npz"), "/nowhere/a.npz"));
  EXPECT_TRUE(has(refusal(BITNET_MODELS "/canary.gguf"), "this is a model: pass it with -m"));
  EXPECT_TRUE(has(refusal(file_with("hello").path()), "is no trace"));
  EXPECT_TRUE(has(refusal(file_with("{}").path()), "No such file"));  // its values
  EXPECT_THROW(trace_form_of("trace.txt"), UsageError);
}

}  // namespace
}  // namespace bitnet
