// Host tensors: what ONNX initialisers, constants and evaluation results are made of.
//
// A Tensor is row-major (ONNX order) and owns its elements. Element types are reduced to four storage kinds:
// float32, float64, int64 (all integer types widen to it) and bool (one byte). `type` keeps the ONNX type so
// that Cast and the witness replay know what the model really computes in.
//
// Invariant: product(shape) == number of elements; shapes are checked for overflow by ElementCount.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace espalier {

using Shape = std::vector<int64_t>;

// Product of the dimensions, or nullopt when one is negative or the product exceeds `limit`.
std::optional<int64_t> ElementCount(const Shape& shape,
                                    int64_t limit = std::numeric_limits<int64_t>::max() / 16);

std::string ShapeToString(const Shape& shape);  // "[1,3,32,32]"

enum class ElementType { kFloat32, kFloat64, kInt64, kInt32, kBool, kOther };
const char* ElementTypeName(ElementType type);  // "float32", ...

struct Tensor {
  ElementType type = ElementType::kFloat32;
  Shape shape;
  std::variant<std::vector<float>, std::vector<double>, std::vector<int64_t>, std::vector<uint8_t>> data;

  int64_t size() const;
  // Element i as double / int64, whatever the storage.
  double AsDouble(int64_t i) const;
  int64_t AsInt(int64_t i) const;
  std::vector<double> ToDoubles() const;
  std::vector<int64_t> ToInts() const;

  static Tensor FromFloats(Shape shape, std::vector<float> values);
  static Tensor FromDoubles(Shape shape, std::vector<double> values);
  static Tensor FromInts(Shape shape, std::vector<int64_t> values);
  static Tensor FromBools(Shape shape, std::vector<uint8_t> values);
};

}  // namespace espalier
