// Looking through a tensor before it is planned for.
#pragma once

#include <optional>

#include "base/thread_pool.h"
#include "convert/pieces.h"
#include "convert/plan.h"
#include "convert/source.h"
#include "quant/coded_row.h"

namespace bitnet::convert {

struct ScaleScan {
  bool is_coded = true;           // every row has codes: its own, or found in its floats for the plan's type
  std::optional<float> common{};  // scale of all, where they have one; nullopt if not, or not coded
  bool are_f16 = true;            // all scales are 16-bit floats
  // Of what would be written with the plan's scale; only if that was asked for.
  quant::CodedFit worst = quant::CodedFit::exact;
};
// Throws ModelError for rows that do not pass the source's check.
ScaleScan scan_scales(const Source& source, const TensorPlan& plan, bool tries_to_write, ThreadPool& pool,
                      const KeepGoing& keep_going);

// The scale that absmean gives the tensor. Throws ModelError where a value is not finite.
float scan_absmean(const Source& source, const TensorPlan& plan, ThreadPool& pool,
                   const KeepGoing& keep_going);

// Of a piece of the source's tensor. Throws ModelError for rows that do not pass.
void check_rows(const Source& source, std::size_t tensor, const Piece& piece);
void give_back_rows(const Source& source, std::size_t tensor, const Piece& piece);
// Throws the RuntimeError of a conversion that is ended.
void ask(const KeepGoing& keep_going);

}  // namespace bitnet::convert
