// ONNX's own node tests (Debian's libonnx-testdata): each one either agrees with its expected output or is
// refused with a reason. The test prints how many passed and how many were refused, and why; none may
// disagree or crash.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "tests/support/test_files.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/formats/onnx_tensor.h"
#include "verifier/ops/ops.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

using test_support::ReadFile;

constexpr char kNodeTests[] = "/usr/share/libonnx-testdata/data/node";
constexpr double kRelative = 1e-5;
constexpr double kAbsolute = 1e-6;
constexpr int64_t kMaxElements = 1 << 24;

enum class Outcome { kPassed, kRefused, kFailed };
struct Result {
  Outcome outcome;
  std::string detail;
};

// Refusals must carry a code that says so and a reason; anything else is a failure.
Result FromStatus(const absl::Status& status) {
  const bool refusal = status.code() == absl::StatusCode::kUnimplemented && !status.message().empty();
  return {refusal ? Outcome::kRefused : Outcome::kFailed, std::string(status.message())};
}

std::string Difference(const Tensor& actual, const Tensor& expected) {
  if (actual.shape != expected.shape) {
    return absl::StrCat("shape ", ShapeToString(actual.shape), " instead of ", ShapeToString(expected.shape));
  }
  if (actual.type != expected.type) {
    return absl::StrCat("type ", ElementTypeName(actual.type), " instead of ",
                        ElementTypeName(expected.type));
  }
  const bool exact = actual.type != ElementType::kFloat32 && actual.type != ElementType::kFloat64;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double a = actual.AsDouble(i), e = expected.AsDouble(i);
    if (std::isnan(a) && std::isnan(e)) continue;
    const double allowed = exact ? 0 : kAbsolute + kRelative * std::abs(e);
    if (a != e && !(std::abs(a - e) <= allowed))
      return absl::StrCat("element ", i, ": ", a, " instead of ", e);
  }
  return "";
}

// Reads <prefix>_0.pb, <prefix>_1.pb, ... of one data set.
absl::StatusOr<std::vector<Tensor>> ReadTensors(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / absl::StrCat(prefix, "_", i, ".pb");
    if (!fs::exists(path)) return tensors;
    auto tensor = formats::ReadTensorBytes(ReadFile(path), kMaxElements);
    if (!tensor.ok()) return tensor.status();
    tensors.push_back(*std::move(tensor));
  }
}

// Turns the graph inputs from `first` on into constants: shapes, axes, bounds and the like stand in these
// models as inputs, where real models have initialisers.
void BindInputs(ir::Graph& graph, const std::vector<Tensor>& inputs, size_t first) {
  for (size_t i = first; i < graph.inputs.size() && i < inputs.size(); ++i) {
    ir::GraphValue& value = graph.values[static_cast<size_t>(graph.inputs[i])];
    value.type = inputs[i].type;
    value.shape = inputs[i].shape;
    value.constant = inputs[i];
  }
  graph.inputs.resize(std::min(first, graph.inputs.size()));
}

