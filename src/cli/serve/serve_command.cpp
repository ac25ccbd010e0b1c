#include "cli/serve/serve_command.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/scheduler_options.h"
#include "cli/options/template_option.h"
#include "cli/terminal/held_signals.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "service/http/server/server.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kLook{500};  // how often it is looked whether the server is well
constexpr std::size_t kMostKeyBytes = 4096;
constexpr double kLongestTime = 1e6;  // seconds

struct ServeOptions {
  ModelOptions model;
  SchedulerOptions scheduler;
  http::ServerOptions server;
  std::optional<std::string> api_key;
  std::optional<std::string> api_key_file;
  std::uint16_t port = 8080;
  std::int64_t max_tokens = -1;
  double timeout = 0;
};

// A header's value: what could end it, or is lost around it, is no part of a key.
std::string check_key(std::string key, const std::string& source) {
  const auto is_fit = [](char c) { return c > 0x20 && c < 0x7F; };
  if (key.empty()) throw UsageError(source + " is empty");
  if (key.size() > kMostKeyBytes) {
    throw UsageError(source + " has more than " + std::to_string(kMostKeyBytes) + " bytes");
  }
  if (!std::ranges::all_of(key, is_fit)) {
    throw UsageError(source + ": give letters, digits and signs of ASCII, without spaces");
  }
  return key;
}

std::string key_from_file(const std::string& path) {
  const std::string shown = printable(path, kMaxPrintedPath);
  std::ifstream file(path, std::ios::binary);
  std::string key(kMostKeyBytes + 2, '\0');
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  if (!file.is_open() || file.bad()) throw RuntimeError(shown + ": the API key cannot be read");
  key.resize(static_cast<std::size_t>(file.gcount()));
  while (key.ends_with('\n') || key.ends_with('\r')) key.pop_back();
  return check_key(std::move(key), "--api-key-file " + shown);
}

std::string check_origin(const std::string& origin, const std::string& source) {
  const bool has_scheme = origin.starts_with("http://") || origin.starts_with("https://");
  const std::size_t host = origin.find("://") + 3;
  if (origin == "*" || (has_scheme && origin.size() > host && origin.find('/', host) == std::string::npos)) {
    return origin;
  }
  throw UsageError(source + " '" + printable(origin, kMaxPrintedName) +
                   "': give an origin such as https://example.org, or * for all");
}

// It stands in JSON, in addresses and in messages.
std::string check_name(const std::string& name, const std::string& source) {
  const auto is_fit = [](char c) { return (c > 0x20 && c < 0x7F && c != '"' && c != '\\'); };
  if (name.size() <= kMaxPrintedName && std::ranges::all_of(name, is_fit)) return name;
  throw UsageError(source + " '" + printable(name, kMaxPrintedName) + "': give up to " +
                   std::to_string(kMaxPrintedName) +
                   " letters, digits and signs of ASCII, without spaces and quotes");
}

void read_limits(ServeOptions& o) {
  if (o.max_tokens == 0 || o.max_tokens < -1) {
    throw UsageError("--max-tokens: give a count, or -1 for as many as the context holds");
  }
  if (o.max_tokens > 0) o.server.max_tokens = static_cast<std::size_t>(o.max_tokens);
  if (!(o.timeout >= 0) || o.timeout > kLongestTime) {
    throw UsageError("--timeout: give seconds up to 1000000, or 0 for no limit");
  }
  o.server.time = std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(o.timeout * 1000)));
  if (o.server.body_bytes < 1024 || o.server.body_bytes > std::size_t{1} << 30) {
    throw UsageError("--max-body: give bytes from 1024 to " + std::to_string(std::size_t{1} << 30));
  }
  if (o.server.queue > 4096) throw UsageError("--queue: give a count up to 4096");
  if (o.server.host.empty()) throw UsageError("--host is empty; give an address or a name");
  if (o.api_key && o.api_key_file)
    throw UsageError("--api-key-file stands beside an API key; give one of them");
  if (o.api_key) o.server.api_key = check_key(*o.api_key, "the API key");
  if (o.api_key_file) o.server.api_key = key_from_file(*o.api_key_file);
  o.server.port = o.port;
}

// What was asked for must be there when it starts, and not fail with the first request.
void check_chat_form(const ServeOptions& o, const Model& model) {
  try {
    find_form(o.server.chat_template, o.server.think, model);
  } catch (const Error& e) {
    if (o.server.chat_template != service::kAutoTemplate || o.server.think) throw;
    log_warn("no chat: {}", e.what());
  }
}

