#include "tokenizer/unicode_class.h"

#include "tokenizer/range_table.h"

namespace bitnet {
namespace {

using enum UnicodeClass;

constexpr CodePointRange<UnicodeClass> kClassRanges[] = {
#include "tokenizer/unicode_classes.inc"
};

constexpr RangeTable kClasses(kClassRanges);

}  // namespace

UnicodeClass unicode_class(char32_t code_point) { return kClasses[code_point]; }

}  // namespace bitnet
