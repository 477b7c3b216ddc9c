// What the maps share: coefficients in both element types, and entry points for both from one template each.
#pragma once

#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda_kernels/cuda_map.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {

// What every body of a map ends with.
template <class T>
__device__ void Put(T value, bool accumulate, T* out) {
  *out = accumulate ? *out + value : value;
}

// Coefficients rounded once to float32, and as they are.
class Coefficients {
 public:
  static absl::StatusOr<Coefficients> From(const std::shared_ptr<CudaState>& state,
                                           std::vector<double> values, bool absolute) {
    if (absolute) {
      for (double& v : values) v = std::fabs(v);
    }
    Coefficients made;
    const std::vector<float> narrow(values.begin(), values.end());
    ESPALIER_ASSIGN_OR_RETURN(made.f64_, DeviceArray<double>::From(state, values));
    ESPALIER_ASSIGN_OR_RETURN(made.f32_, DeviceArray<float>::From(state, narrow));
    return made;
  }
  template <class T>
  const T* of() const {
    if constexpr (std::is_same_v<T, float>) {
      return f32_.data();
    } else {
      return f64_.data();
    }
  }

 private:
  DeviceArray<float> f32_;
  DeviceArray<double> f64_;
};

template <class Derived>
class CudaMapBase : public CudaMap {
 public:
  void Forward(const Batch<float>& batch) const override { self().template ForwardT<float>(batch); }
  void Forward(const Batch<double>& batch) const override { self().template ForwardT<double>(batch); }
  void Backward(const Batch<float>& batch) const override { self().template BackwardT<float>(batch); }
  void Backward(const Batch<double>& batch) const override { self().template BackwardT<double>(batch); }
  void BackwardUnit(const backend::UnitRows<float>& unit, float* out, bool accumulate) const override {
    self().template BackwardUnitT<float>(unit, out, accumulate);
  }
  void BackwardUnit(const backend::UnitRows<double>& unit, double* out, bool accumulate) const override {
    self().template BackwardUnitT<double>(unit, out, accumulate);
  }

 protected:
  explicit CudaMapBase(std::shared_ptr<CudaState> state) : state_(std::move(state)) {}
  CudaState& state() const { return *state_; }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
  std::shared_ptr<CudaState> state_;
};

}  // namespace espalier::cuda_kernels
