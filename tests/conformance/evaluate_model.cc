// evaluate_model MODEL.onnx INPUT OUTPUT [--float64]: runs the imported graph on one input. Both files hold
// raw float64 numbers: all graph inputs one after the other, and all outputs likewise. For comparison with
// ONNX Runtime.
//
// Exit: 0 done, 2 the model is refused (reasons on stderr), 1 anything else.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "tests/support/test_files.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/ops/ops.h"

namespace {

using espalier::test_support::ReadFile;

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return status.code() == absl::StatusCode::kUnimplemented ? 2 : 1;
}

// Cuts the flat numbers into one float64 tensor per graph input.
std::vector<espalier::Tensor> CutInputs(const espalier::ir::Graph& graph, const std::string& bytes) {
  std::vector<double> numbers(bytes.size() / sizeof(double));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(double));
  std::vector<espalier::Tensor> inputs;
  auto next = numbers.begin();
  for (espalier::ir::ValueId id : graph.inputs) {
    const espalier::Shape& shape = *graph.values[static_cast<size_t>(id)].shape;
    const int64_t size = *espalier::ElementCount(shape);
    if (numbers.end() - next < size) return {};
    inputs.push_back(espalier::Tensor::FromDoubles(shape, std::vector<double>(next, next + size)));
    next += size;
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: evaluate_model MODEL.onnx INPUT OUTPUT [--float64]\n";
    return 1;
  }
  auto graph = espalier::formats::ReadOnnx(ReadFile(argv[1]));
  if (!graph.ok()) return Fail(graph.status());
  const auto unsupported = espalier::ops::Prepare(*graph);
  if (!unsupported.ok()) return Fail(unsupported.status());
  for (const auto& node : *unsupported)
    std::cerr << node.node << " (" << node.op << "): " << node.reason << "\n";
  if (!unsupported->empty()) return 2;
  const bool wide = argc > 4 && std::string(argv[4]) == "--float64";
  const auto outputs =
      espalier::ops::Evaluate(*graph, CutInputs(*graph, ReadFile(argv[2])),
                              wide ? espalier::ops::Precision::kFloat64 : espalier::ops::Precision::kModel);
  if (!outputs.ok()) return Fail(outputs.status());
  std::ofstream out(argv[3], std::ios::binary);
  for (const espalier::Tensor& output : *outputs) {
    const std::vector<double> numbers = output.ToDoubles();
    out.write(reinterpret_cast<const char*>(numbers.data()),
              static_cast<std::streamsize>(numbers.size() * sizeof(double)));
  }
  return out.good() ? 0 : 1;
}
