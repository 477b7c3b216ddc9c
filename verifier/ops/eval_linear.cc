// Gemm and MatMul. Sums are accumulated in double and rounded once to the operands' type.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

// One product of an m x k and a k x n matrix; element (i, p) of A is a[i * a_row + p * a_column], likewise B.
struct Product {
  int64_t m, n, k;
  int64_t a_row, a_column, b_row, b_column;
};

// sums[j] += sum_p a_i[p] * b[p][j], for B rows that are contiguous.
template <class T>
void AddRows(const Product& d, const T* a, const T* b, std::vector<double>& sums) {
  for (int64_t p = 0; p < d.k; ++p) {
    const auto factor = static_cast<double>(a[p * d.a_column]);
    const T* row = b + p * d.b_row;
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += factor * static_cast<double>(row[j]);
  }
}

// The same for B columns that are contiguous (transposed weights). Four partial sums let the loop pipeline.
template <class T>
void AddColumns(const Product& d, const std::vector<double>& a, const T* b, std::vector<double>& sums) {
  for (size_t j = 0; j < sums.size(); ++j) {
    const T* column = b + static_cast<int64_t>(j) * d.b_column;
    double part[4] = {0, 0, 0, 0};
    size_t p = 0;
    for (; p + 4 <= a.size(); p += 4) {
      for (size_t q = 0; q < 4; ++q) part[q] += a[p + q] * static_cast<double>(column[p + q]);
    }
    for (; p < a.size(); ++p) part[0] += a[p] * static_cast<double>(column[p]);
    sums[j] += (part[0] + part[1]) + (part[2] + part[3]);
  }
}

template <class T>
void Multiply(const Product& d, const T* a, const T* b, T* out) {
  std::vector<double> sums(static_cast<size_t>(d.n));
  std::vector<double> row(static_cast<size_t>(d.k));
  for (int64_t i = 0; i < d.m; ++i) {
    std::fill(sums.begin(), sums.end(), 0.0);
    if (d.b_column == 1) {
      AddRows(d, a + i * d.a_row, b, sums);
    } else {
      for (int64_t p = 0; p < d.k; ++p) row[static_cast<size_t>(p)] = a[i * d.a_row + p * d.a_column];
      AddColumns(d, row, b, sums);
    }
    for (int64_t j = 0; j < d.n; ++j) out[i * d.n + j] = static_cast<T>(sums[static_cast<size_t>(j)]);
  }
}

struct GemmShape {
  Product product;
  Shape output;
};

absl::StatusOr<GemmShape> ReadGemm(const OpContext& context, const Shape& a, const Shape& b) {
  if (a.size() != 2 || b.size() != 2) return context.Invalid("A and B must be matrices");
  ESPALIER_ASSIGN_OR_RETURN(const int64_t trans_a, context.Int("transA", 0));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t trans_b, context.Int("transB", 0));
  const int64_t m = a[trans_a != 0 ? 1 : 0], k = a[trans_a != 0 ? 0 : 1];
  const int64_t n = b[trans_b != 0 ? 0 : 1];
  if (b[trans_b != 0 ? 1 : 0] != k) {
    return context.Invalid(
        absl::StrCat("shapes ", ShapeToString(a), " and ", ShapeToString(b), " do not match"));
  }
  GemmShape gemm{{m, n, k, a[1], 1, b[1], 1}, {m, n}};
  if (trans_a != 0) std::swap(gemm.product.a_row, gemm.product.a_column);
  if (trans_b != 0) std::swap(gemm.product.b_row, gemm.product.b_column);
  return gemm;
}

template <class T>
absl::StatusOr<Tensor> GemmOf(const OpContext& context, const GemmShape& gemm, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const double alpha, context.Float("alpha", 1));
  ESPALIER_ASSIGN_OR_RETURN(const double beta, context.Float("beta", 1));
  std::vector<T> out(static_cast<size_t>(gemm.product.m * gemm.product.n));
  Multiply(gemm.product, Elements<T>(*inputs[0]).data(), Elements<T>(*inputs[1]).data(), out.data());
  if (alpha != 1) {
    for (T& value : out) value *= static_cast<T>(alpha);
  }
  if (inputs.size() > 2 && inputs[2] != nullptr) {
    const auto& c = Elements<T>(*inputs[2]);
    ForEachBroadcast<1>(gemm.output, {BroadcastStrides(inputs[2]->shape, gemm.output)},
                        [&](size_t i, const std::array<int64_t, 1>& at) {
                          out[i] += static_cast<T>(beta) * c[static_cast<size_t>(at[0])];
                        });
  }
  return Tensor{inputs[0]->type, gemm.output, std::move(out)};
}

