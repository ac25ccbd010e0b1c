#include "service/http/server/completions.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <ctime>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include "base/ascii.h"
#include "service/http/api/api_answer.h"
#include "service/http/api/api_error.h"

namespace bitnet::http {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{200};         // how often it is looked whether the client is still there
constexpr milliseconds kLookAtOthers{20};  // and whether other choices have something
constexpr std::size_t kTakesBetween = 32;  // parts of one choice
constexpr milliseconds kUntilHead{1000};  // that an error has to come in to be one of HTTP, not of the stream
constexpr milliseconds kUntilSign{15000};  // of life, where nothing is said: proxies close what is silent

std::optional<Clock::time_point> deadline_after(milliseconds time) {
  return time.count() == 0 ? std::nullopt : std::optional(Clock::now() + time);
}

// "0.5"
std::string seconds_text(milliseconds time) {
  std::array<char, 32> digits{};
  const double seconds = static_cast<double>(time.count()) / 1000;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), seconds).ptr};
}

// One answer, from the engine to its client.
class Delivery {
 public:
  // Hands the request to the engine. Throws what that throws.
  Delivery(ApiRequest request, EngineLoop& loop, const ServedModel& served, milliseconds time)
      : head_{.kind = request.kind,
              .id = std::move(request.id),
              .model = served.name,
              .created = static_cast<std::int64_t>(std::time(nullptr)),
              .include_usage = request.include_usage},
        n_each_(request.n_each),
        time_(time),
        deadline_(deadline_after(time)),
        choices_(choices_of(request, head_, served.model->tokenizer())),
        has_ended_(choices_.size(), false),
        pending_(choices_.size()),
        tickets_(loop.submit(std::move(request.jobs))) {}

  // Until the first part is there, and no longer than that.
  void wait_for_first(milliseconds patience) { first_ = tickets_[0].next(patience); }

  std::string whole(const std::function<bool()>& is_gone) {
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      while (!has_ended_[i]) {
        std::optional<AnswerPart> part = next(i, is_gone);
        if (!part) continue;
        note_end(i, *part);
        choices_[i].add(std::move(*part));
      }
    }
    return whole_json(head_, choices_, usage_);
  }

  // The choices take turns, a part each: which comes first says nothing of how fast they were.
  void stream(ResponseWriter& writer) {
    const auto write = [&](const std::string& event) {
      if (!writer.write(event)) leave();
    };
    const std::function<bool()> is_gone = [&] { return writer.is_gone(); };
    for (const ChoiceJson& choice : choices_) {
      nlohmann::ordered_json event = choice.first_event();
      if (!event.is_null()) write(event_of(head_, std::move(event)));
    }
    auto last_sign = Clock::now();
    for (std::size_t i = 0; n_ended_ < choices_.size(); i = (i + 1) % choices_.size()) {
      std::optional<AnswerPart> part;
      while (!has_ended_[i] && !(part = next(i, is_gone))) {
        if (Clock::now() - last_sign < kUntilSign) continue;
        write(": the answer is on its way\n\n");
        last_sign = Clock::now();
      }
      if (!part) continue;
      nlohmann::ordered_json event = choices_[i].event(*part);
      note_end(i, *part);
      if (event.is_null()) continue;
      write(event_of(head_, std::move(event)));
      last_sign = Clock::now();
    }
    if (head_.include_usage) write(usage_event(head_, usage_));
    write(kDoneEvent);
  }

 private:
  static std::vector<ChoiceJson> choices_of(const ApiRequest& request, const AnswerHead& head,
                                            const Tokenizer& tokenizer) {
    std::vector<ChoiceJson> choices;
    for (std::size_t i = 0; i < request.jobs.size(); ++i) choices.emplace_back(head, tokenizer, request, i);
    return choices;
  }

  [[noreturn]] void leave() {
    tickets_.note_reader_gone();
    throw ClientGone();
  }

  std::optional<AnswerPart> next(std::size_t i, const std::function<bool()>& is_gone) {
    if (i == 0 && first_) return std::exchange(first_, std::nullopt);
    if (deadline_ && Clock::now() > *deadline_) {
      throw ApiError({.status = 504,
                      .message = "the answer took longer than the " + seconds_text(time_) +
                                 " s that this server gives it; ask for fewer tokens",
                      .type = "timeout_error",
                      .code = "time_limit"});
    }
    if (is_gone()) leave();
    if (!pending_[i].empty()) {
      std::optional<AnswerPart> part = std::move(pending_[i].front());
      pending_[i].pop_front();
      return part;
    }
    const bool has_others = choices_.size() > 1;
    std::optional<AnswerPart> part = tickets_[i].next(has_others ? kLookAtOthers : kLook);
    if (has_others && (!part || ++n_taken_ % kTakesBetween == 0)) take_from_others(i);
    return part;
  }

  // What the others have for a choice that it is not yet the turn of: that they aren't read is no slow
  // client's fault.
  void take_from_others(std::size_t i) {
    for (std::size_t j = 0; j < choices_.size(); ++j) {
      if (j == i || has_ended_[j]) continue;
      while (std::optional<AnswerPart> part = tickets_[j].next(milliseconds(0))) {
        const bool is_last = part->end.has_value();
        pending_[j].push_back(std::move(*part));
        if (is_last) break;
      }
    }
  }

  void note_end(std::size_t i, const AnswerPart& part) {
    if (!part.end) return;
    if (part.end->result.reason == StopReason::interrupted) {
      tickets_.note_reader_gone();
      throw ApiError({.status = 500,
                      .message = "the answer was given up: its client read too slowly",
                      .type = "server_error",
                      .code = "too_slow"});
    }
    has_ended_[i] = true;
    ++n_ended_;
    usage_.add(part.end->result, i % n_each_ == 0);
  }

  AnswerHead head_;
  std::size_t n_each_;
  milliseconds time_;
  std::optional<Clock::time_point> deadline_;
  std::vector<ChoiceJson> choices_;
  std::vector<bool> has_ended_;
  std::vector<std::deque<AnswerPart>> pending_;  // of each choice, before those that its ticket has
  std::size_t n_taken_ = 0;
  Tickets tickets_;
  std::size_t n_ended_ = 0;
  std::optional<AnswerPart> first_{};
  Usage usage_{};
};

