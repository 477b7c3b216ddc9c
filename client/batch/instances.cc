#include "client/batch/instances.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/csv.h"
#include "client/file_bytes.h"

namespace espalier::client {
namespace {

namespace fs = std::filesystem;

// Where each value stands in a row; -1: nowhere.
struct Columns {
  int model = 0, query = 1, timeout = 2, category = -1;
  bool named = false;
};

int Find(const std::vector<std::string>& head, const std::set<std::string>& names) {
  for (size_t i = 0; i < head.size(); ++i) {
    if (names.contains(head[i])) return static_cast<int>(i);
  }
  return -1;
}

Columns ColumnsOf(const std::vector<std::string>& head) {
  Columns columns;
  columns.model = Find(head, {"onnx", "model", "network"});
  columns.query = Find(head, {"vnnlib", "query", "property"});
  columns.timeout = Find(head, {"timeout"});
  columns.category = Find(head, {"benchmark", "category"});
  columns.named = columns.model >= 0 && columns.query >= 0;
  return columns.named ? columns : Columns{};
}

std::string CellAt(const std::vector<std::string>& cells, int column) {
  return column >= 0 && static_cast<size_t>(column) < cells.size() ? cells[static_cast<size_t>(column)] : "";
}

std::string Resolve(const fs::path& folder, const std::string& written) {
  const fs::path path = folder / written;
  std::error_code ignored;
  if (fs::exists(path, ignored)) return path;
  fs::path packed = path;
  packed += ".gz";
  return fs::exists(packed, ignored) ? packed : path;
}

absl::StatusOr<Instance> InstanceOf(const CsvRow& row, const Columns& columns, const fs::path& folder) {
  Instance instance{.category = CellAt(row.cells, columns.category),
                    .model = CellAt(row.cells, columns.model),
                    .query = CellAt(row.cells, columns.query),
                    .model_path = {},
                    .query_path = {},
                    .timeout_s = {}};
  if (instance.model.empty() || instance.query.empty())
    return absl::InvalidArgumentError("write MODEL,QUERY,TIMEOUT");
  instance.model_path = Resolve(folder, instance.model);
  instance.query_path = Resolve(folder, instance.query);
  const std::string timeout = CellAt(row.cells, columns.timeout);
  if (timeout.empty()) return instance;
  double seconds = 0;
  const bool valid = absl::SimpleAtod(timeout, &seconds) && std::isfinite(seconds) && seconds > 0;
  if (!valid) return absl::InvalidArgumentError(absl::StrCat("'", timeout, "' is no time limit in seconds"));
  instance.timeout_s = seconds;
  return instance;
}

}  // namespace

std::string Stem(const std::string& path) {
  fs::path name = fs::path(path).filename();
  if (name.extension() == ".gz") name = name.stem();
  return name.stem();
}

std::string Instance::Name() const {
  return absl::StrCat(Stem(model), " ", Stem(query));
}

absl::StatusOr<std::vector<Instance>> ReadInstances(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFileBytes(path);
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::vector<CsvRow>> rows = ParseCsv(*text);
  const auto wrong = [&path](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", why));
  };
  if (!rows.ok()) return wrong(std::string(rows.status().message()));
  if (rows->empty()) return wrong("there are no instances in it");
  const Columns columns = ColumnsOf(rows->front().cells);
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ignored;
  const std::string folder_name = fs::weakly_canonical(fs::absolute(path), ignored).parent_path().filename();
  std::vector<Instance> instances;
  for (size_t i = columns.named ? 1 : 0; i < rows->size(); ++i) {
    const CsvRow& row = (*rows)[i];
    absl::StatusOr<Instance> instance = InstanceOf(row, columns, folder);
    if (!instance.ok())
      return wrong(absl::StrCat("line ", row.line, ": ", std::string(instance.status().message())));
    if (instance->category.empty()) instance->category = folder_name;
    instances.push_back(*std::move(instance));
  }
  if (instances.empty()) return wrong("there are no instances in it");
  return instances;
}

}  // namespace espalier::client
