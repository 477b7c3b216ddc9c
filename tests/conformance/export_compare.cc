#include "tests/conformance/export_compare.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/ir/entries.h"

namespace espalier::testing {
namespace {

using ir::ConvMap;
using ir::LinearMap;

auto Geometry(const ConvMap& m) {
  return std::tie(m.big_h, m.big_w, m.big_c, m.small_h, m.small_w, m.small_c, m.kernel_h, m.kernel_w,
                  m.stride_h, m.stride_w, m.pad_top, m.pad_left, m.dilation_h, m.dilation_w, m.transposed,
                  m.kernel);
}

bool SameMap(const LinearMap& a, const LinearMap& b) {
  if (const auto* m = std::get_if<ir::IdentityMap>(&a)) return m->size == std::get<ir::IdentityMap>(b).size;
  if (const auto* m = std::get_if<ir::ScaleMap>(&a)) return m->scale == std::get<ir::ScaleMap>(b).scale;
  if (const auto* m = std::get_if<ir::DenseMap>(&a)) {
    const auto& n = std::get<ir::DenseMap>(b);
    return m->rows == n.rows && m->cols == n.cols && m->weights == n.weights;
  }
  if (const auto* m = std::get_if<ConvMap>(&a)) return Geometry(*m) == Geometry(std::get<ConvMap>(b));
  const auto &m = std::get<ir::SparseMap>(a), &n = std::get<ir::SparseMap>(b);
  return m.rows == n.rows && m.cols == n.cols && m.row_begin == n.row_begin && m.column == n.column &&
         m.value == n.value;
}

using Entry = std::tuple<int64_t, int64_t, double>;

std::vector<Entry> EntriesByOnnxInput(const LinearMap& map, const std::vector<int64_t>& order) {
  std::vector<Entry> entries;
  ir::ForEachEntry(map, [&](double value, int64_t row, int64_t column) {
    if (value != 0) entries.emplace_back(row, order[static_cast<size_t>(column)], value);
  });
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::string NodeDifference(const ir::Network& a, const ir::Network& b, size_t i) {
  const ir::NetworkNode &x = a.nodes[i], &y = b.nodes[i];
  if (x.kind != y.kind || x.size != y.size) return absl::StrCat("kind or size ", x.size, " / ", y.size);
  if (x.kind == ir::NodeKind::kActivation) {
    if (x.predecessor != y.predecessor) return "predecessor";
    if (x.hinge.left != y.hinge.left) return "left slopes";
    if (x.hinge.right != y.hinge.right) return "right slopes";
    return x.hinge.intercept == y.hinge.intercept ? "" : "intercepts";
  }
  if (x.bias != y.bias) return "bias";
  if (x.terms.size() != y.terms.size()) return absl::StrCat("terms ", x.terms.size(), " / ", y.terms.size());
  for (size_t t = 0; t < x.terms.size(); ++t) {
    const ir::AffineTerm &s = x.terms[t], &u = y.terms[t];
    if (s.predecessor != u.predecessor) return absl::StrCat("predecessor of term ", t);
    if (s.predecessor == 0 && a.input_order != b.input_order) {
      const bool same =
          EntriesByOnnxInput(*s.map, a.input_order) == EntriesByOnnxInput(*u.map, b.input_order);
      if (!same) return absl::StrCat("map from the input, term ", t);
      continue;
    }
    if (s.map->index() != u.map->index()) {
      return absl::StrCat("form of map ", t, ": ", s.map->index(), " / ", u.map->index());
    }
    if (!SameMap(*s.map, *u.map)) return absl::StrCat("coefficients of map ", t);
  }
  return "";
}

}  // namespace

std::string NetworkDifference(const ir::Network& a, const ir::Network& b) {
  if (a.nodes.size() != b.nodes.size() || a.output != b.output) {
    return absl::StrCat(a.nodes.size(), " / ", b.nodes.size(), " nodes");
  }
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    const std::string what = NodeDifference(a, b, i);
    if (!what.empty()) return absl::StrCat("node ", i, " ('", a.nodes[i].name, "'): ", what);
  }
  return "";
}

}  // namespace espalier::testing
