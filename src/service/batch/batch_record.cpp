#include "service/batch/batch_record.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/json_text.h"

namespace bitnet::service {
namespace {

// How all of them begin: what doesn't is nothing of ours, and isn't searched for a line's end.
constexpr std::string_view kBeginning = R"({"schema":"bitnet.batch",)";

// Reads through a record, keeping what names it: with probabilities of tokens it may hold millions of values.
class NameFinder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  // nullopt: it is no record.
  std::optional<RecordName> name() const {
    if (!has_line_ || version_ != 1 || name_.settings.empty() || name_.key.empty()) return std::nullopt;
    return name_;
  }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 1) return true;
    if (key_ == "version") version_ = value;
    if (key_ != "line") return true;
    name_.line = value;
    has_line_ = value > 0;
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ != 1) return true;
    if (key_ == "settings") name_.settings = value;
    if (key_ == "key") name_.key = value;
    if (key_ == "program") name_.program = value;
    if (key_ == "commit") name_.commit = value;
    return true;
  }
  bool key(string_t& key) override {
    if (depth_ != 1) return true;
    key_ = key;
    name_.is_error = name_.is_error || key == "error";
    return true;
  }
  bool start_object(std::size_t /*size*/) override { return ++depth_, true; }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t /*size*/) override { return ++depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    return false;
  }

 private:
  std::size_t depth_ = 0;
  std::string key_;
  RecordName name_;
  std::uint64_t version_ = 0;
  bool has_line_ = false;
};

}  // namespace

std::string this_build() {
  const nlohmann::ordered_json own = schema_json("bitnet.batch", 1);
  RecordName name;
  name.program = own.at("program");
  name.commit = own.at("commit");
  return name.build();
}

RecordReader::RecordReader(const std::string& path) : path_(path), in_(path, std::ios::binary) {
  if (!in_) {
    throw ModelError(printable(path, kMaxPrintedPath),
                     "cannot be read: " + std::generic_category().message(errno));
  }
}

bool RecordReader::next() {
  ++number_;
  std::string beginning(kBeginning.size(), '\0');
  in_.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(in_.gcount()));
  if (in_.bad()) throw RuntimeError(printable(path_, kMaxPrintedPath) + ": cannot be read");
  if (beginning.empty()) return false;
  is_torn_ = in_.eof() && kBeginning.starts_with(beginning);
  if (is_torn_) return false;
  if (beginning != kBeginning) refuse();
  std::getline(in_, text_);
  if (in_.bad()) throw RuntimeError(printable(path_, kMaxPrintedPath) + ": cannot be read");
  is_torn_ = in_.eof();
  if (is_torn_) return false;
  text_.insert(0, kBeginning).push_back('\n');
  NameFinder finder;
  if (!nlohmann::json::sax_parse(text_, &finder)) refuse();
  std::optional<RecordName> name = finder.name();
  if (!name) refuse();
  name_ = std::move(*name);
  end_ += text_.size();
  return true;
}

void RecordReader::refuse() const {
  throw ModelError(printable(path_, kMaxPrintedPath) + ": line " + std::to_string(number_),
                   "is no record of bitnet batch", "name a file that it wrote");
}

}  // namespace bitnet::service
