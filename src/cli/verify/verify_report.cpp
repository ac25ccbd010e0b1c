#include "cli/verify/verify_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"
#include "diagnostics/cpu_name.h"
#include "diagnostics/json_text.h"
#include "kernels/kernels.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::string verify_json(const VerifyReport& report, const std::string& model) {
  Json backends = Json::array();
  for (const kernels::Kernels* table : kernels::available()) backends.push_back(table->name);
  Json results = Json::array();
  for (const VerifyRow& r : report.rows) {
    results.push_back({{"backend", r.backend},
                       {"check", r.check},
                       {"checks", r.n_checks},
                       {"failed", r.n_failed},
                       {"seconds", r.seconds}});
  }
  Json failures = Json::array();
  for (const VerifyFailure& f : report.failures) {
    failures.push_back({{"backend", f.backend},
                        {"threads", f.n_threads},
                        {"chunk", f.chunk},
                        {"where", f.where},
                        {"what", f.what}});
  }
  Json prompts = Json::array();
  for (const SuiteResult& p : report.prompts) {
    prompts.push_back({{"prompt", p.prompt},
                       {"chat", p.chat},
                       {"answer", p.answer},
                       {"f16_digest", fmt::format("{:016x}", p.f16_digest)},
                       {"f32_digest", fmt::format("{:016x}", p.f32_digest)},
                       {"q8_digest", fmt::format("{:016x}", p.q8_digest)}});
  }
  Json steps = Json::array();
  for (const StepResult& s : report.steps)
    steps.push_back({{"step", s.step}, {"digest", fmt::format("{:016x}", s.digest)}});
  Json all = schema_json("bitnet.verify", 1);
  all.update({{"model", model},
              {"cpu", printable(cpu_name(), kMaxPrintedName)},
              {"backends", std::move(backends)},
              {"passed", report.n_failed() == 0},
              {"checks", report.n_checks()},
              {"failed", report.n_failed()},
              {"results", std::move(results)},
              {"failures", std::move(failures)},
              {"prompts", std::move(prompts)},
              {"steps", std::move(steps)}});
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string verify_table(const VerifyReport& report, const std::string& model) {
  std::size_t backend_width = 7;
  std::size_t check_width = 5;
  for (const VerifyRow& r : report.rows) {
    backend_width = std::max(backend_width, r.backend.size());
    check_width = std::max(check_width, r.check.size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}}  {:>6}  {:>6}  {:>8}\n", "backend", backend_width, "check",
                                 check_width, "checks", "failed", "time");
  for (const VerifyRow& r : report.rows) {
    text += fmt::format("{:<{}}  {:<{}}  {:>6}  {:>6}  {:>6.2f} s\n", r.backend, backend_width, r.check,
                        check_width, r.n_checks, r.n_failed, r.seconds);
  }
  const std::size_t n_failed = report.n_failed();
  return text + (n_failed == 0
                     ? fmt::format("passed: all {} checks of {}\n", report.n_checks(), model)
                     : fmt::format("failed: {} of {} checks of {}\n", n_failed, report.n_checks(), model));
}

std::string verify_failure_line(const VerifyFailure& f) {
  std::string line = f.backend;
  if (f.n_threads > 0) line += fmt::format(", {} {}", f.n_threads, f.n_threads == 1 ? "thread" : "threads");
  if (f.chunk > 0) line += fmt::format(", prefill chunk {}", f.chunk);
  return line + ", " + f.where + ": " + f.what;
}

}  // namespace bitnet::cli
