#include "client/measurement_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client {

std::vector<MeasuredRow> MeasuredRows(const v1::Measurement& base, const v1::Measurement& other) {
  using M = v1::Measurement;
  std::vector<MeasuredRow> rows = {
      {"clean accuracy", true, true, [](const M& m) { return 100 * m.clean_accuracy(); }},
      {"accuracy under PGD-20", true, true, [](const M& m) { return 100 * m.attacked_accuracy(); }},
  };
  if (base.verify_samples() == 0 && other.verify_samples() == 0) return rows;
  const bool searched = base.mean_domains() > 0 || other.mean_domains() > 0 ||
                        base.verified() != base.root_verified() || other.verified() != other.root_verified();
  rows.push_back({"verified by root bounds", true, true, [](const M& m) { return 100 * m.root_verified(); }});
  if (searched) {
    rows.push_back({"verified by search", true, true, [](const M& m) { return 100 * m.verified(); }});
  }
  rows.push_back({"wrong or falsified", false, true, [](const M& m) { return 100 * m.falsified(); }});
  rows.push_back({"undecided", false, true, [](const M& m) { return 100 * m.undecided(); }});
  rows.push_back({"median seconds", false, false, [](const M& m) { return m.median_seconds(); }});
  rows.push_back({"total seconds", false, false, [](const M& m) { return m.total_seconds(); }});
  if (searched) {
    rows.push_back({"mean domains", false, false, [](const M& m) { return m.mean_domains(); }});
  }
  return rows;
}

std::string FormatValue(const MeasuredRow& row, double value) {
  return row.percentage ? absl::StrFormat("%.1f %%", value) : absl::StrFormat("%.4g", value);
}

std::string FormatChange(const MeasuredRow& row, double change) {
  return row.percentage ? absl::StrFormat("%+.1f", change) : absl::StrFormat("%+.4g", change);
}

std::string ComparisonTable(const std::string& base_name, const v1::Measurement& base,
                            const std::string& other_name, const v1::Measurement& other) {
  std::string text = absl::StrFormat("%-24s %12s %12s %12s\n", "", base_name, other_name, "change");
  for (const MeasuredRow& row : MeasuredRows(base, other)) {
    const double before = row.value(base), after = row.value(other);
    absl::StrAppendFormat(&text, "%-24s %12s %12s %12s\n", row.name, FormatValue(row, before),
                          FormatValue(row, after), FormatChange(row, after - before));
  }
  absl::StrAppend(&text, "accuracy on ", other.samples(), " samples");
  if (other.verify_samples() > 0) absl::StrAppend(&text, ", verification on ", other.verify_samples());
  return text + "\n";
}

}  // namespace espalier::client
