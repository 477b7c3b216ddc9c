#include "verifier/ir/cone.h"

#include <algorithm>
#include <numeric>

namespace espalier::ir {
namespace {

// What is needed of a node: nothing, a rectangle, or everything.
struct Need {
  bool any = false, whole = false;
  ImageShape image;
  ImageRect rect;
};

bool SameShape(const ImageShape& a, const ImageShape& b) {
  return a.h == b.h && a.w == b.w && a.c == b.c;
}

ImageRect Union(const ImageRect& a, const ImageRect& b) {
  return {std::min(a.top, b.top), std::max(a.bottom, b.bottom), std::min(a.left, b.left),
          std::max(a.right, b.right)};
}

// Taps of a convolution over [begin, end) of the small side, clipped to the big side.
std::pair<int64_t, int64_t> Taps(int64_t begin, int64_t end, int64_t stride, int64_t pad, int64_t reach,
                                 int64_t big) {
  const int64_t low = begin * stride - pad, high = (end - 1) * stride - pad + reach;
  return {std::clamp<int64_t>(low, 0, big), std::clamp<int64_t>(high, 0, big)};
}

ImageRect BigRect(const ConvMap& m, const ImageRect& r) {
  const auto [top, bottom] =
      Taps(r.top, r.bottom, m.stride_h, m.pad_top, (m.kernel_h - 1) * m.dilation_h + 1, m.big_h);
  const auto [left, right] =
      Taps(r.left, r.right, m.stride_w, m.pad_left, (m.kernel_w - 1) * m.dilation_w + 1, m.big_w);
  return {top, bottom, left, right};
}

class Extraction {
 public:
  explicit Extraction(const Network& network) : network_(network), need_(network.nodes.size()) {}

  std::optional<Cone> Run(NodeId start, const ImageShape& image, const ImageRect& rect) {
    Ask(start, image, rect);
    for (NodeId id = start; id > 0 && possible_; --id) {
      if (need_[static_cast<size_t>(id)].any) AskPredecessors(id);
    }
    if (!possible_ || !need_[0].any) return std::nullopt;
    new_id_.assign(network_.nodes.size(), -1);
    for (NodeId id = 0; id <= start; ++id) {
      if (need_[static_cast<size_t>(id)].any) Build(id);
    }
    cone_.network.output = new_id_[static_cast<size_t>(start)];
    cone_.network.input_order.resize(static_cast<size_t>(cone_.network.nodes[0].size));
    std::iota(cone_.network.input_order.begin(), cone_.network.input_order.end(), 0);
    return std::move(cone_);
  }

 private:
  const NetworkNode& node(NodeId id) const { return network_.nodes[static_cast<size_t>(id)]; }

  void Ask(NodeId id, const ImageShape& image, const ImageRect& rect) {
    Need& need = need_[static_cast<size_t>(id)];
    if (rect.top >= rect.bottom || rect.left >= rect.right) possible_ = false;  // taps in the padding only
    if (need.image.c > 0 && !SameShape(need.image, image)) possible_ = false;
    if (image.h * image.w * image.c != node(id).size) possible_ = false;
    need.rect = need.any ? Union(need.rect, rect) : rect;
    need.image = image;
    need.any = true;
  }
  void AskWhole(NodeId id) {
    Need& need = need_[static_cast<size_t>(id)];
    need.any = need.whole = true;
  }

  void AskPredecessors(NodeId id) {
    const Need need = need_[static_cast<size_t>(id)];
    if (node(id).kind == NodeKind::kActivation) {
      need.whole ? AskWhole(node(id).predecessor) : Ask(node(id).predecessor, need.image, need.rect);
      return;
    }
    for (const AffineTerm& term : node(id).terms) {
      const auto* conv = std::get_if<ConvMap>(term.map.get());
      const bool pointwise =
          std::holds_alternative<IdentityMap>(*term.map) || std::holds_alternative<ScaleMap>(*term.map);
      if (!need.whole && conv != nullptr && !conv->transposed) {
        if (!SameShape(need.image, {conv->small_h, conv->small_w, conv->small_c})) possible_ = false;
        Ask(term.predecessor, {conv->big_h, conv->big_w, conv->big_c}, BigRect(*conv, need.rect));
      } else if (!need.whole && pointwise) {
        Ask(term.predecessor, need.image, need.rect);
      } else {
        // What a position of a transposed convolution sees depends on its phase: not cut.
        if (!need.whole && conv != nullptr) possible_ = false;
        AskWhole(term.predecessor);
      }
    }
  }