// A batched matrix product: operands of rank 1 gain a dimension that the result loses again.
struct MatMulShape {
  Product product;
  Shape batch, output;
  Shape a_batch, b_batch;
};

absl::StatusOr<MatMulShape> ReadMatMul(const OpContext& context, Shape a, Shape b) {
  if (a.empty() || b.empty()) return context.Invalid("scalar operand");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  const size_t ra = a.size(), rb = b.size();
  MatMulShape result;
  result.product = {a[ra - 2], b[rb - 1], a[ra - 1], a[ra - 1], 1, b[rb - 1], 1};
  if (b[rb - 2] != a[ra - 1]) {
    return context.Invalid(
        absl::StrCat("shapes ", ShapeToString(a), " and ", ShapeToString(b), " do not match"));
  }
  result.a_batch.assign(a.begin(), a.end() - 2);
  result.b_batch.assign(b.begin(), b.end() - 2);
  ESPALIER_ASSIGN_OR_RETURN(result.batch, BroadcastShapes(context, result.a_batch, result.b_batch));
  result.output = result.batch;
  if (!row) result.output.push_back(result.product.m);
  if (!column) result.output.push_back(result.product.n);
  return result;
}

template <class T>
Tensor MatMulOf(const MatMulShape& shape, const Tensor& a, const Tensor& b) {
  const Product& d = shape.product;
  std::vector<T> out(static_cast<size_t>(*ElementCount(shape.output)));
  const T* x = Elements<T>(a).data();
  const T* y = Elements<T>(b).data();
  ForEachBroadcast<2>(
      shape.batch,
      {BroadcastStrides(shape.a_batch, shape.batch), BroadcastStrides(shape.b_batch, shape.batch)},
      [&](size_t i, const std::array<int64_t, 2>& at) {
        Multiply(d, x + at[0] * d.m * d.k, y + at[1] * d.k * d.n,
                 out.data() + static_cast<int64_t>(i) * d.m * d.n);
      });
  return Tensor{a.type, shape.output, std::move(out)};
}

}  // namespace

InferResult InferGemm(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_ASSIGN_OR_RETURN(GemmShape gemm, ReadGemm(context, context.InputShape(0), context.InputShape(1)));
  ESPALIER_RETURN_IF_ERROR(context.Float("alpha", 1).status());
  ESPALIER_RETURN_IF_ERROR(context.Float("beta", 1).status());
  if (context.HasInput(2)) {
    ESPALIER_ASSIGN_OR_RETURN(const Shape sum, BroadcastShapes(context, gemm.output, context.InputShape(2)));
    if (sum != gemm.output) return context.Invalid("C does not broadcast to the product");
  }
  return std::vector<OutputInfo>{{context.InputType(0), std::move(gemm.output)}};
}

EvaluateResult EvaluateGemm(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const GemmShape gemm, ReadGemm(context, inputs[0]->shape, inputs[1]->shape));
  ESPALIER_ASSIGN_OR_RETURN(Tensor out, inputs[0]->type == ElementType::kFloat32
                                            ? GemmOf<float>(context, gemm, inputs)
                                            : GemmOf<double>(context, gemm, inputs));
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferMatMul(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_ASSIGN_OR_RETURN(MatMulShape shape,
                            ReadMatMul(context, context.InputShape(0), context.InputShape(1)));
  return std::vector<OutputInfo>{{context.InputType(0), std::move(shape.output)}};
}

EvaluateResult EvaluateMatMul(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const MatMulShape shape, ReadMatMul(context, inputs[0]->shape, inputs[1]->shape));
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32
                                 ? MatMulOf<float>(shape, *inputs[0], *inputs[1])
                                 : MatMulOf<double>(shape, *inputs[0], *inputs[1])};
}

}  // namespace espalier::ops
