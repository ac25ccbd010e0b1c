// A shared library that is loaded when something first needs it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace bitnet {

// What the executable is linked with every command loads, and resolves the symbols of, at every start. Loaded
// this way a library costs nothing until it is used. The types of its functions are those of its header:
//
//   const LateLibrary library("libzip.so.5", "traces in .npz");
//   decltype(::zip_fread)* const fread = library["zip_fread"];
//
// It is never unloaded: it may have registered functions to be called at the end of the process.
class LateLibrary {
 public:
  // A function by its name; becomes the pointer that it is assigned to.
  class Function {
   public:
    explicit Function(void* address) : address_(address) {}
    template <typename F>
    requires std::is_function_v<F>
    operator F*() const {  // NOLINT(google-explicit-constructor)
      return reinterpret_cast<F*>(address_);
    }

   private:
    void* address_;
  };

  // `file` as the loader looks for it; `use` is what needs it, for the message. Throws RuntimeError when it
  // cannot be loaded.
  LateLibrary(const std::string& file, std::string_view use);
  // One that the program carries in itself, `bytes` being its file's.
  LateLibrary(std::span<const std::byte> bytes, std::string_view use);

  // Throws RuntimeError when the library has no function of that name.
  Function operator[](const char* name) const;

 private:
  void load(std::string_view use);

  std::string file_;
  void* handle_ = nullptr;
};

}  // namespace bitnet
