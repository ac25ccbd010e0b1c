// Typed views of GGUF metadata values. They point into the file's bytes, copy nothing, and stay valid as long
// as those bytes and the File they came from (moving the File keeps them valid).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::gguf {

enum class ValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

// "u32", "string", ...; "unknown" for anything else.
std::string_view name_of(ValueType type);

// Bytes of one value; 0 for strings, arrays and unknown types, whose size is not fixed.
std::size_t size_of(ValueType type);

bool is_integer(ValueType type);
bool is_number(ValueType type);  // an integer or a float; not a bool

// Where a value was found, for messages.
struct Origin {
  const std::string* file = nullptr;  // display name
  std::string_view key;
};

// A validated array of strings, walked in order without copying: for (std::string_view s : strings) ...
class StringArray {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using reference = std::string_view;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;  // reference is not a real reference

    Iterator() = default;
    std::string_view operator*() const;
    Iterator& operator++();
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    // Only iterators of one array may be compared.
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.remaining_ == b.remaining_; }

   private:
    friend class StringArray;
    Iterator(const std::byte* at, std::size_t remaining) : at_(at), remaining_(remaining) {}
    const std::byte* at_ = nullptr;  // the length field of the current string
    std::size_t remaining_ = 0;      // strings from here on
  };

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return {first_, size_}; }
  Iterator end() const { return {nullptr, 0}; }

 private:
  friend class Value;
  StringArray(const std::byte* first, std::size_t size) : first_(first), size_(size) {}
  const std::byte* first_;
  std::size_t size_;
};

// A validated array of integers or floats of any one width.
class NumberArray {
 public:
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ValueType element_type() const { return type_; }

  // Element i as a double (64-bit integers are rounded to the nearest). Throws ModelError when i >= size().
  double at(std::size_t i) const;
  // Element i. Throws ModelError when i >= size(), when the elements are floats or when it exceeds an int64.
  std::int64_t int_at(std::size_t i) const;

 private:
  friend class Value;
  NumberArray(const Origin& origin, ValueType type, const std::byte* first, std::size_t size)
      : origin_(origin), type_(type), first_(first), size_(size) {}
  const std::byte* element(std::size_t i) const;

  Origin origin_;
  ValueType type_;
  const std::byte* first_;
  std::size_t size_;
};

// One validated metadata value. The as_... functions give nullopt when the value is of another type.
class Value {
 public:
  ValueType type() const { return type_; }
  // Of an array: the type of its elements and how many there are. Of anything else: its own type, and 1.
  ValueType element_type() const;
  std::size_t size() const;

  std::optional<std::string_view> as_string() const;
  std::optional<bool> as_bool() const;
  std::optional<std::uint64_t> as_uint() const;  // any integer type; nullopt too when negative
  std::optional<std::int64_t> as_int() const;    // any integer type; nullopt too above the largest int64
  std::optional<double> as_number() const;       // any integer or float type
  std::optional<StringArray> as_strings() const;
  std::optional<NumberArray> as_numbers() const;
  std::optional<std::vector<bool>> as_flags() const;  // an array of bools or integers: whether each is not 0

  // Every number or bool in an array is 0 or false; not so of strings.
  bool has_only_zeros() const;

  // As they stand in the file, behind the type.
  std::span<const std::byte> bytes() const;

  // "u32", "array of strings", ...: for messages.
  std::string describe_type() const;

  // For humans, on one line and safe to print: strings in double quotes, arrays as "[1, 2, ...] (100 x i32)"
  // with as many elements as fit. max_chars bounds the string's text or the array's bracket, not the
  // decoration.
  std::string to_display(std::size_t max_chars) const;

 private:
  friend class File;
  Value(const Origin& origin, ValueType type, const std::byte* data)
      : origin_(origin), type_(type), data_(data) {}
  const std::byte* elements() const;

  Origin origin_;
  ValueType type_;
  const std::byte* data_;  // of an array: the element type, the count (u64), then the elements
};

}  // namespace bitnet::gguf