Result RunDataSet(ir::Graph graph, const fs::path& folder, size_t free_inputs) {
  if (free_inputs < graph.inputs.size()) {
    auto bound = ReadTensors(folder, "input");
    if (!bound.ok()) return FromStatus(bound.status());
    BindInputs(graph, *bound, free_inputs);
  }
  const auto unsupported = ops::Prepare(graph);
  if (!unsupported.ok()) return FromStatus(unsupported.status());
  if (!unsupported->empty()) {
    const auto& first = unsupported->front();
    const bool named = !first.op.empty() && !first.reason.empty() && !first.node.empty();
    return {named ? Outcome::kRefused : Outcome::kFailed, absl::StrCat(first.op, ": ", first.reason)};
  }
  auto data = ReadTensors(folder, "input");
  const auto expected = ReadTensors(folder, "output");
  if (!data.ok()) return FromStatus(data.status());
  if (!expected.ok()) return FromStatus(expected.status());
  data->resize(graph.inputs.size());
  const auto actual = ops::Evaluate(graph, *data, ops::Precision::kModel);
  if (!actual.ok()) return FromStatus(actual.status());
  auto wide = ops::Evaluate(graph, *data, ops::Precision::kFloat64);
  if (!wide.ok()) return FromStatus(wide.status());
  if (actual->size() != expected->size()) return {Outcome::kFailed, "the number of outputs differs"};
  for (size_t i = 0; i < expected->size(); ++i) {
    std::string difference = Difference((*actual)[i], (*expected)[i]);
    if (!difference.empty()) return {Outcome::kFailed, absl::StrCat("output ", i, ": ", difference)};
    (*wide)[i].type = (*expected)[i].type;  // float32 results come back as float64
    difference = Difference((*wide)[i], (*expected)[i]);
    if (!difference.empty())
      return {Outcome::kFailed, absl::StrCat("in float64, output ", i, ": ", difference)};
  }
  return {Outcome::kPassed, ""};
}

// The graph's invariant: shapes are positive. Some node tests feed empty tensors.
bool FeedsEmptyTensor(const fs::path& folder) {
  const auto inputs = ReadTensors(folder / "test_data_set_0", "input");
  return inputs.ok() && !inputs->empty() && inputs->front().size() == 0;
}

Result RunNodeTest(const fs::path& folder, size_t free_inputs) {
  const auto graph = formats::ReadOnnx(ReadFile(folder / "model.onnx"));
  if (!graph.ok()) return FromStatus(graph.status());
  Result result{Outcome::kFailed, "it has no data set"};
  for (int set = 0; fs::exists(folder / absl::StrCat("test_data_set_", set)); ++set) {
    result = RunDataSet(*graph, folder / absl::StrCat("test_data_set_", set), free_inputs);
    if (result.outcome != Outcome::kPassed) return result;
  }
  return result;
}

// As the model stands; else, where it asks for constants, with all inputs but the first bound; else with all
// bound.
Result RunWithConstants(const fs::path& folder, bool& bound) {
  Result result = RunNodeTest(folder, std::numeric_limits<size_t>::max());
  for (const size_t free_inputs : {size_t{1}, size_t{0}}) {
    if (result.outcome != Outcome::kRefused || result.detail.find("must be constant") == std::string::npos)
      break;
    bound = true;
    if (free_inputs == 1 && FeedsEmptyTensor(folder)) return {Outcome::kRefused, "Input: it is empty"};
    result = RunNodeTest(folder, free_inputs);
  }
  return result;
}

TEST(OnnxNodes, EveryNodeTestAgreesOrIsRefusedByName) {
  if (!fs::exists(kNodeTests)) GTEST_SKIP() << "libonnx-testdata is not installed";
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(kNodeTests)) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  int passed = 0, refused = 0, passed_bound = 0;
  std::map<std::string, std::vector<std::string>> reasons;
  for (const fs::path& folder : folders) {
    bool bound = false;
    const Result result = RunWithConstants(folder, bound);
    if (result.outcome == Outcome::kFailed) ADD_FAILURE() << folder.filename() << ": " << result.detail;
    if (result.outcome == Outcome::kPassed) {
      ++passed;
      passed_bound += bound ? 1 : 0;
    }
    if (result.outcome == Outcome::kRefused) {
      ++refused;
      reasons[result.detail].push_back(folder.filename());
    }
  }
  for (const auto& [reason, tests] : reasons)
    std::cout << tests.size() << "  " << reason << "  " << tests[0] << "\n";
  std::cout << "node tests: " << passed << " passed (" << passed_bound
            << " with parameters bound as constants), " << refused << " refused, "
            << folders.size() - static_cast<size_t>(passed + refused) << " failed, of " << folders.size()
            << "\n";
  // A floor, so that an operator that silently stops being supported is noticed.
  EXPECT_GE(passed, 282);
}

}  // namespace
}  // namespace espalier
