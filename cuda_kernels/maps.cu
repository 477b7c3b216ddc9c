// Dense, diagonal and sparse maps.
#include <algorithm>

#include "cuda_kernels/gemm.h"
#include "cuda_kernels/map_base.cuh"
#include "verifier/ir/map_forms.h"

namespace espalier::cuda_kernels {

template <class T>
struct DenseEntry {
  int64_t cols;
  const T* weights;
  __device__ T operator()(int32_t neuron, int64_t c) const { return weights[neuron * cols + c]; }
};

// out[r][i] (+)= scale[i] * in[r][i]; scale null: the identity.
template <class T>
struct ScaleBody {
  int64_t n;
  const T* scale;
  Batch<T> batch;
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    Put(scale != nullptr ? scale[i] * batch.in[at] : batch.in[at], batch.accumulate, batch.out + at);
  }
};

template <class T>
struct ScaleEntry {
  const T* scale;
  __device__ T operator()(int32_t neuron, int64_t i) const {
    return i != neuron ? T(0) : scale != nullptr ? scale[i] : T(1);
  }
};

// Compressed rows on the device.
template <class T>
struct Entries {
  const int64_t* begin;
  const int32_t* index;
  const T* value;
};

// out[r][i] (+)= sum over entries k of i of value[k] * in[r][index[k]]
template <class T>
struct GatherBody {
  int64_t from, to;
  Entries<T> entries;
  Batch<T> batch;
  __device__ void operator()(int64_t r, int64_t i) const {
    const T* const in = batch.in + r * from;
    T sum = batch.accumulate ? batch.out[r * to + i] : T(0);
    const int64_t end = entries.begin[i + 1];
#pragma unroll 1  // unrolled it needs more registers than there are; rows of maps that are sparse are short
    for (int64_t k = entries.begin[i]; k < end; ++k) {
      sum += entries.value[k] * in[entries.index[k]];
    }
    batch.out[r * to + i] = sum;
  }
};

// Entries of column c are in ascending order of their rows: those of the neuron stand together.
template <class T>
struct SparseEntry {
  Entries<T> columns;
  __device__ T operator()(int32_t neuron, int64_t c) const {
    int64_t low = columns.begin[c], high = columns.begin[c + 1];
    const int64_t end = high;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (columns.index[middle] < neuron) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    T sum = T(0);
    for (; low < end && columns.index[low] == neuron; ++low) sum += columns.value[low];
    return sum;
  }
};

namespace {

class DenseMap final : public CudaMapBase<DenseMap> {
 public:
  DenseMap(std::shared_ptr<CudaState> state, const ir::DenseMap& map, Coefficients weights)
      : CudaMapBase(std::move(state)), rows_(map.rows), cols_(map.cols), weights_(std::move(weights)) {
    input_size_ = cols_;
    output_size_ = rows_;
    longest_sum_ = std::max(rows_, cols_);
  }
  template <class T>
  void ForwardT(const Batch<T>& batch) const {
    Multiply(batch, {.n = rows_, .k = cols_, .transpose_b = true});
  }
  template <class T>
  void BackwardT(const Batch<T>& batch) const {
    Multiply(batch, {.n = cols_, .k = rows_});
  }
  template <class T>
  DenseEntry<T> EntryOf() const {
    return {cols_, weights_.of<T>()};
  }

 private:
  template <class T>
  void Multiply(const Batch<T>& batch, GemmShape shape) const {
    shape.accumulate = batch.accumulate;
    const int64_t slice = RowsOfSlice(2.0 * static_cast<double>(rows_) * static_cast<double>(cols_));
    for (int64_t begin = 0; begin < batch.rows && state().Going(); begin += slice) {
      shape.m = std::min(slice, batch.rows - begin);
      Gemm(state(), shape, batch.in + begin * shape.k, weights_.of<T>(), batch.out + begin * shape.n);
    }
  }

  int64_t rows_, cols_;
  Coefficients weights_;
};

class ScaleMap final : public CudaMapBase<ScaleMap> {
 public:
  ScaleMap(std::shared_ptr<CudaState> state, int64_t size, Coefficients scale, bool identity)
      : CudaMapBase(std::move(state)), scale_(std::move(scale)), identity_(identity) {
    input_size_ = output_size_ = size;
    longest_sum_ = 1;
  }
  template <class T>
  void ForwardT(const Batch<T>& batch) const {
    ForGrid(state(), {batch.rows, input_size_}, ScaleBody<T>{input_size_, Scale<T>(), batch});
  }
  template <class T>
  void BackwardT(const Batch<T>& batch) const {
    ForwardT<T>(batch);
  }
  template <class T>
  ScaleEntry<T> EntryOf() const {
    return {Scale<T>()};
  }

