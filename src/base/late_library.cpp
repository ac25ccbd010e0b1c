#include "base/late_library.h"

#include <dlfcn.h>

#include "bitnet/error.h"

namespace bitnet {

LateLibrary::LateLibrary(const std::string& file, std::string_view use)
    : file_(file), handle_(::dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* const why = ::dlerror();  // names the file
  throw RuntimeError(std::string(use) + " cannot be had: " + (why != nullptr ? why : file.c_str()) +
                     "; install the library that has it");
}

LateLibrary::Function LateLibrary::operator[](const char* name) const {
  void* const address = ::dlsym(handle_, name);
  if (address == nullptr) {
    throw RuntimeError(file_ + " has no function " + name +
                       "; install the version that bitnet was built with");
  }
  return Function(address);
}

}  // namespace bitnet