  static std::vector<int32_t> Indices(const ImageShape& image, const ImageRect& rect) {
    std::vector<int32_t> indices;
    for (int64_t h = rect.top; h < rect.bottom; ++h) {
      for (int64_t w = rect.left; w < rect.right; ++w) {
        for (int64_t c = 0; c < image.c; ++c)
          indices.push_back(static_cast<int32_t>((h * image.w + w) * image.c + c));
      }
    }
    return indices;
  }

  std::vector<int32_t> NeuronsOf(NodeId id) const {
    const Need& need = need_[static_cast<size_t>(id)];
    if (!need.whole) return Indices(need.image, need.rect);
    std::vector<int32_t> all(static_cast<size_t>(node(id).size));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  NodeId Append(NetworkNode made, NodeId original, std::vector<int32_t> neurons) {
    cone_.network.nodes.push_back(std::move(made));
    cone_.node.push_back(original);
    cone_.neurons.push_back(std::move(neurons));
    return static_cast<NodeId>(cone_.network.nodes.size()) - 1;
  }

  void Build(NodeId id) {
    const NetworkNode& source = node(id);
    const std::vector<int32_t> neurons = NeuronsOf(id);
    NetworkNode made;
    made.kind = source.kind;
    made.name = source.name;
    made.size = static_cast<int64_t>(neurons.size());
    if (source.kind == NodeKind::kActivation) {
      const Need& need = need_[static_cast<size_t>(id)];
      made.predecessor =
          need.whole ? new_id_[static_cast<size_t>(source.predecessor)] : Crop(source.predecessor, need.rect);
      made.hinge = {Gather(source.hinge.left, neurons), Gather(source.hinge.right, neurons),
                    Gather(source.hinge.intercept, neurons)};
    } else if (source.kind == NodeKind::kAffine) {
      made.bias = Gather(source.bias, neurons);
      for (const AffineTerm& term : source.terms) made.terms.push_back(BuildTerm(id, term, neurons));
    }
    new_id_[static_cast<size_t>(id)] = Append(std::move(made), id, neurons);
  }

  AffineTerm BuildTerm(NodeId id, const AffineTerm& term, const std::vector<int32_t>& neurons) {
    const Need& need = need_[static_cast<size_t>(id)];
    const NodeId predecessor = new_id_[static_cast<size_t>(term.predecessor)];
    if (need.whole) return {predecessor, term.map};
    if (const auto* m = std::get_if<ConvMap>(term.map.get()); m != nullptr && !m->transposed) {
      const ImageRect wanted = BigRect(*m, need.rect);
      ConvMap cut = *m;
      cut.big_h = wanted.bottom - wanted.top, cut.big_w = wanted.right - wanted.left;
      cut.small_h = need.rect.bottom - need.rect.top, cut.small_w = need.rect.right - need.rect.left;
      cut.pad_top = m->pad_top + wanted.top - need.rect.top * m->stride_h;
      cut.pad_left = m->pad_left + wanted.left - need.rect.left * m->stride_w;
      return {Crop(term.predecessor, wanted), std::make_shared<LinearMap>(std::move(cut))};
    }
    if (std::holds_alternative<IdentityMap>(*term.map)) {
      return {Crop(term.predecessor, need.rect),
              std::make_shared<LinearMap>(IdentityMap{static_cast<int64_t>(neurons.size())})};
    }
    if (const auto* m = std::get_if<ScaleMap>(term.map.get())) {
      return {Crop(term.predecessor, need.rect),
              std::make_shared<LinearMap>(ScaleMap{Gather(m->scale, neurons)})};
    }
    return {predecessor, std::make_shared<LinearMap>(SelectRows(*term.map, neurons))};
  }

  // The predecessor's rectangle itself, or an index map that cuts `wanted` out of a larger one.
  NodeId Crop(NodeId id, const ImageRect& wanted) {
    const Need& need = need_[static_cast<size_t>(id)];
    const NodeId built = new_id_[static_cast<size_t>(id)];
    if (!need.whole && need.rect == wanted) return built;
    const ImageRect have = need.whole ? ImageRect{0, need.image.h, 0, need.image.w} : need.rect;
    const ImageShape local{have.bottom - have.top, have.right - have.left, need.image.c};
    SparseMap cut;
    cut.column = Indices(local, {wanted.top - have.top, wanted.bottom - have.top, wanted.left - have.left,
                                 wanted.right - have.left});
    cut.rows = static_cast<int64_t>(cut.column.size());
    cut.cols = cone_.network.nodes[static_cast<size_t>(built)].size;
    cut.value.assign(cut.column.size(), 1.0);
    cut.row_begin.resize(cut.column.size() + 1);
    std::iota(cut.row_begin.begin(), cut.row_begin.end(), 0);
    NetworkNode made;
    made.kind = NodeKind::kAffine;
    made.name = node(id).name + "/crop";
    made.size = cut.rows;
    made.bias.assign(static_cast<size_t>(cut.rows), 0.0);
    made.terms = {{built, std::make_shared<LinearMap>(std::move(cut))}};
    return Append(std::move(made), -1, {});
  }

  // Rows of a dense or sparse map over its whole input.
  static LinearMap SelectRows(const LinearMap& map, const std::vector<int32_t>& rows) {
    if (const auto* m = std::get_if<DenseMap>(&map)) {
      DenseMap cut{static_cast<int64_t>(rows.size()), m->cols, {}};
      cut.weights.reserve(rows.size() * static_cast<size_t>(m->cols));
      for (int32_t r : rows) {
        const auto begin = m->weights.begin() + r * m->cols;
        cut.weights.insert(cut.weights.end(), begin, begin + m->cols);
      }
      return cut;
    }
    const auto& m = std::get<SparseMap>(map);
    SparseMap cut{static_cast<int64_t>(rows.size()), m.cols, {0}, {}, {}};
    for (int32_t r : rows) {
      for (int64_t k = m.row_begin[static_cast<size_t>(r)]; k < m.row_begin[static_cast<size_t>(r) + 1];
           ++k) {
        cut.column.push_back(m.column[static_cast<size_t>(k)]);
        cut.value.push_back(m.value[static_cast<size_t>(k)]);
      }
      cut.row_begin.push_back(static_cast<int64_t>(cut.column.size()));
    }
    return cut;
  }

  const Network& network_;
  std::vector<Need> need_;
  std::vector<NodeId> new_id_;
  bool possible_ = true;
  Cone cone_;
};

}  // namespace

std::vector<double> Gather(const std::vector<double>& from, const std::vector<int32_t>& at) {
  std::vector<double> to;
  to.reserve(at.size());
  for (int32_t i : at) to.push_back(from[static_cast<size_t>(i)]);
  return to;
}

ImageShape ShapeOfNode(const Network& network, NodeId id) {
  const NetworkNode& node = network.nodes[static_cast<size_t>(id)];
  if (node.image.c > 0) return node.image;
  for (const AffineTerm& term : node.terms) {
    const auto* m = std::get_if<ConvMap>(term.map.get());
    if (m == nullptr) continue;
    return m->transposed ? ImageShape{m->big_h, m->big_w, m->big_c}
                         : ImageShape{m->small_h, m->small_w, m->small_c};
  }
  return {};
}

std::optional<Cone> ExtractCone(const Network& network, NodeId start, const ImageShape& image,
                                const ImageRect& rect) {
  return Extraction(network).Run(start, image, rect);
}

}  // namespace espalier::ir
