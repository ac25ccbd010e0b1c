#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/printable.h"
#include "bitnet/session.h"
#include "diagnostics/logits_digest.h"
#include "diagnostics/verify.h"
#include "diagnostics/verify_setup.h"
#include "diagnostics/verify_steps.h"
#include "diagnostics/verify_suite.h"
#include "engine/kv_type.h"

namespace bitnet {
namespace {

using kernels::Kernels;

constexpr std::array<unsigned, 3> kThreads{1, 2, 3};
constexpr std::array<std::size_t, 4> kChunks{1, 7, 64, kWholePrompt};
constexpr std::array<std::size_t, 2> kStepChunks{kWholePrompt, 1};
// Of the specification, which computes a value at a time, in all combinations.
constexpr std::size_t kShortSuite = 3;

struct Outcome {
  std::string answer;
  std::uint64_t digest = 0;
  std::vector<std::uint64_t> digests;  // up to and including each position
};

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
  what += what.empty() ? "the answer is right and the logits are not: their digest is "
                       : "; the logits' digest is ";
  what += hex(got.digest) + ", not " + hex(expected);
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
    report_.complete = run_steps(*tables_.front()) && run_reference() && run_combinations();
    return std::move(report_);
  }

 private:
  // Every step of the whole suite: prompts in one chunk and, but on the slow table, token by token.
  bool run_steps(const Kernels& table) {
    const std::span chunks = std::span(kStepChunks).first(n_step_chunks(table));
    begin_row(table, chunks.size() == 1 ? "1 thread, chunk all, f16 cache, by step"
                                        : "1 thread, chunks 1 all, f16 cache, by step");
    for (const std::size_t chunk : chunks) {
      StepDigests steps(model_);
      for (const SuitePrompt& prompt : suite_) {
        if (hooks_.keep_going && !hooks_.keep_going()) return false;
        steps.add({table, 1, chunk, KvType::f16}, prompt);
        progress(table);
      }
      check_steps(table, chunk, steps);
    }
    end_row();
    return true;
  }

  void check_steps(const Kernels& table, std::size_t chunk, const StepDigests& steps) {
    VerifyRow& row = report_.rows.back();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (report_.steps.size() == i) report_.steps.push_back({steps.name(i), steps.value(i)});
      ++row.n_checks;
      const std::uint64_t expected = verify_steps()[i];
      if (steps.value(i) == expected || ++row.n_failed > 1) continue;
      std::string what = "the first step that gives other values: " + meaning_of(steps.name(i)) +
                         " (digest " + hex(steps.value(i)) + ", not " + hex(expected) + ")";
      if (i > 0) what += "; all " + std::to_string(i) + " before it are right";
      report_.failures.push_back(
          {std::string(table.name), 1, chunk, "step " + steps.name(i), std::move(what)});
    }
  }

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
      if (table != tables_.front() && !run_steps(*table)) return false;
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
  bool run_suite(const VerifySetup& setup, std::size_t n_prompts) {
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

  void check(const VerifySetup& setup, std::size_t i, const Outcome& got, const Outcome& reference) {
    VerifyRow& row = report_.rows.back();
    ++row.n_checks;
    progress(setup.table);
    std::string what = difference(got, suite_[i], setup.kv_type, reference);
    if (what.empty()) return;
    if (++row.n_failed > 1) return;
    report_.failures.push_back({std::string(setup.table.name), setup.n_threads, setup.chunk,
                                std::string(name_of(setup.kv_type)) + " cache, prompt \"" +
                                    printable(suite_[i].prompt, kMaxPrintedName) + "\"",
                                std::move(what)});
  }

  std::size_t n_step_chunks(const Kernels& table) const {
    return &table == tables_.front() ? 1 : kStepChunks.size();
  }

  // After each prompt that was run.
  void progress(const Kernels& table) {
    cost_done_ += &table == tables_.front() ? kSlowCost : 1;
    if (!hooks_.on_progress) return;
    hooks_.on_progress(static_cast<double>(cost_done_) / static_cast<double>(cost_in_all()));
  }

  // In prompts of a table other than the first: by it the time left is told.
  std::size_t cost_in_all() const {
    const std::size_t per_prompt = kThreads.size() * kChunks.size() + kKvTypes.size() - 1;
    const std::size_t n = suite_.size();
    return kSlowCost * ((1 + kKvTypes.size()) * n + per_prompt * kShortSuite) +
           (tables_.size() - 1) * (kStepChunks.size() + per_prompt) * n;
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
