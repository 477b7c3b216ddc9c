#include "verifier/formats/onnx_terms.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_conv.h"
#include "verifier/ir/compose.h"

namespace espalier::formats {
namespace {

constexpr int64_t kMaxMatrixBytes = int64_t{64} << 20;
constexpr int64_t kMaxGathers = 64;  // what folding joins again

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// Flattened images are read in the file's own order, so the columns of the matrix are in that order.
FileValue WriteDense(OnnxBuilder& builder, const FileValue& x, const ir::DenseMap& map,
                     const std::vector<double>* bias) {
  const std::vector<int64_t> stored = StoredOfFile(x.form, map.cols);
  std::vector<float> weights(map.weights.size());
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t f = 0; f < map.cols; ++f) {
      weights[At(r * map.cols + f)] = static_cast<float>(map.weights[At(r * map.cols + stored[At(f)])]);
    }
  }
  std::vector<std::string> inputs{x.form.c == 0 ? x.name : builder.Flat(x.name),
                                  builder.Floats("weight", {map.rows, map.cols}, weights)};
  if (bias != nullptr) inputs.push_back(builder.Floats("bias", {map.rows}, RoundToFloat(*bias)));
  return {builder.Add("Gemm", inputs, {{"transB", int64_t{1}}}), kFlat};
}

ir::DenseMap ToDense(const ir::SparseMap& map) {
  ir::DenseMap dense{map.rows, map.cols, std::vector<double>(At(map.rows * map.cols), 0.0)};
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t k = map.row_begin[At(r)]; k < map.row_begin[At(r) + 1]; ++k) {
      dense.weights[At(r * map.cols + map.column[At(k)])] += map.value[At(k)];
    }
  }
  return dense;
}

// y_r = sum over k of value[k][r] * x[column[k][r]]: one Gather per k. Rows with fewer entries get zeros.
std::string WriteGathers(OnnxBuilder& builder, const std::string& x, const ir::SparseMap& map,
                         int64_t entries) {
  std::string sum;
  for (int64_t k = 0; k < std::max<int64_t>(entries, 1); ++k) {
    std::vector<int64_t> column(At(map.rows), 0);
    std::vector<double> value(At(map.rows), 0.0);
    for (int64_t r = 0; r < map.rows; ++r) {
      const int64_t entry = map.row_begin[At(r)] + k;
      if (entry >= map.row_begin[At(r) + 1]) continue;
      column[At(r)] = map.column[At(entry)];
      value[At(r)] = map.value[At(entry)];
    }
    std::string part = builder.Add("Gather", {x, builder.Ints("index", column)}, {{"axis", int64_t{1}}});
    const bool copies = std::all_of(value.begin(), value.end(), [](double v) { return v == 1; });
    if (!copies) part = builder.Add("Mul", {part, AddConstant(builder, "scale", value, kFlat)});
    sum = sum.empty() ? part : builder.Add("Add", {sum, part});
  }
  return sum;
}

// Whether a permutation moves nothing in the file, where it only undoes the difference of two forms.
bool IsReshape(const ir::SparseMap& map, const ir::ImageShape& from, const ir::ImageShape& to) {
  const std::optional<std::vector<int64_t>> source = ir::AsPermutation(map);
  if (!source) return false;
  const std::vector<int64_t> before = StoredOfFile(from, map.cols), after = StoredOfFile(to, map.rows);
  for (size_t f = 0; f < before.size(); ++f) {
    if ((*source)[At(after[f])] != before[f]) return false;
  }
  return true;
}

absl::StatusOr<FileValue> WriteSparse(OnnxBuilder& builder, const FileValue& x, const ir::SparseMap& map,
                                      const MapRequest& request) {
  if (IsReshape(map, x.form, request.form)) {
    const ir::ImageShape& to = request.form;
    return FileValue{to.c == 0 ? builder.Flat(x.name) : builder.Reshaped(x.name, {to.c, to.h, to.w}), to};
  }
  int64_t entries = 0;
  for (int64_t r = 0; r < map.rows; ++r) {
    entries = std::max(entries, map.row_begin[At(r) + 1] - map.row_begin[At(r)]);
  }
  const bool fits = map.cols == 0 || map.rows <= kMaxMatrixBytes / 4 / map.cols;
  // A gathered copy costs an index of eight bytes and a factor of four for every row.
  const bool smaller = 3 * entries < map.cols || !fits;
  if (entries <= kMaxGathers && smaller) {
    return FileValue{WriteGathers(builder, Convert(builder, x, kFlat).name, map, entries), kFlat};
  }
  if (fits) return WriteDense(builder, x, ToDense(map), nullptr);
  return absl::UnimplementedError(absl::StrCat("node '", std::string(request.node), "': a sparse map of ",
                                               map.rows, " x ", map.cols, " with up to ", entries,
                                               " entries a row has no ONNX form of acceptable size"));
}

}  // namespace

bool TakesBias(const ir::LinearMap& map, const std::vector<double>& bias) {
  if (std::holds_alternative<ir::DenseMap>(map)) return true;
  const auto* conv = std::get_if<ir::ConvMap>(&map);
  return conv != nullptr && IsPerChannel(bias, conv->transposed ? conv->big_c : conv->small_c);
}

absl::StatusOr<FileValue> WriteMap(OnnxBuilder& builder, const FileValue& x, const MapRequest& request) {
  FileValue y;
  if (const auto* dense = std::get_if<ir::DenseMap>(&request.map)) {
    y = WriteDense(builder, x, *dense, request.bias);
  } else if (const auto* conv = std::get_if<ir::ConvMap>(&request.map)) {
    y = WriteConv(builder, x, *conv, request.form, request.bias);
  } else if (const auto* sparse = std::get_if<ir::SparseMap>(&request.map)) {
    ESPALIER_ASSIGN_OR_RETURN(y, WriteSparse(builder, x, *sparse, request));
  } else {
    y = Convert(builder, x, request.form);
    if (const auto* scale = std::get_if<ir::ScaleMap>(&request.map)) {
      y.name = builder.Add("Mul", {y.name, AddConstant(builder, "scale", scale->scale, y.form)});
    }
  }
  return Convert(builder, y, request.form);
}

}  // namespace espalier::formats
