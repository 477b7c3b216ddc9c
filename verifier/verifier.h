// Espalier's library face: load a model, read a query, bound, verify. The only public header of the engine.
//
//   auto model = espalier::Model::Load(onnx_bytes);
//   auto property = espalier::ReadQuery(*model, vnnlib_text);
//   espalier::api::Options options;  options.timeout_s = 60;
//   espalier::StopSource stop(absl::Now() + absl::Seconds(60));
//   auto verdict = espalier::Verify(*model, *property, options, /*sink=*/nullptr, stop.token());
//   if (verdict.ok() && verdict->answer() == espalier::api::Answer::kVerified) ...
//
// Models are immutable and may be shared between threads; one call of Verify uses options.threads threads.
// Vectors are flat in ONNX (row-major) order everywhere in this header.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "verifier/api/checkpoint.h"
#include "verifier/api/events.h"
#include "verifier/api/options.h"
#include "verifier/api/property.h"
#include "verifier/api/training.h"
#include "verifier/api/verdict.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/base/tensor.h"

namespace espalier {

// "0.1.0"; the version of the engine that stands in every result.
std::string_view Version();

struct TensorInfo {
  std::string name;
  std::string element_type;
  std::vector<int64_t> shape;
};

struct LayerInfo {
  std::string name;
  int64_t neurons = 0;
  int64_t hinges = 0;   // left != right: relaxed and split when unstable
  int64_t grafted = 0;  // lines in place of a hinge
};

struct UnsupportedInfo {
  std::string node, op, reason;
};

struct ModelDescription {
  std::string name;
  int opset = 0;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<std::pair<std::string, int64_t>> operators;  // op -> count, sorted by name
  int64_t parameters = 0;
  std::vector<LayerInfo> layers;
  std::vector<UnsupportedInfo> unsupported;  // empty: the model can be verified
};

class Model {
 public:
  // INVALID_ARGUMENT for bytes that are no valid model. A model with unsupported nodes loads: Describe lists
  // them, and everything else answers UNIMPLEMENTED with the same list.
  static absl::StatusOr<Model> Load(std::string_view onnx_bytes);

  const ModelDescription& Describe() const;
  int64_t input_size() const;
  int64_t output_size() const;

