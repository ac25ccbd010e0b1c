#include "diagnostics/verify.h"

namespace bitnet {

std::size_t VerifyReport::n_checks() const {
  std::size_t n = 0;
  for (const VerifyRow& row : rows) n += row.n_checks;
  return n;
}

std::size_t VerifyReport::n_failed() const {
  std::size_t n = 0;
  for (const VerifyRow& row : rows) n += row.n_failed;
  return n;
}

}  // namespace bitnet
