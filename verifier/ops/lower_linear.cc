// Gemm and MatMul with one constant operand.
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// A matrix of doubles, row-major.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;

  double operator()(int64_t r, int64_t c) const { return values[At(r * cols + c)]; }
  Matrix Transposed() const {
    Matrix out{cols, rows, std::vector<double>(values.size())};
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) out.values[At(c * rows + r)] = (*this)(r, c);
    }
    return out;
  }
};

// Y = X · W for a row-major stack of `count` rows: one row is a matrix, several are a 1x1 convolution over
// the rows.
ir::LinearMap RightProduct(int64_t count, const Matrix& weights) {
  Matrix rows = weights.Transposed();  // [out][in]
  if (count == 1) return ir::Simplify(ir::DenseMap{rows.rows, rows.cols, std::move(rows.values)});
  ir::ConvMap map;
  map.big_h = map.small_h = 1;
  map.big_w = map.small_w = count;
  map.big_c = rows.cols;
  map.small_c = rows.rows;
  map.kernel = std::move(rows.values);
  return map;
}

// Y = W · X for X of `batch` row-major matrices with `columns` columns.
ir::LinearMap LeftProduct(const Matrix& weights, int64_t batch, int64_t columns) {
  if (batch == 1 && columns == 1) {
    return ir::Simplify(ir::DenseMap{weights.rows, weights.cols, weights.values});
  }
  ir::SparseMap map{batch * weights.rows * columns, batch * weights.cols * columns, {0}, {}, {}};
  for (int64_t row = 0; row < map.rows; ++row) {
    const int64_t b = row / (weights.rows * columns), r = row / columns % weights.rows, c = row % columns;
    for (int64_t k = 0; k < weights.cols; ++k) {
      if (weights(r, k) == 0) continue;
      map.column.push_back(static_cast<int32_t>((b * weights.cols + k) * columns + c));
      map.value.push_back(weights(r, k));
    }
    map.row_begin.push_back(static_cast<int64_t>(map.value.size()));
  }
  return ir::Simplify(std::move(map));
}

// The map from a stack of matrices to its transpose.
ir::LinearMap TransposeMap(int64_t rows, int64_t cols) {
  std::vector<int64_t> source;
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < rows; ++r) source.push_back(r * cols + c);
  }
  return ir::Simplify(ir::GatherMap(source, rows * cols));
}

struct GemmAttributes {
  double alpha = 1, beta = 1;
  bool transposed[2] = {false, false};  // of A, of B
};

absl::StatusOr<GemmAttributes> ReadGemm(const OpContext& context) {
  GemmAttributes out;
  ESPALIER_ASSIGN_OR_RETURN(out.alpha, context.Float("alpha", 1.0));
  ESPALIER_ASSIGN_OR_RETURN(out.beta, context.Float("beta", 1.0));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t a, context.Int("transA", 0));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t b, context.Int("transB", 0));
  out.transposed[0] = a != 0;
  out.transposed[1] = b != 0;
  return out;
}

}  // namespace

absl::Status LowerMatMul(const OpContext& context, Lowering& lowering) {
  const int constant = context.Constant(0) ? 0 : 1;
  const Tensor* weights = context.Constant(constant);
  if (!weights) return context.Unsupported("product of two values that depend on the input");
  const LoweredValue x = lowering.InLayout(lowering.Input(context, 1 - constant), Layout::kRowMajor);
  Shape shape = weights->shape;
  // One-dimensional operands are a row on the left side and a column on the right side.
  if (shape.size() == 1) shape.insert(constant == 0 ? shape.begin() : shape.end(), 1);
  const int64_t rows = shape[shape.size() - 2], cols = shape.back();
  if (rows * cols != weights->size()) return context.Unsupported("a stack of several constant matrices");
  const Matrix matrix{rows, cols, weights->ToDoubles()};
  const int64_t elements = static_cast<int64_t>(StoredPositions(x.shape, x.layout).size());
  const int64_t columns = x.shape.size() == 1 ? 1 : x.shape.back();
  if (constant == 0 && elements / cols * rows > kMaxEntries / cols) {
    return context.Unsupported("too many coefficients");
  }
  ir::LinearMap map = constant == 1 ? RightProduct(elements / rows, matrix)
                                    : LeftProduct(matrix, elements / (cols * columns), columns);
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(lowering.OutputName(context, 0), {{x.node, MakeMap(std::move(map))}},
                                        {}, lowering.OutputShape(context, 0), Layout::kRowMajor));
  return absl::OkStatus();
}

absl::Status LowerGemm(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const GemmAttributes gemm, ReadGemm(context));
  const int constant = context.Constant(0) ? 0 : 1, variable = 1 - constant;
  const Tensor* weights = context.Constant(constant);
  if (!weights || context.Constant(variable)) {
    return context.Unsupported("exactly one factor must be constant");
  }
  Matrix matrix{weights->shape[0], weights->shape[1], weights->ToDoubles()};
  if (gemm.transposed[constant]) matrix = matrix.Transposed();
  for (double& w : matrix.values) w *= gemm.alpha;

  const LoweredValue x = lowering.InLayout(lowering.Input(context, variable), Layout::kRowMajor);
  int64_t rows = x.shape[0], cols = x.shape[1];
  ir::LinearMap arrange = ir::IdentityMap{rows * cols};
  if (gemm.transposed[variable]) {
    arrange = TransposeMap(rows, cols);
    std::swap(rows, cols);
  }
  if (constant == 0 && matrix.rows * cols > kMaxEntries / matrix.cols) {
    return context.Unsupported("too many coefficients");
  }
  const std::string name = lowering.OutputName(context, 0);
  const LoweredValue arranged = std::holds_alternative<ir::IdentityMap>(arrange)
                                    ? x
                                    : lowering.AddAffine(name, {{x.node, MakeMap(std::move(arrange))}}, {},
                                                         {rows, cols}, Layout::kRowMajor);
  std::vector<ir::AffineTerm> terms;
  terms.push_back(
      {arranged.node, MakeMap(constant == 1 ? RightProduct(rows, matrix) : LeftProduct(matrix, 1, cols))});

  const Shape& shape = lowering.OutputShape(context, 0);
  std::vector<double> bias;
  if (const Tensor* addend = context.Constant(2)) {
    bias = StoredConstant(*addend, shape, Layout::kRowMajor);
    for (double& b : bias) b *= gemm.beta;
  } else if (context.HasInput(2)) {
    const LoweredValue& c = lowering.Input(context, 2);
    const ir::ScaleMap beta{std::vector<double>(At(shape[0] * shape[1]), gemm.beta)};
    terms.push_back(
        {c.node, MakeMap(*ir::Compose(ir::Simplify(beta), lowering.TermMap(c, shape, Layout::kRowMajor)))});
  }
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(name, std::move(terms), std::move(bias), shape, Layout::kRowMajor));
  return absl::OkStatus();
}

}  // namespace espalier::ops
