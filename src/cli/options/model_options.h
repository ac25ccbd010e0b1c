// Options that every command with a model has, and the loading that follows from them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "cli/options/command.h"

namespace bitnet::cli {

struct HeadChoice {
  HeadKind kind = HeadKind::exact;
  bool cached = false;  // the copy is kept in a file
};

struct ModelOptions {
  std::string model;  // empty: the built-in one
  WeightMemory weights = WeightMemory::mmap;
  // Without a value the command chooses: screened where its sampler asks for the best tokens only.
  std::optional<HeadChoice> head;
  SparseMode sparse = SparseMode::automatic;
  std::optional<std::string> head_cache;  // a directory; empty: beside the model
  std::optional<HiddenAct> hidden_act;    // none: as the file has it
  std::optional<I2sLayout> i2s_layout;    // likewise
  SessionOptions session;
  bool quiet = false;
  bool verbose = false;

  // Adds the options; this object must stay where it is until the command line is parsed.
  void add_to(Command& command);
};

// --kv-type, --activations, --hidden-act, --i2s-layout, --weights, --sparse, --head, --head-cache. Throw
// UsageError.
KvType parse_kv_type(const std::string& name);
extern const char* const kKvTypeNames;
extern const char* const kKvTypeHelp;
ActivationType parse_activations(const std::string& name);
extern const char* const kActivationNames;
extern const char* const kActivationsHelp;
std::optional<HiddenAct> parse_hidden_act(const std::string& name);  // none for "auto"
std::optional<I2sLayout> parse_i2s_layout(const std::string& name);  // likewise
WeightMemory parse_weights(const std::string& name);
SparseMode parse_sparse(const std::string& name);
extern const char* const kSparseNames;
extern const char* const kSparseHelp;
// The name of a backend that this CPU can run; `source` is for messages.
std::string check_backend(const std::string& name, const std::string& source);
HeadChoice parse_head(const std::string& name);
std::string parse_head_cache(const std::string& place);
extern const char* const kHeadNames;  // that it takes, as offer_choices() wants them
std::string_view name_of(HeadKind kind);
std::string_view name_of(WeightMemory weights);
std::string_view name_of(SparseMode mode);
// In records: "stored" for what gives the bits of the head as it lies in the file, or "int8".
std::string_view recorded_name_of(HeadKind kind);

// What the session took the time of, a line for each kind of work, on stderr, --quiet or not; nothing without
// --profile. Then what passes of few tokens left out, which is also said when verbose.
void log_profile(Session& session, std::string_view what);

// A detail, where the copy of the head has grown since it was made.
void log_head_growth(const Model& model);

// "64.0 % of gates ...", of work that was done.
std::string sparse_text(const SparseWork& work);

// Loads the model, saying on stderr what was loaded; details when verbose. `head` is for options without.
Model load_model(const ModelOptions& options, HeadKind head = HeadKind::exact);
// Makes the session and says, when verbose, with what.
Session make_session(const Model& model, const ModelOptions& options);

}  // namespace bitnet::cli
