#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands.h"

namespace espalier::client {
namespace {

using Doubles = google::protobuf::RepeatedField<double>;

v1::BoundMethod MethodOf(const std::string& name) {
  if (name == "interval") return v1::BOUND_METHOD_INTERVAL;
  if (name == "crown") return v1::BOUND_METHOD_CROWN;
  return v1::BOUND_METHOD_ALPHA_CROWN;
}

void AppendTable(const Doubles& lower, const Doubles& upper, const char* letter, std::string& text) {
  for (int i = 0; i < lower.size(); ++i) {
    absl::StrAppendFormat(&text, "%-8s %24.17g %24.17g\n", absl::StrCat(letter, "_", i), lower.Get(i),
                          upper.Get(i));
  }
}

std::string BoundsText(const v1::BoundsResponse& bounds) {
  std::string text = absl::StrFormat("%-8s %24s %24s\n", "output", "lower", "upper");
  AppendTable(bounds.output_lower(), bounds.output_upper(), "Y", text);
  for (int d = 0; d < bounds.disjuncts_size(); ++d) {
    const Doubles& rows = bounds.disjuncts(d).lower();
    for (int r = 0; r < rows.size(); ++r) {
      absl::StrAppendFormat(&text, "part %d row %d: left side at least %.17g\n", d, r, rows.Get(r));
    }
  }
  for (const v1::LayerBounds& layer : bounds.layers()) {
    absl::StrAppend(&text, "\nlayer ", layer.name(), "\n");
    AppendTable(layer.lower(), layer.upper(), "z", text);
  }
  return text;
}

// JSON has no infinities: such a bound, which says nothing, becomes null.
nlohmann::ordered_json ListJson(const Doubles& values) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const double value : values) {
    list.push_back(std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr));
  }
  return list;
}

std::string BoundsJson(const v1::BoundsResponse& bounds) {
  nlohmann::ordered_json json = {{"output_lower", ListJson(bounds.output_lower())},
                                 {"output_upper", ListJson(bounds.output_upper())},
                                 {"seconds", bounds.seconds()}};
  json["disjuncts"] = nlohmann::ordered_json::array();
  for (const v1::RowBounds& rows : bounds.disjuncts()) json["disjuncts"].push_back(ListJson(rows.lower()));
  json["layers"] = nlohmann::ordered_json::array();
  for (const v1::LayerBounds& layer : bounds.layers()) {
    json["layers"].push_back(
        {{"name", layer.name()},
         {"lower", ListJson(layer.lower())},
         {"upper", ListJson(layer.upper())},
         {"onnx_index", std::vector<int64_t>(layer.onnx_index().begin(), layer.onnx_index().end())}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

ExitCode SendRegion(Connection& connection, const BoundsArguments& arguments, v1::BoundsRequest& request) {
  if (!arguments.query.empty()) {
    return SendFile(connection, arguments.query, v1::BLOB_KIND_VNNLIB_QUERY, *request.mutable_query());
  }
  v1::BoxRegion& box = *request.mutable_box();
  const ExitCode sent = SendFile(connection, arguments.lower, v1::BLOB_KIND_NPY_ARRAY, *box.mutable_lower());
  if (sent != kDone) return sent;
  return SendFile(connection, arguments.upper, v1::BLOB_KIND_NPY_ARRAY, *box.mutable_upper());
}

}  // namespace

ExitCode RunBounds(Connection& connection, const BoundsArguments& arguments) {
  v1::BoundsRequest request;
  ExitCode sent = SendFile(connection, arguments.network, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model());
  if (sent == kDone) sent = SendRegion(connection, arguments, request);
  if (sent != kDone) return sent;
  request.set_box_index(arguments.box);
  request.set_method(MethodOf(arguments.method));
  request.set_intersect_interval(!arguments.plain);
  request.set_optimise_intermediate(!arguments.keep_intermediate);
  request.set_layers(arguments.layers);
  request.set_threads(arguments.threads);
  request.set_device(arguments.device);
  if (arguments.iterations) request.set_iterations(*arguments.iterations);
  grpc::ClientContext context;
  connection.Prepare(context);
  v1::BoundsResponse response;
  const grpc::Status status = connection.stub().Bounds(&context, request, &response);
  if (!status.ok()) return ReportError(connection, status);
  std::fputs((arguments.json ? BoundsJson(response) : BoundsText(response)).c_str(), stdout);
  if (!arguments.json) std::fprintf(stderr, "; %.4f s\n", response.seconds());
  return kDone;
}

}  // namespace espalier::client
