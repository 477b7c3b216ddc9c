// export_model MODEL.onnx OUT.onnx: loads, lowers and writes the model, loads that again and writes it once
// more. Prints how the networks compare, in two words: "same" or "close" for the first round (close: only
// after rounding to float32 or in another form), then "fixed" when the second round changed nothing.
//
// Exit: 0 written, 2 the model cannot be lowered or written (reasons on stderr), 1 anything else, a second
// round that is no fixed point included.
#include <fstream>
#include <iostream>
#include <string>

#include "tests/conformance/export_compare.h"
#include "tests/support/test_files.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/ops/ops.h"

namespace {

using espalier::ir::Graph;
using espalier::ir::GraphValue;
using espalier::ir::Network;

struct Loaded {
  Network network;
  espalier::formats::WriteSettings settings;
};

absl::StatusOr<Loaded> Load(const std::string& bytes) {
  ESPALIER_ASSIGN_OR_RETURN(Graph graph, espalier::formats::ReadOnnx(bytes));
  ESPALIER_ASSIGN_OR_RETURN(const auto unsupported, espalier::ops::Prepare(graph));
  if (!unsupported.empty()) return absl::UnimplementedError(unsupported.front().reason);
  Loaded loaded;
  ESPALIER_ASSIGN_OR_RETURN(loaded.network, espalier::ops::Lower(graph));
  const GraphValue& input = graph.values[static_cast<size_t>(graph.inputs[0])];
  const GraphValue& output = graph.values[static_cast<size_t>(graph.outputs[0])];
  loaded.settings = {input.name, *input.shape, output.name, *output.shape, graph.name, "test"};
  return loaded;
}

absl::Status Run(const char* in, const char* out) {
  ESPALIER_ASSIGN_OR_RETURN(const Loaded original, Load(espalier::test_support::ReadFile(in)));
  ESPALIER_ASSIGN_OR_RETURN(const std::string first,
                            espalier::formats::WriteOnnx(original.network, original.settings));
  std::ofstream(out, std::ios::binary) << first;
  const auto again = Load(first);
  if (!again.ok()) return absl::InternalError(again.status().ToString());
  ESPALIER_ASSIGN_OR_RETURN(const std::string second,
                            espalier::formats::WriteOnnx(again->network, again->settings));
  const auto last = Load(second);
  if (!last.ok()) return absl::InternalError(last.status().ToString());
  const std::string change = espalier::testing::NetworkDifference(original.network, again->network);
  const std::string further = espalier::testing::NetworkDifference(again->network, last->network);
  std::cout << (change.empty() ? "same" : "close: " + change) << (second == first ? ", same bytes" : "")
            << (further.empty() ? ", fixed" : ", NOT FIXED: " + further) << "\n";
  return further.empty() ? absl::OkStatus() : absl::InternalError("the second round is no fixed point");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: export_model MODEL.onnx OUT.onnx\n";
    return 1;
  }
  const absl::Status status = Run(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return status.code() == absl::StatusCode::kUnimplemented ? 2 : 1;
}
