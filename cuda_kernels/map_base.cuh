// What the maps share: coefficients in both element types, and entry points for both from one template each.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "cuda_kernels/cuda_map.h"
#include "cuda_kernels/launch.cuh"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {

// Coefficients rounded once to float32, and as they are.
class Coefficients {
 public:
  static absl::StatusOr<Coefficients> From(const std::shared_ptr<CudaState>& state,
                                           const std::vector<double>& values) {
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

// out[r][i] (+)= sign[r] * entry(neuron[r], i): chosen rows of a map, from its coefficients.
template <class T, class Entry>
struct UnitBody {
  int64_t n;
  Entry entry;
  backend::UnitRows<T> unit;
  T* out;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t i) const {
    Put(unit.sign[r] * entry(unit.neuron[r], i), accumulate, out + r * n + i);
  }
};

// Derived has ForwardT, BackwardT and EntryOf<T>(), which makes UnitBody's entry.
template <class Derived>
class CudaMapBase : public CudaMap {
 public:
  void Forward(const Batch<float>& batch) const override { self().template ForwardT<float>(batch); }
  void Forward(const Batch<double>& batch) const override { self().template ForwardT<double>(batch); }
  void Backward(const Batch<float>& batch) const override { self().template BackwardT<float>(batch); }
  void Backward(const Batch<double>& batch) const override { self().template BackwardT<double>(batch); }
  void BackwardUnit(const backend::UnitRows<float>& unit, float* out, bool accumulate) const override {
    Units(unit, out, accumulate);
  }
  void BackwardUnit(const backend::UnitRows<double>& unit, double* out, bool accumulate) const override {
    Units(unit, out, accumulate);
  }

 protected:
  explicit CudaMapBase(std::shared_ptr<CudaState> state) : state_(std::move(state)) {}
  CudaState& state() const { return *state_; }

 private:
  template <class T>
  void Units(const backend::UnitRows<T>& unit, T* out, bool accumulate) const {
    const auto entry = self().template EntryOf<T>();
    ForGrid(*state_, {unit.rows, input_size_},
            UnitBody<T, decltype(entry)>{input_size_, entry, unit, out, accumulate});
  }
  const Derived& self() const { return static_cast<const Derived&>(*this); }
  std::shared_ptr<CudaState> state_;
};

}  // namespace espalier::cuda_kernels