void announce(const ServeOptions& o, const http::Server& server) {
  const std::string where = server.model_name() + " is served at " + server.url();
  if (o.port == 0) {
    tell(where);  // nobody could guess it
  } else {
    log_info("{}", where);
  }
  if (o.server.api_key.empty() && !http::is_loopback(o.server.host)) {
    log_warn("anybody who reaches this machine may use it: there is no --api-key");
  }
}

ExitCode serve(ServeOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  check_scheduler_options(o.model);
  read_limits(o);
  const Model model = load_model(o.model);
  check_chat_form(o, model);
  Scheduler scheduler = make_scheduler(model, o.scheduler, o.model);
  if (interrupted()) return ExitCode::interrupted;
  std::mutex logging;  // requests are answered on many threads, and messages are one thread's affair
  o.server.on_request = [&logging](std::string_view method, std::string_view path, int status) {
    const std::lock_guard lock(logging);
    log_debug("{} {} {}", printable(std::string(method), kMaxPrintedName),
              printable(std::string(path), kMaxPrintedName), status);
  };
  http::Server server(model, scheduler, o.server);
  {
    // Held, signals find this thread, which waits for them.
    const HeldSignals held;
    server.start();
    {
      const std::lock_guard lock(logging);
      announce(o, server);
    }
    while (!interrupted() && server.failure().empty()) held.wait_for_signal(kLook);
  }
  if (const std::string why = server.failure(); !why.empty()) throw RuntimeError(why);
  {
    const std::lock_guard lock(logging);
    log_info("stopping: answers that have begun are finished; once more ends them");
  }
  server.drain();
  return ExitCode::done;
}

void add_network(Command& c, ServeOptions& o) {
  Option* host = c.add_option("--host", o.server.host, "Address or name to listen on; 0.0.0.0 or :: is all");
  host->type_name("HOST")->default_str(o.server.host);
  Option* port = add_number(c, "--port", o.port, "Port to listen on; 0: one that is free");
  port->type_name("N");
  Option* key =
      c.add_option("--api-key", o.api_key, "What clients have to send as Authorization: Bearer KEY");
  key->type_name("KEY")->envname("BITNET_API_KEY");
  Option* file = c.add_option("--api-key-file", o.api_key_file, "A file with that key");
  file->type_name("FILE");
  Option* cors = c.add_option(
      "--cors",
      [&o](const std::string& origin, const std::string& source) {
        o.server.origins.push_back(check_origin(origin, source));
      },
      "Let pages of this origin use it from a browser; may be repeated");
  cors->type_name("ORIGIN")->take_all();
  for (Option* option : {host, port, key, file, cors}) option->group("Network");
}

void add_answers(Command& c, ServeOptions& o) {
  Option* name = c.add_option(
      "--name",
      [&o](const std::string& given, const std::string& source) {
        o.server.model_name = check_name(given, source);
      },
      "What requests call the model");
  name->type_name("NAME")->default_str("by its file");
  Option* chat_template = add_template(c, o.server.chat_template);
  Option* think = add_think(c, o.server.think);
  for (Option* option : {name, chat_template, think}) option->group("Answers");
  Option* queue = add_number(c, "--queue", o.server.queue, "Answers that may wait beside those that run");
  queue->type_name("N");
  Option* n =
      add_number(c, "-n,--max-tokens", o.max_tokens, "Tokens of an answer at most; -1: the context's");
  n->type_name("N");
  Option* body = add_number(c, "--max-body", o.server.body_bytes, "Bytes of a request's body at most");
  body->type_name("N");
  Option* timeout = add_number(c, "--timeout", o.timeout, "Seconds that an answer may take; 0: no limit");
  timeout->type_name("S");
  for (Option* option : {queue, n, body, timeout}) option->group("Limits");
}

}  // namespace

std::function<ExitCode()> add_serve_command(Command& app) {
  auto o = std::make_shared<ServeOptions>();
  Command& c = *app.add_subcommand("serve", "Answers over HTTP, in OpenAI's forms, and a chat page");
  add_network(c, *o);
  add_answers(c, *o);
  o->model.add_to(c);
  add_scheduler_options(c, o->scheduler);
  add_help(c);
  c.example("bitnet serve -m model.gguf");
  c.example("bitnet serve -m model.gguf --host 0.0.0.0 --api-key-file key.txt --sequences 16");
  c.everyday({"--host", "--port", "--api-key", "--api-key-file", "--max-tokens", "--timeout", "--sequences",
              "--model", "--ctx-size", "--threads", "--quiet", "--help"});
  c.footer(
      "Ctrl-C or SIGTERM: no more requests, and the end when those that there are have been answered.\n"
      "At / is a page to chat on, at /metrics what Prometheus reads.");
  return [o] { return serve(*o); };
}

}  // namespace bitnet::cli
