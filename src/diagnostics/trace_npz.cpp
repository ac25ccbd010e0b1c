// Reads traces that are numpy's .npz: zip archives of .npy files.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/half.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/npy.h"
#include "diagnostics/trace_formats.h"
#include "diagnostics/zip_library.h"

namespace bitnet {
namespace {

constexpr std::string_view kDamaged = "the file is damaged: write it again, or copy it again";

// What libzip owns is given back through these.
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

// One member of an archive, read from its beginning.
class Member {
 public:
  Member(zip_t* zip, std::uint64_t index, std::string shown) : shown_(std::move(shown)) {
    file_ = libzip().fopen_index(zip, index, 0);
    if (file_ == nullptr) {
      throw ModelError(shown_, libzip().error_strerror(libzip().get_error(zip)), kDamaged);
    }
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { libzip().fclose(file_); }

  // Exactly so many bytes.
  void read(void* to, std::size_t n_bytes) {
    auto* at = static_cast<char*>(to);
    while (n_bytes > 0) {
      const zip_int64_t n = libzip().fread(file_, at, n_bytes);
      if (n < 0) throw ModelError(shown_, libzip().error_strerror(libzip().file_get_error(file_)), kDamaged);
      if (n == 0) throw ModelError(shown_, "ends too soon", kDamaged);
      at += n;
      n_bytes -= static_cast<std::size_t>(n);
    }
  }

 private:
  std::string shown_;
  zip_file_t* file_ = nullptr;
};

template <typename Stored, typename To, typename Convert>
void read_as(Member& member, std::span<To> out, Convert convert) {
  std::array<Stored, 4096> block;
  for (std::size_t i = 0; i < out.size(); i += block.size()) {
    const std::size_t n = std::min(block.size(), out.size() - i);
    member.read(block.data(), n * sizeof(Stored));
    for (std::size_t j = 0; j < n; ++j) out[i + j] = convert(block[j]);
  }
}

class NpzTrace final : public TraceSource {
 public:
  NpzTrace(MappedFile file, const std::string& name) : file_(std::move(file)) {
    name_ = name;
    zip_error_t error;
    libzip().error_init(&error);
    zip_source_t* source =
        libzip().source_buffer_create(file_.bytes().data(), file_.bytes().size(), /*freep=*/0, &error);
    if (source != nullptr) {
      zip_.reset(libzip().open_from_source(source, ZIP_RDONLY, &error));
      if (zip_ == nullptr) libzip().source_free(source);
    }
    const std::string what = libzip().error_strerror(&error);
    libzip().error_fini(&error);
    if (zip_ == nullptr) throw ModelError(name_, "cannot be read as a zip archive: " + what, kDamaged);
    read_members();
    if (tensors_.empty()) {
      throw ModelError(name_, "has no arrays of f2, f4 or f8", "save them with numpy.savez(FILE, **arrays)");
    }
  }

  Rows rows(std::size_t tensor) const override {
    const Array& array = arrays_[tensor];
    if (array.header.fortran_order) return rows_of_columns(array, tensors_[tensor]);
    auto member = std::make_shared<Member>(zip_.get(), array.index, array.shown);
    skip_header(*member);
    return [member, size = array.element_size](std::span<float> out) { read_values(*member, size, out); };
  }

 private:
  struct Array {
    std::uint64_t index = 0;
    std::string name;  // without .npy
    std::string shown;
    std::uint64_t n_bytes = 0;  // of the values
    std::size_t element_size = 0;
    NpyHeader header;
  };

  static void read_values(Member& member, std::size_t element_size, std::span<float> out) {
    if (element_size == 2) {
      read_as<std::uint16_t>(member, out, f16_to_f32);
    } else if (element_size == 4) {
      member.read(out.data(), out.size_bytes());
    } else {
      read_as<double>(member, out, [](double v) { return static_cast<float>(v); });
    }
  }

  // Of an array whose first index runs fastest: read as a whole, as its rows lie all over it.
  Rows rows_of_columns(const Array& array, const TraceTensor& tensor) const {
    Member member(zip_.get(), array.index, array.shown);
    skip_header(member);
    auto values = std::make_shared<std::vector<float>>();
    const std::size_t n_values = tensor.rows * tensor.cols;
    constexpr std::size_t kBlock = std::size_t{1} << 20;  // a header's claim alone takes no memory
    while (values->size() < n_values) {
      const std::size_t at = values->size();
      values->resize(std::min(at + kBlock, n_values));
      read_values(member, array.element_size, std::span(*values).subspan(at));
    }
    // The place of an element, as the last index runs fastest.
    const std::vector<std::uint64_t>& dims = array.header.dims;
    std::vector<std::size_t> strides(dims.size(), 1);
    for (std::size_t d = 1; d < dims.size(); ++d) strides[d] = strides[d - 1] * dims[d - 1];
    return [values, dims, strides, index = std::vector<std::uint64_t>(dims.size()),
            at = std::size_t{0}](std::span<float> row) mutable {
      for (float& value : row) {
        value = (*values)[at];
        for (std::size_t d = dims.size(); d-- > 0;) {
          at += strides[d];
          if (++index[d] < dims[d]) break;
          at -= strides[d] * dims[d];
          index[d] = 0;
        }
      }
    };
  }

