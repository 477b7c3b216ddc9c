#include "client/model_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/job_text.h"

namespace espalier::client {
namespace {

std::string TensorText(const v1::TensorInfo& tensor) {
  return absl::StrCat(tensor.name(), " ", tensor.element_type(), "[", absl::StrJoin(tensor.shape(), ","),
                      "]");
}

}  // namespace

std::string SizeText(int64_t bytes) {
  constexpr int64_t kStep = 1000;
  if (bytes < kStep) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / kStep;
  for (const char* unit : {"kB", "MB"}) {
    if (value < kStep) return absl::StrFormat("%.1f %s", value, unit);
    value /= kStep;
  }
  return absl::StrFormat("%.1f GB", value);
}

std::string DescriptionText(const v1::ModelDescription& model) {
  std::string text = absl::StrFormat("%s, opset %d, %d bytes, sha256 %s\n", model.name(), model.opset(),
                                     model.size(), model.sha256());
  for (const v1::TensorInfo& tensor : model.inputs())
    absl::StrAppend(&text, "input   ", TensorText(tensor), "\n");
  for (const v1::TensorInfo& tensor : model.outputs())
    absl::StrAppend(&text, "output  ", TensorText(tensor), "\n");
  absl::StrAppendFormat(&text, "%d parameters\n\noperators\n", model.parameters());
  for (const v1::OperatorCount& entry : model.operators()) {
    absl::StrAppendFormat(&text, "  %-24s %d\n", entry.op(), entry.count());
  }
  if (model.layers_size() > 0) {
    int64_t neurons = 0, hinges = 0, grafted = 0;
    absl::StrAppendFormat(&text, "\n%-40s %9s %9s %9s\n", "activation layers", "neurons", "hinges",
                          "grafted");
    for (const v1::LayerInfo& layer : model.layers()) {
      absl::StrAppendFormat(&text, "  %-38s %9d %9d %9d\n", layer.name(), layer.neurons(), layer.hinges(),
                            layer.grafted());
      neurons += layer.neurons();
      hinges += layer.hinges();
      grafted += layer.grafted();
    }
    absl::StrAppendFormat(&text, "  %-38s %9d %9d %9d\n", "together", neurons, hinges, grafted);
  }
  if (model.unsupported_size() > 0) {
    absl::StrAppendFormat(&text, "\nnot supported (%d)\n", model.unsupported_size());
    for (const v1::UnsupportedNode& node : model.unsupported()) {
      absl::StrAppend(&text, "  ", node.node(), " (", node.op(), "): ", node.reason(), "\n");
    }
  }
  return text;
}

std::string ModelTable(const std::vector<v1::StoredModel>& models, absl::Time now) {
  const double now_s = absl::ToDoubleSeconds(now - absl::UnixEpoch());
  std::string text = absl::StrFormat("%9s  %5s  %5s  %-6s  %s\n", "size", "added", "used", "in use", "model");
  for (const v1::StoredModel& model : models) {
    const std::string added = model.added_s() > 0 ? AgeText(now_s - model.added_s()) : "-";
    absl::StrAppendFormat(&text, "%9s  %5s  %5s  %-6s  %s\n", SizeText(model.size()), added,
                          AgeText(now_s - model.used_s()), model.in_use() ? "yes" : "no", model.sha256());
  }
  return text;
}

std::string ModelText(const v1::StoredModel& model) {
  std::string text = absl::StrFormat("%-12s %s\n", "model", model.sha256());
  absl::StrAppendFormat(&text, "%-12s %s\n", "size", SizeText(model.size()));
  if (model.added_s() > 0) absl::StrAppendFormat(&text, "%-12s %s\n", "added", TimeText(model.added_s()));
  absl::StrAppendFormat(&text, "%-12s %s\n", "last used", TimeText(model.used_s()));
  absl::StrAppendFormat(&text, "%-12s %s\n", "in use", model.in_use() ? "yes" : "no");
  if (model.has_error()) absl::StrAppendFormat(&text, "%-12s %s\n", "error", model.error().message());
  if (model.has_description()) absl::StrAppend(&text, "\n", DescriptionText(model.description()));
  return text;
}

}  // namespace espalier::client
