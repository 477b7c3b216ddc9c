// Property: the *unsafe set* of a query. The property holds (unsat) when no input reaches it.
//
//   unsafe = OR over disjuncts d:  x in boxes[d.box]  AND  for every row r: input_r . x + output_r . y <=
//   rhs_r
//
// Inputs and outputs are flat in ONNX (row-major) order. Box bounds and constants are the file's decimals as
// double. A disjunct is refuted when no point of its box satisfies all its rows; the query is unsat when
// every disjunct is refuted. No disjuncts at all (a contradictory query) is unsat.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace espalier::api {

struct Box {
  std::vector<double> lower, upper;  // one per input, lower <= upper, finite
  // Bounds that the file states with < or >. Empty: none; else one byte per input, bit 0 the lower, bit 1 the
  // upper bound. Only a witness has to care: what holds on the closed box holds on the open one.
  std::vector<uint8_t> open = {};
};

// sum input[k].second * x[input[k].first] + sum output[k].second * y[output[k].first] <= rhs
struct LinearRow {
  std::vector<std::pair<int32_t, double>> input;
  std::vector<std::pair<int32_t, double>> output;
  double rhs = 0;
  bool strict = false;  // the file says <: a witness must satisfy it strictly, a refutation need not care
};

struct Disjunct {
  int32_t box = 0;              // index into Property::boxes
  std::vector<LinearRow> rows;  // all must hold; none: the whole box is unsafe
};

struct Property {
  int64_t input_size = 0;
  int64_t output_size = 0;
  std::vector<Box> boxes;
  std::vector<Disjunct> disjuncts;
  std::vector<std::string> warnings;  // e.g. "input set is empty"
};

}  // namespace espalier::api
