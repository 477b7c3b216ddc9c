// Convolutions and transposed convolutions with fixed coefficients.
#include "cuda_kernels/conv.cuh"
#include "cuda_kernels/map_base.cuh"

namespace espalier::cuda_kernels {

// The coefficient between one number of the big image and one of the small, kernel[small_c][patch].
template <class T>
struct ConvEntry {
  ConvGeometry g;
  bool transposed;  // neurons are of the big image
  const T* kernel;
  __device__ T operator()(int32_t neuron, int64_t input) const {
    const BigPlace at(g, transposed ? neuron : input);
    const int small = transposed ? static_cast<int>(input) : neuron;
    const int o = small % g.small_c, q = small / g.small_c % g.small_w, p = small / g.small_c / g.small_w;
    T sum = T(0);
    for (int i = 0; i < g.kernel_h; ++i) {
      if (SmallRow(g, at.h, i) != p) continue;
      for (int j = 0; j < g.kernel_w; ++j) {
        if (SmallColumn(g, at.w, j) != q) continue;
        sum += kernel[o * g.patch() + (int64_t{i} * g.kernel_w + j) * g.big_c + at.c];
      }
    }
    return sum;
  }
};

namespace {

class ConvMap final : public CudaMapBase<ConvMap> {
 public:
  ConvMap(std::shared_ptr<CudaState> state, const ir::ConvMap& map, Coefficients kernel)
      : CudaMapBase(std::move(state)),
        geometry_(GeometryOf(map)),
        transposed_(map.transposed),
        kernel_(std::move(kernel)) {
    input_size_ = transposed_ ? geometry_.small() : geometry_.big();
    output_size_ = transposed_ ? geometry_.big() : geometry_.small();
    longest_sum_ = map.kernel_h * map.kernel_w * std::max(map.big_c, map.small_c);
  }
  template <class T>
  void ForwardT(const Batch<T>& batch) const {
    transposed_ ? SmallToBig(batch) : BigToSmall(batch);
  }
  template <class T>
  void BackwardT(const Batch<T>& batch) const {
    transposed_ ? BigToSmall(batch) : SmallToBig(batch);
  }
  template <class T>
  ConvEntry<T> EntryOf() const {
    return {geometry_, transposed_, kernel_.of<T>()};
  }

 private:
  template <class T>
  void BigToSmall(const Batch<T>& b) const {
    ConvProducts<T>(state(), geometry_).BigToSmall(b.rows, b.in, kernel_.of<T>(), b.out, b.accumulate);
  }
  template <class T>
  void SmallToBig(const Batch<T>& b) const {
    ConvProducts<T>(state(), geometry_).SmallToBig(b.rows, b.in, kernel_.of<T>(), b.out, b.accumulate);
  }

  ConvGeometry geometry_;
  bool transposed_;
  Coefficients kernel_;
};

}  // namespace

absl::StatusOr<CudaMapPtr> MakeConvMap(std::shared_ptr<CudaState> state, const ir::ConvMap& map) {
  ESPALIER_RETURN_IF_ERROR(CheckSizes(map));
  ESPALIER_RETURN_IF_ERROR(ReserveFor(*state, GeometryOf(map)));
  ESPALIER_ASSIGN_OR_RETURN(Coefficients kernel, Coefficients::From(state, map.kernel));
  return std::make_shared<ConvMap>(std::move(state), map, std::move(kernel));
}

}  // namespace espalier::cuda_kernels
