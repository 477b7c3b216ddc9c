// Any text is a property or an error; a property keeps its invariants.
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"
#include "verifier/formats/vnnlib_reader.h"

namespace {

// The fuzzer's way of failing: a crash with a stack.
void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckProperty(const espalier::api::Property& property) {
  for (const espalier::api::Box& box : property.boxes) {
    Require(static_cast<int64_t>(box.lower.size()) == property.input_size &&
            box.lower.size() == box.upper.size());
    for (size_t i = 0; i < box.lower.size(); ++i) {
      Require(std::isfinite(box.lower[i]) && std::isfinite(box.upper[i]) && box.lower[i] <= box.upper[i]);
    }
  }
  for (const espalier::api::Disjunct& disjunct : property.disjuncts) {
    Require(disjunct.box >= 0 && static_cast<size_t>(disjunct.box) < property.boxes.size());
    for (const espalier::api::LinearRow& row : disjunct.rows) {
      Require(std::isfinite(row.rhs) && !(row.input.empty() && row.output.empty()));
      for (const auto& [index, coefficient] : row.input) {
        Require(index >= 0 && index < property.input_size && std::isfinite(coefficient));
      }
      for (const auto& [index, coefficient] : row.output) {
        Require(index >= 0 && index < property.output_size && std::isfinite(coefficient));
      }
    }
  }
  Require(!property.disjuncts.empty() || !property.warnings.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  espalier::formats::VnnlibLimits limits;
  limits.max_disjuncts = 2'000;
  limits.max_numbers = 200'000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto property = espalier::formats::ReadVnnlib(text, 2, 2, limits);
  if (property.ok()) CheckProperty(*property);
  return 0;
}
