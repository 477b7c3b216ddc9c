// Every network of ../shared/bench that can be lowered computes the same after lowering, and grafted ones
// keep exactly the neurons that their masks leave. Skipped without that folder. With ESPALIER_PRINT_NETWORKS
// set, prints every network's nodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_join.h"
#include "tests/support/test_files.h"
#include "tests/unit/ops/lower_graphs.h"
#include "verifier/formats/onnx_reader.h"

namespace espalier::ops {
namespace {

namespace fs = std::filesystem;

fs::path BenchFolder() {
  return test_support::SharedFolder() / "bench";
}

absl::StatusOr<ir::Graph> ReadModel(const fs::path& path) {
  auto graph = formats::ReadOnnx(test_support::ReadFile(path));
  if (!graph.ok()) return graph;
  const auto unsupported = Prepare(*graph);
  if (!unsupported.ok()) return unsupported.status();
  if (!unsupported->empty()) return absl::UnimplementedError(unsupported->front().reason);
  return graph;
}

void Print(const std::string& name, const ir::Network& network) {
  std::cout << "== " << name << "\n";
  const std::vector<std::string> outline = Outline(network);
  for (size_t i = 0; i < outline.size(); ++i) {
    const ir::NetworkNode& node = network.nodes[i];
    std::cout << "  " << i << " " << outline[i] << " " << node.size;
    if (node.image.c > 0)
      std::cout << " [" << node.image.h << "x" << node.image.w << "x" << node.image.c << "]";
    if (node.kind == ir::NodeKind::kActivation) {
      std::cout << " hinges " << ir::CountHinges(node.hinge) << " grafted " << ir::CountGrafted(node.hinge);
    }
    std::cout << " '" << node.name << "'\n";
  }
}

int64_t CountActivations(const ir::Network& network) {
  return std::count_if(network.nodes.begin(), network.nodes.end(),
                       [](const ir::NetworkNode& n) { return n.kind == ir::NodeKind::kActivation; });
}

TEST(LoweringBench, KeepsEveryFunction) {
  if (!fs::exists(BenchFolder())) GTEST_SKIP() << BenchFolder() << " is absent";
  std::vector<fs::path> models;
  for (const auto& entry : fs::recursive_directory_iterator(BenchFolder())) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  int lowered = 0;
  for (const fs::path& path : models) {
    SCOPED_TRACE(path.string());
    const auto graph = ReadModel(path);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto network = Lower(*graph);
    if (!network.ok()) {
      EXPECT_EQ(network.status().code(), absl::StatusCode::kUnimplemented) << network.status();
      std::cout << path.filename().string() << ": " << network.status().message() << "\n";
      continue;
    }
    ++lowered;
    EXPECT_TRUE(ir::CheckNetwork(*network).ok()) << ir::CheckNetwork(*network);
    EXPECT_LE(LargestError(*graph, *network, 1), 1e-9);
    if (std::getenv("ESPALIER_PRINT_NETWORKS")) Print(path.filename().string(), *network);
  }
  EXPECT_GE(lowered, 70) << "of " << models.size();
}

// Grafted neurons per activation layer, checked in both spellings.
void ExpectGrafts(const std::string& folder, const std::string& model, int64_t hinges, int64_t grafted,
                  int64_t activations) {
  if (!fs::exists(BenchFolder() / folder)) GTEST_SKIP() << folder << " is absent";
  for (const char* spelling : {"", "_where"}) {
    SCOPED_TRACE(spelling);
    const auto graph = ReadModel(BenchFolder() / folder / (model + spelling + ".onnx"));
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto network = Lower(*graph);
    ASSERT_TRUE(network.ok()) << network.status();
    int64_t hinge_count = 0, graft_count = 0;
    for (const ir::NetworkNode& node : network->nodes) {
      hinge_count += ir::CountHinges(node.hinge);
      graft_count += ir::CountGrafted(node.hinge);
    }
    EXPECT_EQ(CountActivations(*network), activations);
    EXPECT_EQ(network->nodes.size(), static_cast<size_t>(2 * activations + 2))
        << "input, output, pairs between";
    EXPECT_EQ(graft_count, grafted);
    EXPECT_EQ(hinge_count, hinges);
  }
}

TEST(LoweringBench, CnnBGraftsInBothSpellings) {
  ExpectGrafts("graft_cnn_b", "cnnb_graft50", 8317, 8317, 3);
}

TEST(LoweringBench, DigitsGraftsInBothSpellings) {
  ExpectGrafts("graft_digits", "digits_graft50", 64, 64, 2);
}

}  // namespace
}  // namespace espalier::ops
