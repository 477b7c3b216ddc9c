#include "verifier/ir/conv_compose.h"

#include <algorithm>
#include <tuple>

#include "verifier/ir/map_forms.h"

namespace espalier::ir {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

std::optional<std::vector<double>> PerChannel(const std::vector<double>& scale, int64_t channels) {
  std::vector<double> factor(scale.begin(), scale.begin() + channels);
  for (size_t i = 0; i < scale.size(); ++i) {
    if (scale[i] != factor[i % At(channels)]) return std::nullopt;
  }
  return factor;
}

// Every kernel entry times factor[channel], where channel(i) is that of entry i.
template <class Channel>
std::optional<LinearMap> ScaleKernel(ConvMap map, const std::vector<double>& factor, RoundingBound& bound,
                                     Channel channel) {
  for (size_t i = 0; i < map.kernel.size(); ++i) {
    ExactSum product;
    product.AddProduct(map.kernel[i], factor[channel(i)]);
    if (!bound.Accept(product)) return std::nullopt;
    map.kernel[i] = product.result();
  }
  return map;
}

// Kernel layout is [c_small][kernel_h][kernel_w][c_big].
std::optional<LinearMap> ScaleSmall(const ConvMap& map, const std::vector<double>& factor,
                                    RoundingBound& bound) {
  const auto block = At(map.kernel_h * map.kernel_w * map.big_c);
  return ScaleKernel(map, factor, bound, [block](size_t i) { return i / block; });
}

std::optional<LinearMap> ScaleBig(const ConvMap& map, const std::vector<double>& factor,
                                  RoundingBound& bound) {
  const auto channels = At(map.big_c);
  return ScaleKernel(map, factor, bound, [channels](size_t i) { return i % channels; });
}

// Smallest range of pixel rows or columns that holds all added ones.
struct Range {
  int64_t begin = -1, end = 0;
  int64_t size() const { return end - begin; }
  void Add(int64_t i) {
    begin = begin < 0 ? i : std::min(begin, i);
    end = std::max(end, i + 1);
  }
};

auto Geometry(const ConvMap& m) {
  return std::tie(m.big_h, m.big_w, m.big_c, m.small_h, m.small_w, m.small_c, m.kernel_h, m.kernel_w,
                  m.stride_h, m.stride_w, m.pad_top, m.pad_left, m.dilation_h, m.dilation_w, m.transposed);
}

// Appends the entries of small neuron (p, q, o).
void AppendSmallRow(const ConvMap& m, int64_t p, int64_t q, int64_t o, SparseMap& out) {
  for (int64_t i = 0; i < m.kernel_h; ++i) {
    const int64_t h = p * m.stride_h - m.pad_top + i * m.dilation_h;
    if (h < 0 || h >= m.big_h) continue;
    for (int64_t j = 0; j < m.kernel_w; ++j) {
      const int64_t w = q * m.stride_w - m.pad_left + j * m.dilation_w;
      if (w < 0 || w >= m.big_w) continue;
      for (int64_t c = 0; c < m.big_c; ++c) {
        const double k = m.kernel[At(((o * m.kernel_h + i) * m.kernel_w + j) * m.big_c + c)];
        if (k == 0) continue;
        out.column.push_back(static_cast<int32_t>((h * m.big_w + w) * m.big_c + c));
        out.value.push_back(k);
      }
    }
  }
  out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
}

}  // namespace

std::optional<std::vector<double>> OutputChannelScale(const ConvMap& map, const std::vector<double>& scale) {
  return PerChannel(scale, map.transposed ? map.big_c : map.small_c);
}

std::optional<std::vector<double>> InputChannelScale(const ConvMap& map, const std::vector<double>& scale) {
  return PerChannel(scale, map.transposed ? map.small_c : map.big_c);
}