bool is_json_type(const std::vector<std::string>& types) {
  if (types.size() != 1) return false;
  std::string type = ascii_lower(types.front().substr(0, types.front().find(';')));
  std::erase_if(type, [](unsigned char c) { return std::isspace(c) != 0; });
  return type == "application/json";
}

}  // namespace

std::string read_json_body(Exchange& exchange, std::size_t most_bytes) {
  if (!is_json_type(exchange.headers("Content-Type"))) {
    throw ApiError({.status = 415,
                    .message = "the body must be JSON: send it with Content-Type: application/json",
                    .code = "unsupported_content_type"});
  }
  std::string body;
  switch (exchange.read_body(most_bytes, body)) {
    case BodyState::whole:
      return body;
    case BodyState::too_large:
      throw ApiError({.status = 413,
                      .message = "the body is larger than the " + std::to_string(most_bytes) +
                                 " bytes that this server takes",
                      .code = "body_too_large"});
    case BodyState::unreadable:
      throw ApiError({.status = 400,
                      .message = "the body cannot be read: its length or its encoding makes no sense",
                      .code = "unreadable_body"});
    case BodyState::late:
      throw ApiError(fault_of(408));
    case BodyState::broken:
      break;
  }
  throw ClientGone();
}

void Completions::answer(ApiKind kind, Exchange& exchange,
                         std::vector<std::pair<std::string, std::string>> headers,
                         std::shared_ptr<void> keep) {
  ApiRequest request = read_api_request(kind, read_json_body(exchange, limits_.body_bytes), served_);
  const bool is_stream = request.stream;
  if (is_stream) {
    for (EngineJob& job : request.jobs) job.most_unread_bytes = limits_.unread_bytes;
  }
  auto delivery = std::make_shared<Delivery>(std::move(request), loop_, served_, limits_.time);
  if (!is_stream) {
    const std::string body = delivery->whole([&] { return exchange.is_gone(); });
    exchange.respond({.content_type = "application/json", .body = body, .headers = std::move(headers)});
    return;
  }
  delivery->wait_for_first(kUntilHead);
  headers.emplace_back("Cache-Control", "no-cache");
  headers.emplace_back("X-Accel-Buffering", "no");  // nginx would gather it
  HttpResponse head{.content_type = "text/event-stream", .headers = std::move(headers)};
  exchange.stream(std::move(head), [delivery, keep = std::move(keep)](ResponseWriter& writer) {
    try {
      delivery->stream(writer);
    } catch (const ClientGone&) {
      return;  // what it waits for is given up with the delivery
    } catch (...) {
      writer.write(error_event(error_json(fault_of(std::current_exception()))));
    }
  });
}

}  // namespace bitnet::http
