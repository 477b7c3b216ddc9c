// The fields of an option struct by name: one list per struct, from which checking, reading and writing
// follow.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "verifier/api/options.h"

namespace espalier::api {

template <class Struct>
struct OptionField {
  OptionRow row;
  double (*get)(const Struct&);
  void (*set)(Struct&, double);
};

template <class Struct>
std::vector<OptionRow> RowsOf(const std::vector<OptionField<Struct>>& fields) {
  std::vector<OptionRow> rows;
  for (const OptionField<Struct>& field : fields) rows.push_back(field.row);
  return rows;
}

template <class Struct>
const OptionField<Struct>* FindField(const std::vector<OptionField<Struct>>& fields,
                                     const std::string& name) {
  for (const OptionField<Struct>& field : fields) {
    if (field.row.name == name) return &field;
  }
  return nullptr;
}

inline absl::Status CheckRange(const OptionRow& row, double value) {
  const bool whole = !row.integer || value == std::floor(value);
  if (value >= row.minimum && value <= row.maximum && whole) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "option ", row.name, " is ", value, ", allowed: ", row.integer ? "whole numbers from " : "",
      row.minimum, " to ", row.maximum, row.unit.empty() ? "" : " ", row.unit));
}

template <class Struct>
absl::Status CheckFields(const std::vector<OptionField<Struct>>& fields, const Struct& options) {
  for (const OptionField<Struct>& field : fields) {
    if (absl::Status status = CheckRange(field.row, field.get(options)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

template <class Struct>
absl::Status SetField(const std::vector<OptionField<Struct>>& fields, Struct& options,
                      const std::string& name, double value) {
  const OptionField<Struct>* field = FindField(fields, name);
  if (field == nullptr) return absl::NotFoundError(absl::StrCat("no option is called '", name, "'"));
  if (absl::Status status = CheckRange(field->row, value); !status.ok()) return status;
  field->set(options, value);
  return absl::OkStatus();
}

template <class Struct>
double GetField(const std::vector<OptionField<Struct>>& fields, const Struct& options,
                const std::string& name) {
  const OptionField<Struct>* field = FindField(fields, name);
  return field == nullptr ? std::nan("") : field->get(options);
}

// One OptionField of `Struct` from one row of a .def file.
#define ESPALIER_OPTION_FIELD(Struct, type, name, default_value, minimum, maximum, unit, meaning) \
  {{#name, unit, meaning, static_cast<double>(default_value), static_cast<double>(minimum),       \
    static_cast<double>(maximum), std::is_integral_v<type>},                                      \
   [](const Struct& options) { return static_cast<double>(options.name); },                       \
   [](Struct& options, double value) { options.name = static_cast<type>(value); }},

}  // namespace espalier::api
