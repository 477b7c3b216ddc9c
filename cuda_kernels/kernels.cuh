// Kernels<T> of backend.h on the device: each primitive picks a body and a launch shape.
#pragma once

#include <cmath>

#include "cuda_kernels/cuda_map.h"
#include "cuda_kernels/element_bodies.cuh"
#include "cuda_kernels/kernel_sets.h"
#include "cuda_kernels/row_bodies.cuh"
#include "verifier/backend/backend.h"

namespace espalier::cuda_kernels {

template <class T>
class CudaKernels final : public backend::Kernels<T> {
 public:
  explicit CudaKernels(CudaState& state) : state_(state) {}

  void Forward(const backend::PreparedMap& map, int64_t rows, const T* x, T* y, bool accumulate) override {
    Cuda(map).Forward(Batch<T>{rows, x, y, accumulate});
  }
  void Backward(const backend::PreparedMap& map, int64_t rows, const T* lambda, T* out,
                bool accumulate) override {
    Cuda(map).Backward(Batch<T>{rows, lambda, out, accumulate});
  }
  void BackwardUnit(const backend::PreparedMap& map, const backend::UnitRows<T>& unit, T* out,
                    bool accumulate) override {
    Cuda(map).BackwardUnit(unit, out, accumulate);
  }

  void Dot(int64_t rows, int64_t n, const T* lambda, const T* vec, double* acc) override {
    ForRows(state_, {rows, n}, DotBody<T>{n, lambda, vec, 1.0, false, acc});
  }
  void AbsDot(int64_t rows, int64_t n, const T* lambda, const T* vec, double factor, double* acc) override {
    ForRows(state_, {rows, n}, DotBody<T>{n, lambda, vec, factor, true, acc});
  }
  void DotUnit(const backend::UnitRows<T>& unit, const T* vec, double factor, bool abs,
               double* acc) override {
    ForElements(state_, unit.rows, DotUnitBody<T>{unit, vec, factor, abs, acc});
  }

  void Add(int64_t count, const T* in, T* out) override { ForElements(state_, count, AddBody<T>{in, out}); }
  void FillRows(int64_t rows, int64_t n, const T* vec, T* out) override {
    ForGrid(state_, {rows, n}, FillRowsBody<T>{n, vec, out, false});
  }
  void Fill(int64_t count, T value, T* out) override { ForElements(state_, count, FillBody<T>{value, out}); }
  void GatherRows(const backend::RowSet& rows, int64_t n, const T* table, T* out) override {
    ForGrid(state_, {rows.rows, n}, GatherRowsBody<T>{n, rows.domain_of_row, table, out});
  }

  void Relax(int64_t domains, int64_t unstable, const backend::HingeBounds<T>& bounds,
             const backend::LineArrays<T>& lines) override {
    ForGrid(state_, {domains, unstable}, RelaxBody<T>{unstable, bounds, lines});
  }
  void ApplyLines(const backend::RowSet& rows, const backend::LayerLines<T>& layer,
                  const backend::Learned<T>& learned, T* lambda, T* saved,
                  const backend::RowSums& sums) override {
    ForRows(state_, {rows.rows, layer.neurons},
            ApplyLinesBody<T>{rows.domain_of_row, layer, learned.slopes.alpha, learned.splits, lambda, saved,
                              sums});
  }
  void Concretise(const backend::RowSet& rows, int64_t n, const T* lambda, const backend::BoxArrays<T>& box,
                  const backend::RowSums& sums, const backend::Minimum<T>& minimum) override {
    ForRows(state_, {rows.rows, n}, ConcretiseBody<T>{n, rows.domain_of_row, lambda, box, sums, minimum});
  }
  void StepThroughLines(const backend::RowSet& rows, const backend::LayerLines<T>& layer, const T* saved,
                        const backend::Learned<T>& learned, const backend::AdamStep& step, T* z) override {
    const auto t = static_cast<double>(step.step);
    const auto correction1 = static_cast<T>(1.0 / (1.0 - std::pow(0.9, t)));
    const auto correction2 = static_cast<T>(1.0 / (1.0 - std::pow(0.999, t)));
    ForRows(state_, {rows.rows, layer.neurons},
            StepBody<T>{rows.domain_of_row,
                        layer,
                        saved,
                        learned,
                        {static_cast<T>(step.alpha_rate), correction1, correction2},
                        {static_cast<T>(step.beta_rate), correction1, correction2},
                        z});
  }

  void KeepBest(int64_t rows, int64_t n, const double* bound, const double* best, const T* from,
                T* to) override {
    ForGrid(state_, {rows, n}, KeepBestBody<T>{n, bound, best, from, to});
  }
  void KeepBestSplits(int64_t rows, const int32_t* begin, const double* bound, const double* best,
                      const T* from, T* to) override {
    ForRows(state_, {rows, kWarp}, KeepBestSplitsBody<T>{begin, bound, best, from, to});
  }
  void Score(const backend::RowSet& rows, const backend::LayerLines<T>& layer, const T* saved,
             T* score) override {
    ForGrid(state_, {rows.rows, layer.unstable}, ScoreBody<T>{rows.domain_of_row, layer, saved, score});
  }

  void Hinge(int64_t rows, int64_t n, const backend::HingeArrays<T>& hinge, T* z, T* slope) override {
    ForGrid(state_, {rows, n}, HingeBody<T>{n, hinge, z, z, slope});
  }
  void Multiply(int64_t count, const T* in, T* out) override {
    ForElements(state_, count, MultiplyBody<T>{in, out});
  }
  void ToCentre(int64_t count, const T* lower, const T* upper, T slack, T* centre, T* radius) override {
    ForElements(state_, count, ToCentreBody<T>{lower, upper, slack, centre, radius});
  }
  void FromCentre(int64_t rows, int64_t n, const backend::CentreArrays<T>& from, const T* bias, T slack,
                  const backend::IntervalArrays<T>& to) override {
    ForGrid(state_, {rows, n}, FromCentreBody<T>{n, from, bias, slack, to});
  }
  void HingeInterval(int64_t rows, int64_t n, const backend::HingeArrays<T>& hinge, T slack,
                     const backend::IntervalArrays<T>& interval) override {
    ForGrid(state_, {rows, n}, HingeIntervalBody<T>{n, hinge, slack, interval});
  }

 private:
  static const CudaMap& Cuda(const backend::PreparedMap& map) { return static_cast<const CudaMap&>(map); }
  CudaState& state_;
};

}  // namespace espalier::cuda_kernels