  // The imported graph's own outputs. `float64`: all arithmetic in double, else each node's own element type.
  absl::StatusOr<std::vector<double>> Evaluate(absl::Span<const double> input, bool float64) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// VNN-LIB text -> property. INVALID_ARGUMENT with "line L, column C: ...".
absl::StatusOr<api::Property> ReadQuery(const Model& model, std::string_view vnnlib_text);

// NumPy .npy arrays, the form in which inputs, outputs and boxes travel. INVALID_ARGUMENT for bytes that are
// no array, UNIMPLEMENTED for element types other than float32, float64, int32, int64, uint8 and bool.
absl::StatusOr<Tensor> ReadArray(std::string_view npy_bytes);
absl::StatusOr<std::string> WriteArray(const Tensor& tensor);

enum class BoundMethod { kInterval, kCrown, kAlphaCrown };

struct BoundsRequest {
  BoundMethod method = BoundMethod::kAlphaCrown;
  bool intersect_interval = true;  // false: plain CROWN of every neuron, no intersection with interval bounds
  bool optimise_intermediate = true;  // alpha-CROWN: false keeps intermediate bounds at CROWN
  bool layers = false;                // also return every activation layer's pre-activation bounds
  // alpha-CROWN: optimisation steps of intermediate rows, if optimised, and then twice as many of output
  // rows; otherwise of output rows.
  int64_t iterations = 20;
  int64_t threads = 0;
  int64_t device = -1;  // as options.device
};

struct LayerBounds {
  std::string name;
  std::vector<double> lower, upper;  // certified; ONNX order is not restored: the network's own neuron order
  std::vector<int64_t> onnx_index;  // neuron i is element onnx_index[i] of the ONNX tensor, -1 if it has none
};

struct BoundsReport {
  std::vector<double> output_lower, output_upper;
  // Per disjunct and row of the property: lower bound of (row's left side) without rhs, in property order.
  std::vector<std::vector<double>> row_lower;
  std::vector<LayerBounds> layers;
  double seconds = 0;
};

// Bounds over boxes[box_index] of the property.
absl::StatusOr<BoundsReport> ComputeBounds(const Model& model, const api::Property& property, int box_index,
                                           const BoundsRequest& request, StopToken stop);

// Decides the property. `sink` may be null. Errors are INVALID_ARGUMENT (options, sizes), UNIMPLEMENTED
// (model), RESOURCE_EXHAUSTED (does not fit in memory at batch 1), INTERNAL (a self-check failed). Time-outs,
// cancellation and budgets are verdicts (kUnknown with the limit). Stopped runs can be continued, see
// api/checkpoint.h.
absl::StatusOr<api::Verdict> Verify(const Model& model, const api::Property& property,
                                    const api::Options& options, api::EventSink* sink, StopToken stop,
                                    const api::Checkpoints& checkpoints = {});

// Labelled data: .npy or .npz arrays (samples first; images as bytes or floats), CIFAR-10's binary form,
// MNIST's IDX form. `labels` may be empty where the data hold them (CIFAR-10, an .npz with "labels" or "y").
// INVALID_ARGUMENT names what does not fit.
absl::StatusOr<Dataset> ReadDataset(std::string_view data_bytes, std::string_view label_bytes);

// The model's network as ONNX with standard operators only (opset 13): what training and grafting return, and
// the folded form of any model. Loading it again gives the same network.
absl::StatusOr<std::string> Export(const Model& model);

// What a long call of the three below reports while it runs. All from the calling thread.
struct TrainHooks {
  std::function<void(const api::TrainProgress&)> progress;
  // After every stage and epoch: bytes from which the same call goes on when they are given as `resume`.
  std::function<void(const std::string&)> checkpoint;
  std::string resume;  // empty: from the start. INVALID_ARGUMENT when it belongs to another call.
};

struct TrainRequest {
  std::string spec;              // an architecture by name or by its layers (docs/grafting.md), or
  const Model* model = nullptr;  // a model to train further
  const Dataset* data = nullptr;
  const Dataset* evaluation = nullptr;  // null: the last tenth of `data` is held out
  api::TrainOptions options;
  int64_t memory_bytes = 0;  // that the call may take beside what the process holds without it; 0: no limit
};

struct TrainedModel {
  std::string onnx;
  api::Measurement measurement;  // on the evaluation data, without verification
};

// Adversarial training. Errors: INVALID_ARGUMENT (spec, data, options), UNIMPLEMENTED (model), ABORTED (the
// loss is no longer finite; the last checkpoint is good), CANCELLED, RESOURCE_EXHAUSTED.
absl::StatusOr<TrainedModel> Train(const TrainRequest& request, const TrainHooks& hooks, StopToken stop);

struct GraftRequest {
  const Model* model = nullptr;
  const Dataset* data = nullptr;
  const Dataset* evaluation = nullptr;  // null: the last tenth of `data` is held out
  api::GraftOptions graft;
  api::TrainOptions train;           // of the fine-tuning; epsilon is that of scoring and measuring as well
  std::vector<double> curve_ratios;  // further ratios to graft and measure for the report's trade-off curve
  int64_t memory_bytes = 0;          // as TrainRequest's
};

struct GraftedModel {
  std::string onnx;
  api::GraftReport report;
};

// Score, select, fit, fine-tune, measure, export (Chen et al., ICML 2022; docs/grafting.md). Errors as Train,
// and FAILED_PRECONDITION for a model without a neuron that can be grafted.
absl::StatusOr<GraftedModel> Graft(const GraftRequest& request, const TrainHooks& hooks, StopToken stop);

struct CompareRequest {
  const Model* base = nullptr;
  const Model* other = nullptr;
  const Dataset* data = nullptr;
  double epsilon = 0;  // input units; boxes are cut to [low, high]
  double low = 0, high = 1;
  int64_t samples = 100;  // first ones of the data: difference bounds, and the fractions verified
  int64_t alpha_iterations = 20;
  double verify_timeout_s = 0;  // 0: bounds at the root only
  int64_t threads = 0;
  int64_t device = -1;       // as options.device
  int64_t memory_bytes = 0;  // as TrainRequest's
};

// What deploying `other` in place of `base` changes. INVALID_ARGUMENT when inputs, outputs or data do not
// fit.
absl::StatusOr<api::DifferenceBounds> Compare(const CompareRequest& request, const TrainHooks& hooks,
                                              StopToken stop);

// What this build can do.
struct Capabilities {
  std::string version;
  std::vector<std::string> devices;    // that can be used now: "cpu", "cuda:0", ...
  std::vector<std::string> operators;  // ONNX operators that can be verified
  int min_opset = 7, max_opset = 21;
  std::string processor;  // model name and instruction set in use
};
Capabilities GetCapabilities();

// Does what libraries otherwise do in a process's first verification (generating code: some 25 to 60 ms), so
// that it can go on beside the reading of a model. For a thread of its own. Never needed.
void PrepareLibraries();

// The number of a device as options.device holds it: "cpu": 0; "cuda:N" and "cuda" (the first): N + 1; "" and
// "auto": that of the first card, or of the processor where there is none. INVALID_ARGUMENT for another name
// and for a card that cannot be used, with the reason ("cuda: not built").
absl::StatusOr<int64_t> DeviceNumber(std::string_view name);
// "auto" (-1), "cpu" or "cuda:N".
std::string DeviceName(int64_t device);
// Opens the device, computes a little on it and compares. Errors as those of a verification there.
absl::Status CheckDevice(std::string_view name);

}  // namespace espalier
