// Builders of VNN-LIB texts for tests.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace espalier::formats {

// "(declare-const X_0 Real) ..." for all inputs and outputs.
inline std::string Declarations(int inputs, int outputs) {
  std::string text;
  for (int i = 0; i < inputs; ++i) absl::StrAppend(&text, "(declare-const X_", i, " Real)\n");
  for (int i = 0; i < outputs; ++i) absl::StrAppend(&text, "(declare-const Y_", i, " Real)\n");
  return text;
}

// lower <= X_i <= upper for all inputs, one assert per bound.
inline std::string BoxAsserts(int inputs, std::string_view lower, std::string_view upper) {
  std::string text;
  const absl::string_view low(lower.data(), lower.size()), high(upper.data(), upper.size());
  for (int i = 0; i < inputs; ++i) {
    absl::StrAppend(&text, "(assert (>= X_", i, " ", low, "))\n(assert (<= X_", i, " ", high, "))\n");
  }
  return text;
}

inline std::string Repeat(std::string_view piece, int times) {
  std::string text;
  text.reserve(piece.size() * static_cast<size_t>(times));
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

}  // namespace espalier::formats
