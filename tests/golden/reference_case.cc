#include "tests/golden/reference_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/test_files.h"
#include "verifier/formats/npy_reader.h"

namespace espalier::testing {
namespace {

namespace fs = std::filesystem;
using test_support::ReadFile;
using test_support::SharedFolder;

api::LinearRow RowOf(const std::vector<double>& c, size_t row, size_t outputs, double sign) {
  api::LinearRow linear;
  for (size_t j = 0; j < outputs; ++j) {
    const double value = c[row * outputs + j];
    if (value != 0) linear.output.emplace_back(static_cast<int32_t>(j), sign * value);
  }
  return linear;
}

api::Property MakeProperty(const ReferenceCase& reference) {
  api::Property property;
  api::Box box{reference.Array("input_lower"), reference.Array("input_upper")};
  property.input_size = static_cast<int64_t>(box.lower.size());
  property.boxes.push_back(std::move(box));
  const std::vector<double> c = reference.Array("C");
  const size_t outputs = c.size() / reference.rows;
  property.output_size = static_cast<int64_t>(outputs);
  for (double sign : {1.0, -1.0}) {
    for (size_t r = 0; r < reference.rows; ++r)
      property.disjuncts.push_back({0, {RowOf(c, r, outputs, sign)}});
  }
  return property;
}

}  // namespace

bool ReferenceCase::Has(const std::string& array) const {
  return std::find(arrays.begin(), arrays.end(), array) != arrays.end();
}

std::vector<double> ReferenceCase::Array(const std::string& array) const {
  const auto tensor = formats::ReadNpzEntry(npz, array);
  EXPECT_TRUE(tensor.ok()) << name << ": " << array << ": " << tensor.status();
  return tensor.ok() ? tensor->ToDoubles() : std::vector<double>{};
}

std::vector<int> ReferenceCase::Layers() const {
  std::vector<int> layers;
  for (int i = 0; i < static_cast<int>(arrays.size()); ++i) {
    if (Has("pre_lower_" + std::to_string(i))) layers.push_back(i);
  }
  return layers;
}

bool LoadReferenceCase(const std::string& name, ReferenceCase& reference) {
  const fs::path folder = SharedFolder() / "refbounds";
  if (!fs::exists(folder / "index.json")) return false;
  const nlohmann::json index =
      nlohmann::json::parse(ReadFile(folder / "index.json"), nullptr, /*exceptions=*/false);
  if (index.is_discarded()) return false;
  for (const auto& entry : index["cases"]) {
    if (entry["case"] != name) continue;
    reference.name = name;
    reference.onnx = ReadFile(folder / entry["onnx"].get<std::string>());
    reference.npz = ReadFile(folder / entry["npz"].get<std::string>());
    if (reference.onnx.empty() || reference.npz.empty()) return false;
    for (const auto& [method, seconds] : entry["seconds"].items()) {
      if (seconds.contains("cpu")) reference.seconds[method] = seconds["cpu"].get<double>();
    }
    const auto arrays = formats::ListNpz(reference.npz);
    EXPECT_TRUE(arrays.ok()) << arrays.status();
    if (arrays.ok()) reference.arrays = *arrays;
    reference.rows = reference.Array("rhs").size();
    reference.property = MakeProperty(reference);
    return true;
  }
  return false;
}

}  // namespace espalier::testing
