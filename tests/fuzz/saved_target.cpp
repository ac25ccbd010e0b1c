// Files of JSON that the commands save and read again, and ids of tokens as text.
#include <nlohmann/json.hpp>

#include "cli/bench/saved_run.h"
#include "cli/chat/chat_file.h"
#include "cli/options/token_ids.h"
#include "cli/run/saved_receipt.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"

namespace bitnet::fuzz {
namespace {

void run_saved_chat(std::string_view input) {
  const MemoryFile file(input);
  read_or_refuse([&] { (void)cli::load_chat(file.path()); });
}

std::vector<std::string> chats() {
  return {
      R"({"schema":"bitnet.chat","version":1,"program":"bitnet 0.1.0","commit":"c","model":"m","template":"chatml",)"
      R"("messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]})"};
}

void run_receipt(std::string_view input) {
  read_or_refuse([&] { (void)cli::parse_receipt(input, "input"); });
}

std::vector<std::string> receipts() {
  return {
      R"({"schema":"bitnet.receipt","version":1,"program":"bitnet 0.1.0","commit":"c","model":{"sha256":"00"},)"
      R"("machine":{"model_file":"m.gguf"},"options":{"template":"raw","stop":["x",{"bytes":"c3ff"}],)"
      R"("ignore_eos":false,"special":false,"max_tokens":null,"temperature":0.7,"top_k":40,"top_p":0.9,"min_p":0,)"
      R"("repeat_penalty":1,"repeat_window":64,"seed":1,"ctx_size":128,"kv_type":"f16","activations":"int8",)"
      R"("hidden_act":"relu2","i2s_layout":"x86","head":"stored"},"prompt":{"ids":[1,2]},)"
      R"("output":{"ids":[3],"text":"t","reason":"length"},"logits":{"digest":"0123456789abcdef"}})"};
}

void run_saved_bench(std::string_view input) {
  const MemoryFile file(input);
  read_or_refuse([&] {
    for (const cli::SavedRow& row : cli::read_saved_run(file.path()).rows) {
      require(!row.speed.samples.empty(), "a row has speeds");
      (void)cli::name_of(row);
    }
  });
}

std::vector<std::string> benches() {
  return {
      R"({"schema":"bitnet.bench","version":1,"program":"bitnet 0.1.0","commit":"c","machine":{"cpu":"p","cores":2},)"
      R"("results":[{"model":"m","backend":"avx2","threads":2,"test":"tg128","head":{"kind":"exact"},)"
      R"("model_bytes":9,"kv_type":"f16","activations":"int8","prefill_chunk":512,"weights":"mmap","pin":false,)"
      R"("tokens_per_second_samples":[1.5,2],"processor_seconds_samples":[0.1,null],)"
      R"("read_bytes_per_second_samples":[1e9,2e9]}]})"};
}

void run_token_ids(std::string_view input) {
  read_or_refuse([&] {
    for (const TokenId id : cli::parse_token_ids(input, "input"))
      require(to_int(id) >= 0, "no id is below 0");
  });
}

std::vector<std::string> id_lists() { return {"1, 2 3\n4", "[1, 2,3 ]", "2147483647", "[]"}; }

const std::vector<std::string> kSavedWords{
    "null",    "[]",          "{}",          "true", "1e999", "-1", "18446744073709551615",
    "\\ud800", "\"schema\":", "\"version\":"};

}  // namespace

const Target kSavedChat{"saved_chat", chats, run_saved_chat, kSavedWords, 2000};
const Target kReceipt{"receipt", receipts, run_receipt, kSavedWords, 3000};
const Target kSavedBench{"saved_bench", benches, run_saved_bench, kSavedWords, 2000};
const Target kTokenIds{"token_ids", id_lists, run_token_ids, {"]", "[", ",", "99999999999"}, 6000};

}  // namespace bitnet::fuzz
