#include "kernels/neon/decode.h"

#include "kernels/generic/unrolled.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {
namespace {

// code - 1 of 16 codes.
void store_values(int8x16_t codes, float* out) {
  const int8x16_t values = vsubq_s8(codes, vdupq_n_s8(1));
  const int16x8_t low = vmovl_s8(vget_low_s8(values));
  const int16x8_t high = vmovl_high_s8(values);
  vst1q_f32(out, vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))));
  vst1q_f32(out + 4, vcvtq_f32_s32(vmovl_high_s16(low)));
  vst1q_f32(out + 8, vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))));
  vst1q_f32(out + 12, vcvtq_f32_s32(vmovl_high_s16(high)));
}

}  // namespace

void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  const std::byte* const codes = w.data + (row * w.cols + begin) / 4;
  for (std::size_t at = 0; at < (end - begin) / 4; at += kVectorBytes) {
    const uint8x16_t packed = load_16(codes + at);
    float* const to = out + at / kGroupBytes * 128 + at % kGroupBytes;
    generic::unrolled<4>([&](auto k) { store_values(codes_of<k>(packed), to + 32 * k); });
  }
}

}  // namespace bitnet::kernels::neon
