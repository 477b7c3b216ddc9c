// Any bytes are a model or an error; a model can be prepared, evaluated and lowered, or says why not.
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "verifier/base/tensor.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/ops/ops.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace espalier;
  formats::OnnxLimits limits;
  limits.elements = 100'000;
  limits.nodes = 1'000;
  absl::StatusOr<ir::Graph> graph =
      formats::ReadOnnx(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (!graph.ok()) return 0;
  const absl::StatusOr<std::vector<ir::UnsupportedNode>> unsupported = ops::Prepare(*graph);
  if (!unsupported.ok() || !unsupported->empty()) return 0;
  // Prepare promises the shape of everything that is computed. Values that nothing computes or reads may lack
  // one.
  int64_t elements = 0;
  for (const ir::GraphNode& node : graph->nodes) {
    for (const std::vector<ir::ValueId>& side : {node.inputs, node.outputs}) {
      for (const ir::ValueId id : side) {
        if (id == ir::kNoValue) continue;
        const std::optional<Shape>& shape = graph->values[static_cast<size_t>(id)].shape;
        if (!shape.has_value()) std::abort();
        elements += ElementCount(*shape).value_or(0);
      }
    }
  }
  // A flipped bit may make a dimension large: allowed, but not what is looked for here.
  if (elements > 1'000'000) return 0;
  if (graph->inputs.size() == 1) {
    const Shape& shape = *graph->values[static_cast<size_t>(graph->inputs[0])].shape;
    const std::vector<double> input(static_cast<size_t>(ElementCount(shape).value_or(0)), 0.5);
    (void)ops::EvaluateFlat(*graph, input, ops::Precision::kModel);
    (void)ops::EvaluateFlat(*graph, input, ops::Precision::kFloat64);
  }
  const absl::StatusOr<ir::Network> network = ops::Lower(*graph);
  if (network.ok() && !ir::CheckNetwork(*network).ok()) std::abort();
  return 0;
}