  static NpyHeader read_header(Member& member, const std::string& shown, std::uint64_t size,
                               std::uint64_t& n_bytes) {
    const auto refuse = [&] { throw ModelError(shown, "has no header of a numpy array", kDamaged); };
    if (size < kNpyPrefix) refuse();
    std::string text(kNpyPrefix, '\0');
    member.read(text.data(), text.size());
    const auto found = find_npy_text(text);
    constexpr std::size_t kMaxText = 65536;
    if (!found || found->size > kMaxText || found->begin + found->size > size ||
        found->begin + found->size < kNpyPrefix) {
      refuse();
    }
    text.resize(found->begin + found->size);
    member.read(text.data() + kNpyPrefix, text.size() - kNpyPrefix);
    auto header = parse_npy_text(std::string_view(text).substr(found->begin));
    if (!header) refuse();
    n_bytes = size - text.size();
    return std::move(*header);
  }
  static void skip_header(Member& member) {
    std::uint64_t n_bytes = 0;
    read_header(member, "", std::numeric_limits<std::uint64_t>::max(), n_bytes);
  }

  // The arrays are taken up once "ids" is known, which says what a position is.
  void read_members() {
    const zip_int64_t n = libzip().get_num_entries(zip_.get(), 0);
    std::vector<Array> arrays;
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(std::max<zip_int64_t>(n, 0)); ++i) {
      zip_stat_t stat;
      if (libzip().stat_index(zip_.get(), i, 0, &stat) != 0 || (stat.valid & ZIP_STAT_NAME) == 0 ||
          (stat.valid & ZIP_STAT_SIZE) == 0) {
        throw ModelError(name_, "member " + std::to_string(i + 1) + " cannot be read", kDamaged);
      }
      const std::string member = stat.name;
      const std::string shown = name_ + ": " + printable(member, kMaxPrintedName);
      if (member == kTraceJsonName) {
        read_info(i, stat.size, shown);
      } else if (member.ends_with(".npy")) {
        Member file(zip_.get(), i, shown);
        Array array{i, member.substr(0, member.size() - 4), shown, 0, 0, {}};
        array.header = read_header(file, shown, stat.size, array.n_bytes);
        arrays.push_back(std::move(array));
      }
    }
    take_tokens(arrays);
    for (Array& array : arrays) take_tensor(std::move(array));
  }

  void read_info(std::uint64_t index, std::uint64_t size, const std::string& shown) {
    constexpr std::uint64_t kMaxJson = std::uint64_t{16} << 20;
    if (size > kMaxJson) throw ModelError(shown, "is larger than any trace's", kDamaged);
    std::string text(size, '\0');
    Member(zip_.get(), index, shown).read(text.data(), text.size());
    info_ = parse_trace_info(text, shown);
  }

  // Arrays that stand for what trace.json says, in dumps of other programs.
  void take_tokens(const std::vector<Array>& arrays) {
    for (const Array& array : arrays) {
      if (array.name == "ids" && info_.ids.empty()) info_.ids = read_ids(array);
      if (array.name == "greedy" && info_.greedy.empty()) info_.greedy = read_ids(array);
    }
  }

  std::vector<TokenId> read_ids(const Array& array) const {
    constexpr std::uint64_t kMaxIds = std::uint64_t{1} << 24;
    const bool wide = array.header.type == "<i8";
    if (!wide && array.header.type != "<i4") {
      throw ModelError(array.shown, "is not an array of int32 or int64", "save it with dtype numpy.int32");
    }
    const std::size_t size = wide ? 8 : 4;
    if (array.n_bytes % size != 0 || array.n_bytes / size > kMaxIds) {
      throw ModelError(array.shown, "has no plausible number of token ids", kDamaged);
    }
    Member member(zip_.get(), array.index, array.shown);
    skip_header(member);
    std::vector<TokenId> ids;
    for (std::uint64_t i = 0; i < array.n_bytes / size; ++i) {
      std::int64_t id = 0;
      member.read(&id, size);  // little endian; a negative int32 comes out too large
      if (id < 0 || id > INT32_MAX) {
        throw ModelError(array.shown, "element " + std::to_string(i) + " is no token id", "ids begin at 0");
      }
      ids.push_back(TokenId{static_cast<std::int32_t>(id)});
    }
    return ids;
  }

  void take_tensor(Array array) {
    const std::string& type = array.header.type;
    if (type == ">f2" || type == ">f4" || type == ">f8") {
      throw ModelError(array.shown, "is big-endian", "save it with dtype numpy.float32");
    }
    if ((type != "<f2" && type != "<f4" && type != "<f8") || array.name == "greedy_margin") return;
    add_tensor(array.name, array.header.dims);
    array.element_size = static_cast<std::size_t>(type[2] - '0');
    const TraceTensor& added = tensors_.back();
    const std::uint64_t n_values = std::uint64_t{added.rows} * added.cols;
    const std::uint64_t wanted = n_values * array.element_size;
    if (array.n_bytes != wanted) {
      throw ModelError(
          array.shown,
          "has " + std::to_string(array.n_bytes) + " bytes, and its shape takes " + std::to_string(wanted),
          kDamaged);
    }
    constexpr std::uint64_t kMostInFortranOrder = std::uint64_t{1} << 28;
    if (array.header.fortran_order && n_values > kMostInFortranOrder) {
      throw ModelError(array.shown, "is in Fortran order and too large to be turned round in memory",
                       "save numpy.ascontiguousarray of it");
    }
    arrays_.push_back(std::move(array));
  }

  MappedFile file_;
  Archive zip_;
  std::vector<Array> arrays_;  // of the tensors
};

}  // namespace

std::unique_ptr<TraceSource> open_npz_trace(MappedFile file, const std::string& name) {
  return std::make_unique<NpzTrace>(std::move(file), name);
}

}  // namespace bitnet
