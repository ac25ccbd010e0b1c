// The parts of an examination that draw conclusions. Each takes what others found and adds its findings.
#pragma once

#include "model/config.h"
#include "model/inspect/inspection.h"

namespace bitnet {

// Codes, layout, zero rates, balance, scales; norms and other floats; types that are not read; the head.
void add_tensor_findings(Inspection& inspection, const gguf::File& file);

// Vocabulary, pre-tokenizer, BOS, ends of text and turn, chat template.
void add_tokenizer_findings(Inspection& inspection, const gguf::File& file);

}  // namespace bitnet
