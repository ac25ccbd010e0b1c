#include "service/http/engine/metrics.h"

#include <algorithm>
#include <charconv>

#include "bitnet/version.h"

namespace bitnet::http {
namespace {

constexpr std::array<double, 15> kWaits{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                        2.5,   5,    10,    25,   50,  100,  250};
constexpr std::array<double, 13> kSteps{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                        0.1,    0.25,  0.5,    1,     2.5,  5};

std::string number(double value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

void head(std::string_view name, std::string_view type, std::string_view help, std::string& text) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void line(std::string_view name, std::string_view labels, std::string_view value, std::string& text) {
  text.append(name);
  if (!labels.empty()) text.append("{").append(labels).append("}");
  text.append(" ").append(value).append("\n");
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds) : bounds_(bounds) {}

void Histogram::add(double value) {
  const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(at)];
  sum_ += value;
}

void Histogram::write(std::string_view name, std::string_view help, std::string& text) const {
  head(name, "histogram", help, text);
  const std::string bucket = std::string(name) + "_bucket";
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    n += counts_[i];
    line(bucket, "le=\"" + number(bounds_[i]) + "\"", std::to_string(n), text);
  }
  n += counts_[bounds_.size()];
  line(bucket, "le=\"+Inf\"", std::to_string(n), text);
  line(std::string(name) + "_sum", {}, number(sum_), text);
  line(std::string(name) + "_count", {}, std::to_string(n), text);
}

Metrics::Metrics() : first_token_(kWaits), token_(kSteps), request_(kWaits) {}

void Metrics::count_request(std::string_view route, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
}

void Metrics::add_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.add(seconds);
}

void Metrics::add_token(double seconds) {
  const std::lock_guard lock(mutex_);
  token_.add(seconds);
}

void Metrics::add_request(double seconds) {
  const std::lock_guard lock(mutex_);
  request_.add(seconds);
}

std::string Metrics::text(const EngineState& engine, std::size_t n_connections) const {
  std::string text;
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       std::uint64_t value) {
    head(name, type, help, text);
    line(name, {}, std::to_string(value), text);
  };
  head("bitnet_build_info", "gauge", "What runs; always 1.", text);
  line("bitnet_build_info",
       "version=\"" + std::string(version()) + "\",commit=\"" + std::string(commit()) + "\"", "1", text);

  const std::lock_guard lock(mutex_);
  head("bitnet_requests_total", "counter", "Requests that were answered.", text);
  for (const auto& [key, n] : requests_) {
    line("bitnet_requests_total", "route=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"",
         std::to_string(n), text);
  }
  one("bitnet_requests_refused_total", "counter", "Requests for which the queue had no place.", n_refused_);
  one("bitnet_clients_gone_total", "counter",
      "Choices whose client left, or stopped reading, before their end.", n_gone_);
  one("bitnet_prompt_tokens_total", "counter", "Tokens of prompts that were run.",
      engine.counts.n_prompt_tokens);
  one("bitnet_cached_tokens_total", "counter", "Tokens of prompts whose keys and values were there.",
      engine.counts.n_cached_tokens);
  one("bitnet_generated_tokens_total", "counter", "Tokens that were generated.",
      engine.counts.n_generated_tokens);
  one("bitnet_passes_total", "counter", "Passes through the model.", engine.counts.n_passes);
  one("bitnet_sequences_put_back_total", "counter",
      "Sequences that lost their memory to older ones for a while.", engine.counts.n_put_back);
  one("bitnet_sequences_running", "gauge", "Sequences that run.", engine.n_running);
  one("bitnet_sequences_waiting", "gauge", "Sequences that wait for a place.", engine.n_waiting);
  one("bitnet_sequences_max", "gauge", "Sequences that can run at once.", engine.n_sequences);
  one("bitnet_queue_max", "gauge", "Sequences that may wait.", engine.most_waiting);
  one("bitnet_kv_tokens", "gauge", "Tokens whose keys and values have room.", engine.kv_tokens);
  one("bitnet_kv_tokens_used", "gauge", "Of them, those of running sequences.", engine.kv_tokens_used);
  one("bitnet_connections", "gauge", "Connections that are open.", n_connections);
  first_token_.write("bitnet_time_to_first_token_seconds",
                     "From a request's arrival to the first token of each of its choices.", text);
  token_.write("bitnet_time_per_token_seconds", "From a token to the next of its sequence.", text);
  request_.write("bitnet_request_seconds", "From a request's arrival to the end of each of its choices.",
                 text);
  return text;
}

}  // namespace bitnet::http
