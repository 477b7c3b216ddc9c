#include "verifier/backend/cpu_self_check.h"

#include <atomic>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/backend/cpu_map.h"
#include "verifier/backend/product_check.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

absl::Status CheckMap(const ir::LinearMap& map) {
  ESPALIER_ASSIGN_OR_RETURN(const std::shared_ptr<const CpuMap> cpu,
                            MakeCpuMap(std::make_shared<ir::LinearMap>(map), false));
  CpuScratch scratch;
  const auto product = [&]<class T>(const std::vector<T>& x, bool forward) -> absl::StatusOr<std::vector<T>> {
    std::vector<T> y(static_cast<size_t>(kCheckedRows * (forward ? cpu->output_size() : cpu->input_size())));
    ESPALIER_RETURN_IF_ERROR(forward ? cpu->Forward(kCheckedRows, x.data(), y.data(), false, scratch)
                                     : cpu->Backward(kCheckedRows, x.data(), y.data(), false, scratch));
    return y;
  };
  const absl::Status checked = CheckProducts(map, cpu->longest_sum(), product, product);
  if (checked.ok()) return checked;
  return absl::Status(checked.code(),
                      absl::StrCat("the linear algebra libraries compute wrong results on this processor: ",
                                   std::string(checked.message())));
}

// What a library was found to compute stays so for the process's life; a failure is looked at again.
std::atomic<bool> blas_right = false, onednn_right = false;

}  // namespace

absl::Status CpuSelfCheck::ForMap(const ir::LinearMap& map) {
  if (!blas_right) {
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleDense(9, 7)));
    blas_right = true;
  }
  // With 256 columns large enough for oneDNN's product, with few for OpenBLAS's.
  if (UsesOneDnn(map) && !onednn_right) {
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleDense(256, 256)));
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleConv()));
    onednn_right = true;
  }
  return absl::OkStatus();
}

}  // namespace espalier::backend
