#include "bitnet/model.h"

#include <cstdint>
#include <utility>

#include "base/printable.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "model/model_impl.h"
#include "model/read_vocabulary.h"

namespace bitnet {
namespace {

// The pool lives only as long as the check of the weights.
Weights read_weights_with(const gguf::File& file, const Config& config, unsigned n_threads) {
  ThreadPool pool(n_threads);
  return read_weights(file, config, pool);
}

// The tokenizer knows keys but not files; an error must name both.
Tokenizer make_tokenizer(const gguf::File& file) {
  Vocabulary vocabulary = read_vocabulary(file);
  try {
    return Tokenizer(std::move(vocabulary));
  } catch (const ModelError& e) {
    throw ModelError(printable(file.name(), kMaxPrintedPath), e.what());
  }
}

}  // namespace

Model::Impl::Impl(gguf::File opened, unsigned n_threads)
    : file(std::move(opened)),
      config(read_config(file, info.notes)),
      weights(read_weights_with(file, config, n_threads)),
      tokenizer(make_tokenizer(file)) {
  info.file = file.name();
  info.name = printable(file.get_string("general.name").value_or(""), kMaxPrintedName);
  info.architecture = config.architecture;
  info.n_layers = config.n_layers;
  info.hidden = config.hidden;
  info.n_heads = config.n_heads;
  info.n_kv_heads = config.n_kv_heads;
  info.head_dim = config.head_dim;
  info.ffn = config.ffn;
  info.vocab = config.vocab;
  info.context_length = config.context_length;
  info.file_bytes = file.bytes().size();
  info.tied_output = weights.tied_output;
  chat_hints = {.architecture = config.architecture,
                .chat_template = file.get_string("tokenizer.chat_template").value_or("")};
}

Model Model::load(const std::string& path, unsigned n_threads) {
  return Model(std::make_unique<Impl>(gguf::File::open(path), n_threads));
}

Model Model::from_bytes(std::span<const std::byte> bytes, const std::string& name, unsigned n_threads) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 != 0) {
    throw UsageError(name + ": a model in memory must be aligned to 64 bytes");
  }
  return Model(std::make_unique<Impl>(gguf::File::from_bytes(bytes, name), n_threads));
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const ModelInfo& Model::info() const { return impl_->info; }
const Tokenizer& Model::tokenizer() const { return impl_->tokenizer; }

ChatHints Model::chat_hints() const { return impl_->chat_hints; }

}  // namespace bitnet
