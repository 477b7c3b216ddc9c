// One case of the reference bounds that lie beside the project (../shared/refbounds; its README.md names the
// arrays): a network, a box, linear output rows, and what another library computed for them in float64.
//
//   ReferenceCase reference;
//   if (!LoadReferenceCase("oval21_base", reference)) GTEST_SKIP() << "no reference bounds here";
#pragma once

#include <map>
#include <string>
#include <vector>

#include "verifier/verifier.h"

namespace espalier::testing {

struct ReferenceCase {
  std::string name;
  std::string npz;                        // bytes of the archive
  std::vector<std::string> arrays;        // its entries
  std::map<std::string, double> seconds;  // processor seconds per method, as recorded
  std::string onnx;                       // bytes of the model
  api::Property property;                 // disjunct r: row r; disjunct rows + r: its negation
  size_t rows = 0;

  bool Has(const std::string& array) const;
  // The array's values, flat. Fails the current test when there is none.
  std::vector<double> Array(const std::string& array) const;
  // Indices i with arrays pre_lower_i, in order.
  std::vector<int> Layers() const;
};

// False when the reference folder or the model is absent.
bool LoadReferenceCase(const std::string& name, ReferenceCase& reference);

}  // namespace espalier::testing
