// Averages and sums over windows and axes, as sparse maps.
#include <algorithm>
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"
#include "verifier/ops/window.h"

namespace espalier::ops {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// Dimensions along which the reduction runs: from the attribute or the input, none given means all.
absl::StatusOr<std::vector<bool>> ReducedDimensions(const OpContext& context) {
  const auto rank = static_cast<int64_t>(context.InputShape(0).size());
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> axes, context.Ints("axes", {}));
  if (context.HasInput(1)) {
    if (!context.Constant(1)) return context.Unsupported("the axes depend on the input");
    axes = context.Constant(1)->ToInts();
  }
  ESPALIER_ASSIGN_OR_RETURN(const int64_t keep_when_empty, context.Int("noop_with_empty_axes", 0));
  std::vector<bool> reduced(At(rank), axes.empty() && keep_when_empty == 0);
  for (int64_t axis : axes) {
    if (axis < -rank || axis >= rank) return context.Invalid("axis out of range");
    reduced[At(axis < 0 ? axis + rank : axis)] = true;
  }
  return reduced;
}

}  // namespace

absl::Status LowerAveragePool(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const Window w, PoolWindow(context));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t count_padding, context.Int("count_include_pad", 0));
  if (w.batch != 1) return context.Unsupported("more than one image at a time");
  const int64_t outputs_count = w.output[0] * w.output[1] * w.in_channels;
  if (outputs_count > kMaxEntries / (w.kernel[0] * w.kernel[1])) {
    return context.Unsupported("too many coefficients");
  }
  const LoweredValue x = lowering.InLayout(lowering.Input(context, 0), Layout::kChannelsLast);
  ir::SparseMap map{outputs_count, w.input[0] * w.input[1] * w.in_channels, {0}, {}, {}};
  // Input positions along dimension d that output position `out` averages, and how many positions count.
  const auto taps = [&](int dimension, int64_t out, int64_t& counted) {
    const auto d = At(dimension);
    std::vector<int64_t> positions;
    counted = 0;
    for (int64_t t = 0; t < w.kernel[d]; ++t) {
      const int64_t at = out * w.stride[d] - w.pad_begin[d] + t * w.dilation[d];
      const bool inside = at >= 0 && at < w.input[d];
      if (inside) positions.push_back(at);
      counted += inside || (count_padding != 0 && at < w.input[d] + w.pad_end[d]);
    }
    return positions;
  };
  for (int64_t p = 0; p < w.output[0]; ++p) {
    for (int64_t q = 0; q < w.output[1]; ++q) {
      int64_t height = 0, width = 0;
      const std::vector<int64_t> rows = taps(0, p, height), columns = taps(1, q, width);
      for (int64_t c = 0; c < w.in_channels; ++c) {
        for (int64_t h : rows) {
          for (int64_t v : columns) {
            map.column.push_back(static_cast<int32_t>((h * w.input[1] + v) * w.in_channels + c));
            map.value.push_back(1.0 / static_cast<double>(height * width));
          }
        }
        map.row_begin.push_back(static_cast<int64_t>(map.value.size()));
      }
    }
  }
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(lowering.OutputName(context, 0), {{x.node, MakeMap(std::move(map))}},
                                        {}, lowering.OutputShape(context, 0), Layout::kChannelsLast));
  return absl::OkStatus();
}

absl::Status LowerReduce(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedDimensions(context));
  const LoweredValue x = lowering.Input(context, 0);
  Shape kept = x.shape;  // the output's shape with reduced dimensions kept as 1
  int64_t group = 1;
  for (size_t d = 0; d < kept.size(); ++d) {
    if (!reduced[d]) continue;
    group *= kept[d];
    kept[d] = 1;
  }
  const double factor = context.node().op == "ReduceMean" ? 1.0 / static_cast<double>(group) : 1.0;
  const std::vector<int64_t> target = BroadcastSources(kept, x.shape);
  const std::vector<int64_t> stored = StoredPositions(x.shape, x.layout);
  const auto rows = static_cast<int64_t>(target.size()) / group;
  std::vector<std::vector<int32_t>> columns(At(rows));
  for (size_t i = 0; i < target.size(); ++i)
    columns[At(target[i])].push_back(static_cast<int32_t>(stored[i]));
  ir::SparseMap map{rows, static_cast<int64_t>(target.size()), {0}, {}, {}};
  for (std::vector<int32_t>& row : columns) {
    std::sort(row.begin(), row.end());
    map.column.insert(map.column.end(), row.begin(), row.end());
    map.value.resize(map.column.size(), factor);
    map.row_begin.push_back(static_cast<int64_t>(map.column.size()));
  }
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(lowering.OutputName(context, 0), {{x.node, MakeMap(std::move(map))}},
                                        {}, lowering.OutputShape(context, 0), Layout::kRowMajor));
  return absl::OkStatus();
}

}  // namespace espalier::ops
