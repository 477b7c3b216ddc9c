#include "verifier/base/tensor.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace espalier {

std::optional<int64_t> ElementCount(const Shape& shape, int64_t limit) {
  int64_t count = 1;
  for (int64_t d : shape) {
    if (d < 0) return std::nullopt;
    if (d != 0 && count > limit / d) return std::nullopt;
    count *= d;
  }
  return count;
}

std::string ShapeToString(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

const char* ElementTypeName(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat64:
      return "float64";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kBool:
      return "bool";
    case ElementType::kOther:
      return "other";
  }
  return "other";
}

int64_t Tensor::size() const {
  return std::visit([](const auto& v) { return static_cast<int64_t>(v.size()); }, data);
}

double Tensor::AsDouble(int64_t i) const {
  return std::visit([i](const auto& v) { return static_cast<double>(v[static_cast<size_t>(i)]); }, data);
}

int64_t Tensor::AsInt(int64_t i) const {
  return std::visit([i](const auto& v) { return static_cast<int64_t>(v[static_cast<size_t>(i)]); }, data);
}

std::vector<double> Tensor::ToDoubles() const {
  return std::visit([](const auto& v) { return std::vector<double>(v.begin(), v.end()); }, data);
}

std::vector<int64_t> Tensor::ToInts() const {
  return std::visit(
      [](const auto& v) {
        std::vector<int64_t> out;
        out.reserve(v.size());
        for (auto x : v) out.push_back(static_cast<int64_t>(x));
        return out;
      },
      data);
}

Tensor Tensor::FromFloats(Shape shape, std::vector<float> values) {
  return Tensor{ElementType::kFloat32, std::move(shape), std::move(values)};
}
Tensor Tensor::FromDoubles(Shape shape, std::vector<double> values) {
  return Tensor{ElementType::kFloat64, std::move(shape), std::move(values)};
}
Tensor Tensor::FromInts(Shape shape, std::vector<int64_t> values) {
  return Tensor{ElementType::kInt64, std::move(shape), std::move(values)};
}
Tensor Tensor::FromBools(Shape shape, std::vector<uint8_t> values) {
  return Tensor{ElementType::kBool, std::move(shape), std::move(values)};
}

}  // namespace espalier
