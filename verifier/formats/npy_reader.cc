#include "verifier/formats/npy_reader.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/npy_bytes.h"
#include "verifier/formats/npy_header.h"
#include "verifier/formats/npy_zip.h"

namespace espalier::formats {
namespace {

// Elements of type From in file order -> To in row-major order.
template <typename From, typename To>
std::vector<To> CopyElements(std::string_view data, const Shape& shape, int64_t count, bool fortran_order) {
  std::vector<To> out(static_cast<size_t>(count));
  if (!fortran_order || shape.size() < 2 || count == 0) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<To>(LoadLittle<From>(data, i * sizeof(From)));
    return out;
  }
  // Column-major: the first index runs fastest. `index` counts along with the file, `target` follows.
  std::vector<int64_t> stride(shape.size(), 1), index(shape.size(), 0);
  for (size_t d = shape.size() - 1; d > 0; --d) stride[d - 1] = stride[d] * shape[d];
  int64_t target = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    out[static_cast<size_t>(target)] = static_cast<To>(LoadLittle<From>(data, i * sizeof(From)));
    for (size_t d = 0; d < shape.size(); ++d) {
      target += stride[d];
      if (++index[d] < shape[d]) break;
      target -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

template <typename T>
std::string Append(std::string header, const std::vector<T>& values) {
  header.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return header;
}

absl::string_view View(std::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace

absl::StatusOr<Tensor> ReadNpy(std::string_view bytes, const NpyLimits& limits) {
  ESPALIER_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(bytes));
  if (static_cast<int64_t>(header.shape.size()) > limits.rank) {
    return absl::ResourceExhaustedError(
        absl::StrCat("npy: ", header.shape.size(), " dimensions, the limit is ", limits.rank));
  }
  const std::optional<int64_t> count = ElementCount(header.shape, limits.elements);
  if (!count) {
    return absl::ResourceExhaustedError(absl::StrCat("npy: shape ", ShapeToString(header.shape),
                                                     " has more than ", limits.elements, " elements"));
  }
  const std::string_view type = std::string_view(header.descr).substr(header.descr.empty() ? 0 : 1);
  const char order = header.descr.empty() ? '?' : header.descr[0];
  const bool one_byte = type == "u1" || type == "b1";
  const bool known = one_byte || type == "f4" || type == "f8" || type == "i4" || type == "i8";
  if (!known || (order != '<' && order != '|' && !(one_byte && (order == '=' || order == '>')))) {
    return absl::UnimplementedError(
        absl::StrCat("npy: element type '", header.descr, "'; <f4, <f8, <i4, <i8, |u1 and |b1 can be read"));
  }
  const size_t width = static_cast<size_t>(type[1] - '0');
  const std::string_view data = bytes.substr(header.data_offset);
  if (data.size() / width < static_cast<size_t>(*count)) {
    return absl::InvalidArgumentError(absl::StrCat("npy: shape ", ShapeToString(header.shape), " needs ",
                                                   static_cast<size_t>(*count) * width,
                                                   " bytes, the file has ", data.size()));
  }
  const Shape& s = header.shape;
  const bool f = header.fortran_order;
  if (type == "f4") return Tensor::FromFloats(s, CopyElements<float, float>(data, s, *count, f));
  if (type == "f8") return Tensor::FromDoubles(s, CopyElements<double, double>(data, s, *count, f));
  if (type == "i8") return Tensor::FromInts(s, CopyElements<int64_t, int64_t>(data, s, *count, f));
  if (type == "u1") return Tensor::FromInts(s, CopyElements<uint8_t, int64_t>(data, s, *count, f));
  if (type == "b1") {
    std::vector<uint8_t> values = CopyElements<uint8_t, uint8_t>(data, s, *count, f);
    for (uint8_t& value : values) value = value != 0;
    return Tensor::FromBools(s, std::move(values));
  }
  Tensor tensor = Tensor::FromInts(s, CopyElements<int32_t, int64_t>(data, s, *count, f));
  tensor.type = ElementType::kInt32;
  return tensor;
}

absl::StatusOr<std::string> WriteNpy(const Tensor& tensor) {
  const absl::Status mismatch = absl::InvalidArgumentError(
      absl::StrCat("npy: a ", ElementTypeName(tensor.type), " tensor of shape ", ShapeToString(tensor.shape),
                   " with ", tensor.size(), " elements of another type or number cannot be written"));
  if (ElementCount(tensor.shape) != tensor.size()) return mismatch;
  switch (tensor.type) {
    case ElementType::kFloat32:
      if (const auto* v = std::get_if<std::vector<float>>(&tensor.data)) {
        return Append(FormatNpyHeader("<f4", tensor.shape), *v);
      }
      return mismatch;
    case ElementType::kFloat64:
      if (const auto* v = std::get_if<std::vector<double>>(&tensor.data)) {
        return Append(FormatNpyHeader("<f8", tensor.shape), *v);
      }
      return mismatch;
    case ElementType::kInt64:
    case ElementType::kInt32:
      if (const auto* v = std::get_if<std::vector<int64_t>>(&tensor.data)) {
        if (tensor.type == ElementType::kInt64) return Append(FormatNpyHeader("<i8", tensor.shape), *v);
        return Append(FormatNpyHeader("<i4", tensor.shape), std::vector<int32_t>(v->begin(), v->end()));
      }
      return mismatch;
    case ElementType::kBool:
      if (const auto* v = std::get_if<std::vector<uint8_t>>(&tensor.data)) {
        return Append(FormatNpyHeader("|b1", tensor.shape), *v);
      }
      return mismatch;
    case ElementType::kOther:
      return mismatch;
  }
  return mismatch;
}

absl::StatusOr<std::vector<std::string>> ListNpz(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ListZip(bytes));
  std::vector<std::string> names;
  constexpr std::string_view kSuffix = ".npy";
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(kSuffix)) continue;
    names.push_back(entry.name.substr(0, entry.name.size() - kSuffix.size()));
  }
  return names;
}

absl::StatusOr<Tensor> ReadNpzEntry(std::string_view bytes, std::string_view name, const NpyLimits& limits) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ListZip(bytes));
  const std::string wanted = absl::StrCat(View(name), ".npy");
  for (const ZipEntry& entry : entries) {
    if (entry.name != wanted) continue;
    // Headers are small; what is larger than any array within the limits need not be unpacked.
    constexpr uint64_t kWidest = 8, kHeader = 1 << 20;
    ESPALIER_ASSIGN_OR_RETURN(
        const std::string array,
        ExtractZip(bytes, entry, static_cast<uint64_t>(limits.elements) * kWidest + kHeader));
    return ReadNpy(array, limits);
  }
  return absl::NotFoundError(absl::StrCat("npz: no array is called '", View(name), "'"));
}

}  // namespace espalier::formats
