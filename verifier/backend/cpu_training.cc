#include "verifier/backend/cpu_training.h"

#include <algorithm>

#include "verifier/backend/cpu_trainable.h"
#include "verifier/backend/row_loss.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

// A tile's parameters (columns) stay in the first-level cache; its elements pay for waking a thread.
constexpr int64_t kTileColumns = 1024;
constexpr int64_t kTileElements = 1 << 15;

CpuTrainable& Cpu(TrainableMap& map) {
  return static_cast<CpuTrainable&>(map);
}

}  // namespace

template <class Body>
void CpuTraining::ForTiles(int64_t rows, int64_t n, Body body) {
  if (rows <= 0 || n <= 0) return;
  const int64_t columns = std::min(n, kTileColumns);
  const int64_t height = std::max<int64_t>(1, kTileElements / columns);
  const int64_t across = (n + columns - 1) / columns, down = (rows + height - 1) / height;
  state_.ForRows(down * across, columns * std::min(rows, height), [&](int64_t t) {
    const int64_t row = t / across * height, column = t % across * columns;
    body(Tile{std::min(height, rows - row), std::min(columns, n - column), n}, row, column);
  });
}

template <class Partial>
void CpuTraining::SumColumns(int64_t rows, int64_t n, const float* keep, float* out, Partial partial) {
  if (!state_.Going()) return;
  const int64_t height =
      std::max<int64_t>(1, kTileElements / std::min(std::max<int64_t>(n, 1), kTileColumns));
  const int64_t blocks = (rows + height - 1) / height;
  if (static_cast<int64_t>(partial_sums_.size()) < blocks * n) {
    partial_sums_.resize(static_cast<size_t>(blocks * n));
  }
  double* sums = partial_sums_.data();
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    partial(tile, row * n + column, sums + row / height * n + column);
  });
  if (!state_.Going()) return;
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (int64_t b = 0; b < blocks; ++b) sum += sums[b * n + i];
    out[i] = keep != nullptr && keep[i] == 0.0f ? 0.0f : static_cast<float>(sum);
  }
}

absl::StatusOr<std::unique_ptr<TrainableMap>> CpuTraining::MakeTrainable(const ir::LinearMap& map) {
  if (!state_.Going()) return state_.status();
  ESPALIER_RETURN_IF_ERROR(checked_.ForMap(map));
  ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<CpuTrainable> made, MakeCpuTrainable(backend_, map));
  return made;
}

void CpuTraining::WeightsChanged(TrainableMap& map) {
  Cpu(map).WeightsChanged();
}
void CpuTraining::Forward(TrainableMap& map, int64_t rows, const float* x, float* y) {
  if (state_.Going()) state_.Note(Cpu(map).Forward(rows, x, y));
}
void CpuTraining::Backward(TrainableMap& map, int64_t rows, const float* gy, float* gx) {
  if (state_.Going()) state_.Note(Cpu(map).Backward(rows, gy, gx));
}
void CpuTraining::WeightGradient(TrainableMap& map, int64_t rows, const float* x, const float* gy) {
  if (state_.Going()) state_.Note(Cpu(map).WeightGradient(rows, x, gy));
}

void CpuTraining::AddRows(int64_t rows, int64_t n, const float* vec, float* y) {
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    table_.add_rows(tile, vec + column, y + row * n + column);
  });
}

void CpuTraining::ColumnSums(int64_t rows, int64_t n, const float* g, float* out) {
  SumColumns(rows, n, nullptr, out,
             [&](const Tile& tile, int64_t at, double* sum) { table_.column_sums(tile, g + at, sum); });
}

void CpuTraining::HingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                               float* y) {
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    const int64_t at = row * n + column;
    table_.hinge_forward(tile, {hinge.left + column, hinge.right + column, hinge.intercept + column}, z + at,
                         y + at);
  });
}

