// The model opened again in every way that changes no bit, and its tokenizer.
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "soak/unit.h"

namespace bitnet::soak {

namespace {

// A file's bytes, where Model::from_bytes takes them.
class FileBytes {
 public:
  explicit FileBytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    size_ = bytes.size();
    memory_.reset(static_cast<std::byte*>(::operator new[](size_, kAlignment)));
    std::memcpy(memory_.get(), bytes.data(), size_);
  }
  std::span<const std::byte> span() const { return {memory_.get(), size_}; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, kAlignment); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t size_ = 0;
};

LoadOptions load_options(Unit& u) {
  constexpr HeadKind kHeads[] = {HeadKind::exact, HeadKind::screened};
  constexpr SparseMode kModes[] = {SparseMode::automatic, SparseMode::on, SparseMode::off};
  LoadOptions options;
  options.n_threads = 1 + static_cast<unsigned>(u.below(2));
  options.weights = u.one_in(3) ? WeightMemory::repack : WeightMemory::mmap;
  options.head = u.one_of(kHeads);
  options.sparse = u.one_of(kModes);
  options.is_sound = u.one_in(4);
  options.on_progress = [](double) { return true; };
  return options;
}

void run_some(Unit& u, const Model& model) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  Session session(model, u.session_options(c.precision));
  u.expect(answer_of(model, session, c, 0, {.all_logits = u.one_in(3)}).agrees_with(u.subject.answers[i]),
           "another answer");
}

void open_again(Unit& u) {
  LoadOptions options = load_options(u);
  options.cache_head = options.head == HeadKind::screened && u.one_in(2);
  options.head_cache_directory = u.directory;
  if (u.one_in(2)) options.checked_list = u.directory + "/checked";
  const Model opened = Model::load(u.subject.path, options);
  run_some(u, opened);
}

void open_in_memory(Unit& u) {
  const FileBytes bytes(u.subject.path);
  Model opened = Model::from_bytes(bytes.span(), "memory", load_options(u));
  run_some(u, opened);
  const Model moved = std::move(opened);
  run_some(u, moved);
}

void tokenize(Unit& u) {
  if (u.subject.spellings.empty()) return;
  std::optional<Model> own;
  if (u.one_in(8)) own = Model::load(u.subject.path);
  const Tokenizer& tokenizer = own ? own->tokenizer() : u.subject.model.tokenizer();
  for (const Spelling& expected : u.subject.spellings) {
    const Spelling s = spell(tokenizer, expected.text);
    u.expect(s.ids == expected.ids, "other tokens of a text");
    u.expect(s.decoded == expected.decoded && s.shown == expected.shown, "another text of tokens");
    std::size_t end = 0;
    std::vector<TokenId> ids;
    for (const TokenSpan& span : tokenizer.encode_spans(expected.text)) {
      if (span.begin != end) u.fail("a gap between the places of tokens");
      end = span.end;
      ids.push_back(span.id);
    }
    u.expect(ids == expected.ids && end == expected.text.size(), "other tokens with their places");
  }
}

constexpr Way kModelWays[] = {
    {"the model anew", open_again}, {"the model in memory", open_in_memory}, {"a tokenizer", tokenize}};

}  // namespace

std::span<const Way> model_ways() { return kModelWays; }

}  // namespace bitnet::soak