 private:
  template <class T>
  const T* Scale() const {
    return identity_ ? nullptr : scale_.of<T>();
  }
  Coefficients scale_;
  bool identity_;
};

// Compressed rows in both element types.
struct DeviceEntries {
  DeviceArray<int64_t> begin;
  DeviceArray<int32_t> index;
  Coefficients value;
  template <class T>
  Entries<T> of() const {
    return {begin.data(), index.data(), value.of<T>()};
  }
};

absl::StatusOr<DeviceEntries> ToDevice(const std::shared_ptr<CudaState>& state, const ir::SparseMap& map) {
  DeviceEntries made;
  ESPALIER_ASSIGN_OR_RETURN(made.begin, DeviceArray<int64_t>::From(state, map.row_begin));
  ESPALIER_ASSIGN_OR_RETURN(made.index, DeviceArray<int32_t>::From(state, map.column));
  ESPALIER_ASSIGN_OR_RETURN(made.value, Coefficients::From(state, map.value));
  return made;
}

class SparseMap final : public CudaMapBase<SparseMap> {
 public:
  SparseMap(std::shared_ptr<CudaState> state, DeviceEntries by_row, DeviceEntries by_column)
      : CudaMapBase(std::move(state)), by_row_(std::move(by_row)), by_column_(std::move(by_column)) {}
  void SetSizes(int64_t inputs, int64_t outputs, int64_t longest) {
    input_size_ = inputs;
    output_size_ = outputs;
    longest_sum_ = longest;
  }
  template <class T>
  void ForwardT(const Batch<T>& batch) const {
    Gather(input_size_, output_size_, by_row_.of<T>(), batch);
  }
  template <class T>
  void BackwardT(const Batch<T>& batch) const {
    Gather(output_size_, input_size_, by_column_.of<T>(), batch);
  }
  template <class T>
  SparseEntry<T> EntryOf() const {
    return {by_column_.of<T>()};
  }

 private:
  template <class T>
  void Gather(int64_t from, int64_t to, const Entries<T>& entries, const Batch<T>& batch) const {
    ForGrid(state(), {batch.rows, to}, GatherBody<T>{from, to, entries, batch});
  }
  DeviceEntries by_row_, by_column_;
};

absl::StatusOr<CudaMapPtr> MakeScaleMap(std::shared_ptr<CudaState> state, int64_t size,
                                        const std::vector<double>& scale) {
  ESPALIER_ASSIGN_OR_RETURN(Coefficients values, Coefficients::From(state, scale));
  return std::make_shared<ScaleMap>(std::move(state), size, std::move(values), scale.empty());
}

absl::StatusOr<CudaMapPtr> MakeDenseMap(std::shared_ptr<CudaState> state, const ir::DenseMap& map) {
  ESPALIER_ASSIGN_OR_RETURN(Coefficients weights, Coefficients::From(state, map.weights));
  return std::make_shared<DenseMap>(std::move(state), map, std::move(weights));
}

absl::StatusOr<CudaMapPtr> MakeSparseMap(std::shared_ptr<CudaState> state, const ir::SparseMap& map) {
  const ir::SparseMap columns = ir::Transposed(map);
  ESPALIER_ASSIGN_OR_RETURN(DeviceEntries by_row, ToDevice(state, map));
  ESPALIER_ASSIGN_OR_RETURN(DeviceEntries by_column, ToDevice(state, columns));
  auto made = std::make_shared<SparseMap>(std::move(state), std::move(by_row), std::move(by_column));
  made->SetSizes(map.cols, map.rows, std::max(ir::LongestRow(map), ir::LongestRow(columns)));
  return made;
}

}  // namespace

absl::StatusOr<CudaMapPtr> MakeCudaMap(std::shared_ptr<CudaState> state, const ir::LinearMap& map) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) return MakeDenseMap(std::move(state), *m);
  if (const auto* m = std::get_if<ir::ConvMap>(&map)) return MakeConvMap(std::move(state), *m);
  if (const auto* m = std::get_if<ir::SparseMap>(&map)) return MakeSparseMap(std::move(state), *m);
  if (const auto* m = std::get_if<ir::ScaleMap>(&map)) {
    return MakeScaleMap(std::move(state), static_cast<int64_t>(m->scale.size()), m->scale);
  }
  return MakeScaleMap(std::move(state), ir::InputSize(map), {});
}

}  // namespace espalier::cuda_kernels
