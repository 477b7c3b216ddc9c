#include <variant>

#include "verifier/search/frontier.h"

namespace espalier::search {
namespace {

using base::Fingerprint;

struct AddMap {
  Fingerprint& print;
  void operator()(const ir::IdentityMap& map) const { print.Add(map.size); }
  void operator()(const ir::ScaleMap& map) const { print.Add(map.scale); }
  void operator()(const ir::DenseMap& map) const {
    print.Add(map.rows);
    print.Add(map.cols);
    print.Add(map.weights);
  }
  void operator()(const ir::ConvMap& map) const {
    for (const int64_t size :
         {map.big_h, map.big_w, map.big_c, map.small_h, map.small_w, map.small_c, map.kernel_h, map.kernel_w,
          map.stride_h, map.stride_w, map.pad_top, map.pad_left, map.dilation_h, map.dilation_w})
      print.Add(size);
    print.Add(int64_t{map.transposed});
    print.Add(map.kernel);
  }
  void operator()(const ir::SparseMap& map) const {
    print.Add(map.rows);
    print.Add(map.cols);
    print.Add(map.row_begin);
    print.Add(map.column);
    print.Add(map.value);
  }
};

void Add(const ir::NetworkNode& node, Fingerprint& print) {
  print.Add(static_cast<int64_t>(node.kind));
  print.Add(node.size);
  print.Add(static_cast<int64_t>(node.predecessor));
  print.Add(static_cast<uint64_t>(node.terms.size()));
  for (const ir::AffineTerm& term : node.terms) {
    print.Add(static_cast<int64_t>(term.predecessor));
    print.Add(static_cast<uint64_t>(term.map->index()));
    std::visit(AddMap{print}, *term.map);
    print.Add(term.roundings);
  }
  print.Add(node.bias);
  print.Add(node.bias_roundings);
  print.Add(node.hinge.left);
  print.Add(node.hinge.right);
  print.Add(node.hinge.intercept);
  print.Add(node.hinge.roundings);
}

}  // namespace

Fingerprint::Value FrontierKey(const Problem& problem, const ir::Network& network, std::string_view version) {
  Fingerprint print;
  print.Add(version);
  print.Add(static_cast<uint64_t>(network.nodes.size()));
  for (const ir::NetworkNode& node : network.nodes) Add(node, print);
  print.Add(static_cast<int64_t>(network.output));
  print.Add(network.input_order);
  print.Add(static_cast<uint64_t>(problem.boxes.size()));
  for (const api::Box& box : problem.boxes) {
    print.Add(box.lower);
    print.Add(box.upper);
  }
  print.Add(static_cast<uint64_t>(problem.targets.size()));
  for (const Target& target : problem.targets) {
    print.Add(target.disjunct);
    print.Add(target.box);
    print.Add(target.rows);
    print.Add(target.output);
    print.Add(target.input);
    print.Add(target.rhs);
  }
  return print.value();
}

}  // namespace espalier::search
