#include "server/point_handlers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/describe.h"
#include "verifier/base/tensor.h"

namespace espalier::server {
namespace {

constexpr int64_t kMaxIterations = 10000;

Failure BadRequest(absl::string_view message, const char* field) {
  return {absl::InvalidArgumentError(absl::StrCat(field, ": ", message)),
          {.reason = "INVALID_REQUEST", .field = field}};
}

// An array with as many elements as the model has inputs.
Failure ReadInputArray(Core& core, const v1::Blob& source, const char* field, const Model& model,
                       std::vector<double>& values) {
  BlobPtr blob;
  if (Failure failure = core.Resolve(source, field, blob); !failure.ok()) return failure;
  const absl::StatusOr<Tensor> array = ReadArray(blob->bytes);
  if (!array.ok()) return {array.status(), {.reason = "INVALID_ARRAY", .field = field}};
  if (array->size() != model.input_size()) {
    return BadRequest(
        absl::StrCat("the array has ", array->size(), " elements, the model takes ", model.input_size()),
        field);
  }
  values = array->ToDoubles();
  return {};
}

// The property whose only content is the request's box.
Failure ReadBox(Core& core, const v1::BoxRegion& region, const Model& model, api::Property& property) {
  api::Box box;
  if (Failure f = ReadInputArray(core, region.lower(), "box.lower", model, box.lower); !f.ok()) return f;
  if (Failure f = ReadInputArray(core, region.upper(), "box.upper", model, box.upper); !f.ok()) return f;
  for (size_t i = 0; i < box.lower.size(); ++i) {
    // Written so that a NaN on either side is refused; infinite bounds are not.
    const bool ordered = box.lower[i] <= box.upper[i];
    const bool finite = box.lower[i] - box.lower[i] == 0 && box.upper[i] - box.upper[i] == 0;
    if (!ordered || !finite) {
      return BadRequest(absl::StrCat("element ", i, " goes from ", box.lower[i], " to ", box.upper[i]),
                        "box");
    }
  }
  property.input_size = model.input_size();
  property.output_size = model.output_size();
  property.boxes.push_back(std::move(box));
  return {};
}

Failure ReadRegion(Core& core, const v1::BoundsRequest& request, const Model& model,
                   api::Property& property) {
  if (request.has_box()) return ReadBox(core, request.box(), model, property);
  if (!request.has_query()) return BadRequest("required: a query or a box", "region");
  BlobPtr blob;
  if (Failure failure = core.Resolve(request.query(), "query", blob); !failure.ok()) return failure;
  absl::StatusOr<api::Property> read = ReadQuery(model, blob->bytes);
  if (!read.ok()) return Core::EngineFailure(read.status(), model, "INVALID_QUERY", "query");
  property = *std::move(read);
  return {};
}

BoundMethod MethodOf(const v1::BoundsRequest& request) {
  switch (request.method()) {
    case v1::BOUND_METHOD_INTERVAL:
      return BoundMethod::kInterval;
    case v1::BOUND_METHOD_CROWN:
      return BoundMethod::kCrown;
    default:
      return BoundMethod::kAlphaCrown;
  }
}

}  // namespace

Failure HandleEvaluate(Core& core, const v1::EvaluateRequest& request, v1::EvaluateResponse& response) {
  BlobPtr blob;
  Model model;
  if (Failure failure = core.ResolveModel(request.model(), blob, model); !failure.ok()) return failure;
  std::vector<double> input;
  if (Failure f = ReadInputArray(core, request.input(), "input", model, input); !f.ok()) return f;
  const absl::StatusOr<std::vector<double>> output = model.Evaluate(input, request.float64());
  if (!output.ok()) return Core::EngineFailure(output.status(), model, "INVALID_REQUEST", "input");
  Shape shape = {static_cast<int64_t>(output->size())};
  bool float64 = request.float64();
  if (!model.Describe().outputs.empty()) {
    shape = model.Describe().outputs.front().shape;
    float64 = float64 || model.Describe().outputs.front().element_type == "float64";
  }
  const absl::StatusOr<std::string> npy =
      WriteArray(float64 ? Tensor::FromDoubles(shape, *output)
                         : Tensor::FromFloats(shape, std::vector<float>(output->begin(), output->end())));
  if (!npy.ok()) return Failure(npy.status());
  response.set_output_npy(*npy);
  response.mutable_values()->Add(output->begin(), output->end());
  response.mutable_shape()->Add(shape.begin(), shape.end());
  return {};
}

Failure HandleBounds(Core& core, const v1::BoundsRequest& request, StopToken stop,
                     v1::BoundsResponse& response) {
  BlobPtr blob;
  Model model;
  api::Property property;
  if (Failure failure = core.ResolveModel(request.model(), blob, model); !failure.ok()) return failure;
  if (Failure failure = ReadRegion(core, request, model, property); !failure.ok()) return failure;
  if (request.box_index() < 0 || static_cast<size_t>(request.box_index()) >= property.boxes.size()) {
    return BadRequest(
        absl::StrCat(request.box_index(), " is not below the number of boxes, ", property.boxes.size()),
        "box_index");
  }
  BoundsRequest engine;
  engine.method = MethodOf(request);
  if (request.has_intersect_interval()) engine.intersect_interval = request.intersect_interval();
  if (request.has_optimise_intermediate()) engine.optimise_intermediate = request.optimise_intermediate();
  if (request.has_iterations()) engine.iterations = request.iterations();
  if (engine.iterations < 0 || engine.iterations > kMaxIterations) {
    return BadRequest(absl::StrCat(engine.iterations, " is not between 0 and ", kMaxIterations),
                      "iterations");
  }
  if (!request.device().empty()) {
    const absl::StatusOr<int64_t> device = DeviceNumber(request.device());
    if (!device.ok()) return {device.status(), {.reason = "INVALID_REQUEST", .field = "device"}};
    engine.device = *device;
  }
  engine.layers = request.layers();
  engine.threads = core.EffectiveThreads(request.threads());
  const absl::StatusOr<BoundsReport> report =
      ComputeBounds(model, property, request.box_index(), engine, stop);
  if (!report.ok()) return Core::EngineFailure(report.status(), model, "INVALID_REQUEST", "");
  response = ToProto(*report);
  return {};
}

}  // namespace espalier::server
