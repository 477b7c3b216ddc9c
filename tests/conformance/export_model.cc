// export_model MODEL.onnx OUT.onnx: loads, lowers and writes the model, loads that again, and so on until
// nothing changes any more. That is the first round where all coefficients are float32 numbers; rounding the
// others makes one round more, two where they then fold further.
//
// Exit: 0 written, 2 the model cannot be lowered or written (reasons on stderr), 1 anything else, a network
// that still changes in the third round included.
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
  constexpr int kRounds = 3;
  ESPALIER_ASSIGN_OR_RETURN(Loaded current, Load(espalier::test_support::ReadFile(in)));
  for (int round = 1; round <= kRounds; ++round) {
    ESPALIER_ASSIGN_OR_RETURN(const std::string bytes,
                              espalier::formats::WriteOnnx(current.network, current.settings));
    if (round == 1) std::ofstream(out, std::ios::binary) << bytes;
    absl::StatusOr<Loaded> again = Load(bytes);
    if (!again.ok()) return absl::InternalError(again.status().ToString());
    const std::string change = espalier::testing::NetworkDifference(current.network, again->network);
    if (change.empty()) {
      std::cout << "same network after round " << round << "\n";
      return absl::OkStatus();
    }
    std::cout << "round " << round << " changes " << change << "; ";
    current = *std::move(again);
  }
  return absl::InternalError("further rounds still change the network");
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
