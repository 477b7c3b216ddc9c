// An ONNX model under construction: operators with one output each, and their constants. Names are
// "<operator>_<number>" ("conv_1") and "<role>_<number>" ("weight_1"), numbered from 1 in order of addition.
//
//   OnnxBuilder builder({"X", "Y"});  // names that are taken
//   std::string w = builder.Floats("weight", {10, 64}, weights);
//   std::string y = builder.Add("Gemm", {"X", w}, {{"transB", int64_t{1}}});
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verifier/base/tensor.h"
#include "verifier/formats/onnx_proto.h"

namespace espalier::formats {

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

class OnnxBuilder {
 public:
  explicit OnnxBuilder(std::set<std::string> taken) : taken_(std::move(taken)) {}

  // Appends a node; returns the name of its output.
  std::string Add(std::string_view op, const std::vector<std::string>& inputs,
                  const std::vector<OnnxAttribute>& attributes = {});
  std::string Floats(std::string_view role, const Shape& shape, const std::vector<float>& values);
  std::string Ints(std::string_view role, const std::vector<int64_t>& values);

  // x viewed as [batch, shape...]; as [batch, all the rest] for Flat.
  std::string Reshaped(const std::string& x, const Shape& shape);
  std::string Flat(const std::string& x);
  std::string Transposed(const std::string& x, const std::vector<int64_t>& order);

  // Gives the last node's output another name. Requires: there is a node, and nothing reads it yet.
  void NameLastOutput(const std::string& name);
  bool IsLastOutput(const std::string& name) const;

  onnx::ModelProto& model() { return model_; }

 private:
  std::string NewName(std::string_view stem);

  onnx::ModelProto model_;
  std::set<std::string> taken_;
  std::map<std::string, int, std::less<>> count_;
};

}  // namespace espalier::formats