std::optional<LinearMap> ScaleOutputChannels(const ConvMap& map, const std::vector<double>& scale,
                                             RoundingBound& bound) {
  const auto factor = OutputChannelScale(map, scale);
  if (!factor) return std::nullopt;
  return map.transposed ? ScaleBig(map, *factor, bound) : ScaleSmall(map, *factor, bound);
}

std::optional<LinearMap> ScaleInputChannels(const ConvMap& map, const std::vector<double>& scale,
                                            RoundingBound& bound) {
  const auto factor = InputChannelScale(map, scale);
  if (!factor) return std::nullopt;
  return map.transposed ? ScaleSmall(map, *factor, bound) : ScaleBig(map, *factor, bound);
}

std::optional<LinearMap> AbsorbPadding(const ConvMap& map, const SparseMap& inner) {
  if (map.transposed) return std::nullopt;
  Range rows, columns;
  for (int64_t h = 0; h < map.big_h; ++h) {
    for (int64_t w = 0; w < map.big_w; ++w) {
      const auto r = At((h * map.big_w + w) * map.big_c);
      if (inner.row_begin[r] == inner.row_begin[r + 1]) continue;
      rows.Add(h);
      columns.Add(w);
    }
  }
  if (rows.begin < 0 || rows.size() * columns.size() * map.big_c != inner.cols) return std::nullopt;
  int64_t next = 0;
  for (int64_t r = 0; r < inner.rows; ++r) {
    const int64_t h = r / (map.big_w * map.big_c), w = r / map.big_c % map.big_w;
    const bool inside = h >= rows.begin && h < rows.end && w >= columns.begin && w < columns.end;
    const int64_t begin = inner.row_begin[At(r)];
    if (inner.row_begin[At(r) + 1] - begin != (inside ? 1 : 0)) return std::nullopt;
    if (!inside) continue;
    if (inner.column[At(begin)] != next || inner.value[At(begin)] != 1) return std::nullopt;
    ++next;
  }
  ConvMap out = map;
  out.pad_top += rows.begin;
  out.pad_left += columns.begin;
  out.big_h = rows.size();
  out.big_w = columns.size();
  return out;
}

std::optional<DenseMap> AsMatrix(const ConvMap& map) {
  const bool whole_image =
      map.small_h * map.small_w == 1 && map.big_h * map.big_w <= map.kernel_h * map.kernel_w;
  if (!whole_image) return std::nullopt;
  const SparseMap entries = ConvToSparse(map);
  DenseMap out{entries.rows, entries.cols, std::vector<double>(At(entries.rows * entries.cols), 0.0)};
  for (int64_t r = 0; r < entries.rows; ++r) {
    for (int64_t k = entries.row_begin[At(r)]; k < entries.row_begin[At(r) + 1]; ++k) {
      out.weights[At(r * out.cols + entries.column[At(k)])] = entries.value[At(k)];
    }
  }
  return out;
}

SparseMap ConvToSparse(const ConvMap& map) {
  SparseMap out{map.small_h * map.small_w * map.small_c, map.big_h * map.big_w * map.big_c, {0}, {}, {}};
  for (int64_t p = 0; p < map.small_h; ++p) {
    for (int64_t q = 0; q < map.small_w; ++q) {
      for (int64_t o = 0; o < map.small_c; ++o) AppendSmallRow(map, p, q, o, out);
    }
  }
  return map.transposed ? Transposed(out) : out;
}

std::optional<LinearMap> AddKernels(const ConvMap& a, const ConvMap& b, RoundingBound& bound) {
  if (Geometry(a) != Geometry(b)) return std::nullopt;
  ConvMap out = a;
  for (size_t i = 0; i < out.kernel.size(); ++i) {
    ExactSum sum;
    sum.Add(a.kernel[i]), sum.Add(b.kernel[i]);
    if (!bound.Accept(sum)) return std::nullopt;
    out.kernel[i] = sum.result();
  }
  return out;
}

}  // namespace espalier::ir
