#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/printable.h"
#include "bitnet/chat.h"
#include "bitnet/session.h"
#include "diagnostics/logits_digest.h"
#include "diagnostics/verify.h"
#include "diagnostics/verify_suite.h"
#include "engine/kv_type.h"
#include "engine/session_impl.h"

namespace bitnet {
namespace {

using kernels::Kernels;

constexpr std::array<unsigned, 3> kThreads{1, 2, 3};
constexpr std::size_t kWholePrompt = 512;  // no prompt of the suite is longer
constexpr std::array<std::size_t, 4> kChunks{1, 7, 64, kWholePrompt};
// Of the specification, which computes a value at a time, in all combinations.
constexpr std::size_t kShortSuite = 3;

struct Outcome {
  std::string answer;
  std::uint64_t digest = 0;
  std::vector<std::uint64_t> digests;  // up to and including each position
};

// One way of running prompts.
struct Setup {
  const Kernels& table;
  unsigned n_threads;
  std::size_t chunk;
  KvType kv_type;
};

Session make_session(const Model& model, const Setup& s) {
  SessionOptions options;
  options.n_threads = s.n_threads;
  options.prefill_chunk = s.chunk;
  options.kv_type = s.kv_type;
  return Session(std::make_unique<Session::Impl>(model, options, s.table));
}

std::vector<TokenId> encode(const Model& model, const SuitePrompt& p) {
  if (!p.chat) return model.tokenizer().encode(p.prompt, {.add_bos = true});
  const std::array message{Message{Role::user, std::string(p.prompt)}};
  return encode_chat(ChatTemplate::bitnet, model.tokenizer(), message);
}

Outcome run_prompt(Session& session, const Model& model, const SuitePrompt& p) {
  const std::span<const TokenId> ends = model.tokenizer().end_tokens();
  Outcome out;
  LogitsDigest digest;
  TokenId best{};
  const auto look = [&](Position, std::span<const float> logits) {
    digest.add(logits);
    out.digests.push_back(digest.value());
    best = TokenId{static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin())};
  };
  session.rewind(Position{0});
  session.run_all(encode(model, p), look);
  for (std::size_t i = 0; i < kSuiteTokens && std::ranges::find(ends, best) == ends.end(); ++i) {
    const TokenId token = best;
    out.answer += model.tokenizer().bytes_of(token);
    session.run_all({&token, 1}, look);
  }
  out.digest = digest.value();
  return out;
}

std::string hex(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::uint64_t digest_of(const SuitePrompt& p, KvType kv_type) {
  switch (kv_type) {
    case KvType::f16:
      return p.f16_digest;
    case KvType::f32:
      return p.f32_digest;
    case KvType::q8:
      break;
  }
  return p.q8_digest;
}

// Empty if the outcome is the expected one.
std::string difference(const Outcome& got, const SuitePrompt& p, KvType kv_type, const Outcome& reference) {
  const std::uint64_t expected = digest_of(p, kv_type);
  std::string what;
  if (got.answer != p.answer) {
    what = "answers \"" + printable(got.answer, kMaxPrintedName) + "\" where \"" +
           printable(p.answer, kMaxPrintedName) + "\" is right";
  }
  if (got.digest == expected) return what;
  if (!what.empty()) what += "; ";
  what += "the logits' digest is " + hex(got.digest) + ", not " + hex(expected);
  if (reference.digest == expected) {  // then it tells where they part
    const auto [ours, theirs] = std::ranges::mismatch(got.digests, reference.digests);
    what += ", from position " + std::to_string(ours - got.digests.begin()) + " on";
  }
  return what;
}

class CanaryCheck {
 public:
  CanaryCheck(const Model& model, KernelTables tables, const VerifyHooks& hooks)
      : model_(model), tables_(tables), hooks_(hooks), suite_(verify_suite()) {}

  VerifyReport run() {
    report_.complete = run_reference() && run_combinations();
    return std::move(report_);
  }

 private:
  // The whole suite, once with each cache type, on the first table.
  bool run_reference() {
    for (const KvType kv_type : kKvTypes) {
      begin_row(*tables_.front(), "1 thread, chunk all, " + std::string(name_of(kv_type)) + " cache");
      if (!run_suite({*tables_.front(), 1, kWholePrompt, kv_type}, suite_.size())) return false;
      end_row();
    }
    for (std::size_t i = 0; i < suite_.size(); ++i) {
      const auto digest = [&](KvType kv_type) { return references_of(kv_type)[i].digest; };
      report_.prompts.push_back({.prompt = std::string(suite_[i].prompt),
                                 .chat = suite_[i].chat,
                                 .answer = references_of(KvType::f16)[i].answer,
                                 .f16_digest = digest(KvType::f16),
                                 .f32_digest = digest(KvType::f32),
                                 .q8_digest = digest(KvType::q8)});
    }
    return true;
  }

  bool run_combinations() {
    for (const Kernels* table : tables_) {
      const std::size_t n = table == tables_.front() ? kShortSuite : suite_.size();
      for (const unsigned n_threads : kThreads) {
        begin_row(*table, std::to_string(n_threads) + (n_threads == 1 ? " thread" : " threads") +
                              ", chunks 1 7 64 all, f16 cache");
        for (const std::size_t chunk : kChunks) {
          if (!run_suite({*table, n_threads, chunk, KvType::f16}, n)) return false;
        }
        end_row();
      }
      for (const KvType kv_type : {KvType::f32, KvType::q8}) {
        begin_row(*table, "2 threads, chunk 7, " + std::string(name_of(kv_type)) + " cache");
        if (!run_suite({*table, 2, 7, kv_type}, n)) return false;
        end_row();
      }
    }
    return true;
  }

  // False when it is not to go on.
  bool run_suite(const Setup& setup, std::size_t n_prompts) {
    Session session = make_session(model_, setup);
    std::vector<Outcome>& references = references_of(setup.kv_type);
    for (std::size_t i = 0; i < n_prompts; ++i) {
      if (hooks_.keep_going && !hooks_.keep_going()) return false;
      Outcome got = run_prompt(session, model_, suite_[i]);
      if (references.size() == i) references.push_back(got);
      check(setup, i, got, references[i]);
    }
    return true;
  }

  void check(const Setup& setup, std::size_t i, const Outcome& got, const Outcome& reference) {
    VerifyRow& row = report_.rows.back();
    ++row.n_checks;
    cost_done_ += &setup.table == tables_.front() ? kSlowCost : 1;
    if (hooks_.on_progress) {
      hooks_.on_progress(static_cast<double>(cost_done_) / static_cast<double>(cost_in_all()));
    }
    std::string what = difference(got, suite_[i], setup.kv_type, reference);
    if (what.empty()) return;
    if (++row.n_failed > 1) return;
    report_.failures.push_back({std::string(setup.table.name), setup.n_threads, setup.chunk,
                                std::string(name_of(setup.kv_type)) + " cache, prompt \"" +
                                    printable(suite_[i].prompt, kMaxPrintedName) + "\"",
                                std::move(what)});
  }

  // In checks of a table other than the first: by it the time left is told.
  std::size_t cost_in_all() const {
    const std::size_t per_prompt = kThreads.size() * kChunks.size() + kKvTypes.size() - 1;
    return kSlowCost * (kKvTypes.size() * suite_.size() + per_prompt * kShortSuite) +
           per_prompt * (tables_.size() - 1) * suite_.size();
  }

  std::vector<Outcome>& references_of(KvType kv_type) {
    return references_[static_cast<std::size_t>(kv_type)];
  }

  void begin_row(const Kernels& table, std::string check) {
    report_.rows.push_back({std::string(table.name), std::move(check)});
    start_ = std::chrono::steady_clock::now();
  }
  void end_row() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    report_.rows.back().seconds = elapsed.count();
  }

  static constexpr std::size_t kSlowCost = 20;  // of a check of the first table, which is the scalar one

  const Model& model_;
  KernelTables tables_;
  const VerifyHooks& hooks_;
  std::span<const SuitePrompt> suite_;
  VerifyReport report_;
  // Of the first table, one for each prompt.
  std::array<std::vector<Outcome>, kKvTypes.size()> references_;
  std::size_t cost_done_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

VerifyReport verify_canary(const Model& canary, KernelTables tables, const VerifyHooks& hooks) {
  return CanaryCheck(canary, tables, hooks).run();
}

}  // namespace bitnet