void CpuTraining::HingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                                float* g) {
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    const int64_t at = row * n + column;
    table_.hinge_backward(tile, {hinge.left + column, hinge.right + column, nullptr}, z + at, g + at);
  });
}

void CpuTraining::LineGradient(int64_t rows, int64_t n, const float* z, const float* gy,
                               const LineGradients& out) {
  SumColumns(rows, n, out.mask, out.slope, [&](const Tile& tile, int64_t at, double* sum) {
    table_.column_dots(tile, gy + at, z + at, sum);
  });
  SumColumns(rows, n, out.mask, out.intercept,
             [&](const Tile& tile, int64_t at, double* sum) { table_.column_sums(tile, gy + at, sum); });
}

void CpuTraining::BoxHingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge,
                                  const BoxRows& from, const BoxRows& to) {
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    const int64_t at = row * n + column;
    table_.box_hinge_forward(tile, {hinge.left + column, hinge.right + column, hinge.intercept + column},
                             {from.centre + at, from.radius + at}, {to.centre + at, to.radius + at});
  });
}

void CpuTraining::BoxHingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge,
                                   const BoxRows& from, const BoxRows& g) {
  ForTiles(rows, n, [&](const Tile& tile, int64_t row, int64_t column) {
    const int64_t at = row * n + column;
    table_.box_hinge_backward(tile, {hinge.left + column, hinge.right + column, nullptr},
                              {from.centre + at, from.radius + at}, {g.centre + at, g.radius + at});
  });
}

void CpuTraining::WorstLogits(int64_t rows, int64_t classes, const int32_t* label, const BoxRows& from,
                              float* out) {
  state_.ForRows(rows, classes, [&](int64_t r) {
    for (int64_t c = 0; c < classes; ++c) {
      const int64_t at = r * classes + c;
      const float centre = from.centre != nullptr ? from.centre[at] : 0.0f;
      out[at] = c == label[r] ? centre - from.radius[at] : centre + from.radius[at];
    }
  });
}

void CpuTraining::Absolute(int64_t count, const float* x, float* y) {
  state_.ForPieces(count, [&](int64_t first, int64_t n) { table_.absolute(n, x + first, y + first); });
}

void CpuTraining::AddSigned(int64_t count, const float* s, const float* x, float* y) {
  state_.ForPieces(count,
                   [&](int64_t first, int64_t n) { table_.add_signed(n, s + first, x + first, y + first); });
}

void CpuTraining::CrossEntropy(int64_t rows, int64_t classes, const float* logits, const LossTarget& target,
                               const LossResult& result) {
  if (!state_.Going()) return;
  // A loss is a few microseconds of work, so one thread does it.
  for (int64_t r = 0; r < rows; ++r) RowLoss(classes, r, logits, target, result);
}

void CpuTraining::Descend(int64_t count, const DescentStep& step, const float* gradient, float* velocity,
                          float* weight) {
  state_.ForPieces(count, [&](int64_t at, int64_t size) {
    table_.descend(size, step, gradient + at, velocity + at, weight + at);
  });
}

void CpuTraining::BoxAround(int64_t count, const float* x, const BoxShape& shape, float* lower,
                            float* upper) {
  state_.ForPieces(count, [&](int64_t at, int64_t size) {
    table_.box_around(size, x + at, shape, lower + at, upper + at);
  });
}

void CpuTraining::UniformInBox(int64_t count, const RandomKey& key, const float* lower, const float* upper,
                               float* x) {
  state_.ForPieces(count, [&](int64_t at, int64_t size) {
    const float* const box[2] = {lower + at, upper + at};
    table_.uniform_in_box(at, size, key, box, x + at);
  });
}

void CpuTraining::SignStep(int64_t count, float rate, const float* g, const float* lower, const float* upper,
                           float* x) {
  state_.ForPieces(count, [&](int64_t at, int64_t size) {
    const float* const box[2] = {lower + at, upper + at};
    table_.sign_step(size, rate, g + at, box, x + at);
  });
}

}  // namespace espalier::backend
