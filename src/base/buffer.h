// Large arrays whose pages come into being when they are first touched.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "base/memory_room.h"

namespace bitnet {

// Zero-filled anonymous memory, page aligned. Reserving it costs address space only, so a KV cache for a long
// context uses no memory before the context is long.
class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // Throws RuntimeError naming the size and the purpose when the memory cannot be had, or could not be had
  // once all of it is used.
  AnonymousMemory(std::size_t bytes, const MemoryPurpose& purpose);
  AnonymousMemory(AnonymousMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  ~AnonymousMemory();

  void* data() const { return data_; }
  std::size_t size() const { return size_; }

  // Asks for large pages for what is touched from now on: fewer page faults where all of it will be used.
  void prefer_huge_pages() const;

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// A fixed-size array of plain values in anonymous memory.
template <typename T>
requires std::is_trivially_copyable_v<T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::size_t count, const MemoryPurpose& purpose)
      : memory_(bytes_for(count), purpose), count_(count) {}

  T* data() const { return static_cast<T*>(memory_.data()); }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) const { return data()[i]; }
  std::span<T> span() const { return {data(), count_}; }

 private:
  static std::size_t bytes_for(std::size_t count) {
    std::size_t bytes = 0;
    return __builtin_mul_overflow(count, sizeof(T), &bytes) ? static_cast<std::size_t>(-1) : bytes;
  }

  AnonymousMemory memory_;
  std::size_t count_ = 0;
};

}  // namespace bitnet
