#include "server/worker/run_device.h"

#include <string>

#include "absl/status/statusor.h"
#include "verifier/verifier.h"

namespace espalier::server {
namespace {

RunDevice ByName(const std::string& name) {
  const absl::StatusOr<int64_t> number = DeviceNumber(name);
  return {number.ok() ? *number : 0, name.empty() || name == "auto" || name == "cuda"};
}

// Options that count devices, where -1 leaves the choice.
RunDevice ByOption(bool given, int64_t number) {
  return given && number >= 0 ? RunDevice{number, false} : ByName("");
}

}  // namespace

RunDevice DeviceOf(const v1::WorkerRun& run) {
  switch (run.call_case()) {
    case v1::WorkerRun::kVerify: {
      // The option was chosen already; the name tells whether another card does as well.
      const std::string& name = run.verify().device();
      return {run.verify().options().device(), name == "auto" || name == "cuda"};
    }
    case v1::WorkerRun::kBounds:
      return ByName(run.bounds().device());
    case v1::WorkerRun::kCompare:
      return ByName(run.compare().device());
    case v1::WorkerRun::kTrain:
      return ByOption(run.train().options().has_device(), run.train().options().device());
    case v1::WorkerRun::kGraft:
      return ByOption(run.graft().train().has_device(), run.graft().train().device());
    default:
      return {};
  }
}

void SetCard(v1::WorkerRun& run, int64_t card) {
  const std::string name = DeviceName(card + 1);
  switch (run.call_case()) {
    case v1::WorkerRun::kVerify:
      run.mutable_verify()->mutable_options()->set_device(card + 1);
      return;
    case v1::WorkerRun::kBounds:
      run.mutable_bounds()->set_device(name);
      return;
    case v1::WorkerRun::kCompare:
      run.mutable_compare()->set_device(name);
      return;
    case v1::WorkerRun::kTrain:
      run.mutable_train()->mutable_options()->set_device(card + 1);
      return;
    case v1::WorkerRun::kGraft:
      run.mutable_graft()->mutable_train()->set_device(card + 1);
      return;
    default:
      return;
  }
}

}  // namespace espalier::server
