#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "verifier/backend/cpu_conv_patches.h"
#include "verifier/backend/cpu_onednn_conv.h"
#include "verifier/backend/cpu_trainable.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

using dnnl::memory;

enum class Direction { kForward, kBackward, kWeights };

// A kernel, or its gradient, in a layout of oneDNN's choosing.
struct KernelCopy {
  memory::desc layout;
  Buffer<float> buffer;
  memory held;
  dnnl::reorder from_plain, to_plain, add_to_plain;
  int64_t version = -1;  // of the weights it was made from
};

// One of the three products at one batch size. The addresses of its images are set before each run.
struct BatchProduct {
  dnnl::primitive primitive;
  memory big, small;
  KernelCopy* kernel = nullptr;
  std::unordered_map<int, memory> arguments;
};

// oneDNN's names of a product's arguments.
struct ArgumentNames {
  int big, small, kernel;
};

class ConvTrainable final : public CpuTrainable {
 public:
  ConvTrainable(Backend& backend, const ir::ConvMap& map)
      : backend_(backend), geometry_(map), descriptions_(map) {
    geometry_.kernel.clear();
    input_size_ = descriptions_.big_size();
    output_size_ = descriptions_.small_size();
  }

  absl::Status Allocate(const ir::ConvMap& map) {
    ESPALIER_RETURN_IF_ERROR(AllocateWeights(backend_, map.kernel));
    plain_weights_ = memory(descriptions_.Kernel(), CpuEngine(), weights());
    plain_gradient_ = memory(descriptions_.Kernel(), CpuEngine(), gradient());
    return absl::OkStatus();
  }

  void WeightsChanged() override { ++version_; }

  absl::Status Forward(int64_t rows, const float* x, float* y) override {
    return Run(Direction::kForward, rows, const_cast<float*>(x), y);
  }
  absl::Status Backward(int64_t rows, const float* gy, float* gx) override {
    if (PatchesAreFaster(geometry_)) {
      ConvSmallToBig(geometry_, weights(), rows, gy, /*accumulate=*/false, gx);
      return absl::OkStatus();
    }
    return Run(Direction::kBackward, rows, gx, const_cast<float*>(gy));
  }
  absl::Status WeightGradient(int64_t rows, const float* x, const float* gy) override {
    return Run(Direction::kWeights, rows, const_cast<float*>(x), const_cast<float*>(gy));
  }

 private:
  absl::Status Run(Direction direction, int64_t rows, float* big, float* small) {
    return CatchOneDnn([&]() -> absl::Status {
      for (int64_t done = 0; done < rows;) {
        const int64_t piece = BatchPiece(rows - done);
        ESPALIER_ASSIGN_OR_RETURN(BatchProduct * product, Product(direction, piece));
        KernelCopy& kernel = *product->kernel;
        if (direction != Direction::kWeights && kernel.version != version_) {
          kernel.from_plain.execute(stream_, plain_weights_, kernel.held);
          kernel.version = version_;
        }
        product->big.set_data_handle(big + done * input_size_);
        product->small.set_data_handle(small + done * output_size_);
        product->primitive.execute(stream_, product->arguments);
        if (direction == Direction::kWeights) {
          (done == 0 ? kernel.to_plain : kernel.add_to_plain).execute(stream_, kernel.held, plain_gradient_);
        }
        done += piece;
      }
      stream_.wait();
      return absl::OkStatus();
    });
  }

  absl::StatusOr<BatchProduct*> Product(Direction direction, int64_t piece) {
    const auto found = products_.find({direction, piece});
    if (found != products_.end()) return &found->second;
    BatchProduct made;
    if (direction == Direction::kForward) {
      const auto description = descriptions_.Forward(piece);
      made.primitive = dnnl::convolution_forward(description);
      ESPALIER_RETURN_IF_ERROR(
          Bind(made, piece, description.weights_desc(), {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS}));
    } else if (direction == Direction::kBackward) {
      const auto description = descriptions_.BackwardData(piece);
      made.primitive = dnnl::convolution_backward_data(description);
      ESPALIER_RETURN_IF_ERROR(Bind(made, piece, description.weights_desc(),
                                    {DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS}));
    } else {
      const auto description = descriptions_.BackwardWeights(piece);
      made.primitive = dnnl::convolution_backward_weights(description);
      ESPALIER_RETURN_IF_ERROR(Bind(made, piece, description.diff_weights_desc(),
                                    {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS}));
    }
    return &products_.emplace(std::pair(direction, piece), std::move(made)).first->second;
  }

  absl::Status Bind(BatchProduct& product, int64_t piece, const memory::desc& kernel_layout,
                    const ArgumentNames& names) {
    const bool gradient = names.kernel == DNNL_ARG_DIFF_WEIGHTS;
    ESPALIER_ASSIGN_OR_RETURN(product.kernel,
                              CopyIn(kernel_layout, gradient ? gradient_copies_ : weight_copies_));
    product.big = memory(descriptions_.Big(piece), CpuEngine(), nullptr);
    product.small = memory(descriptions_.Small(piece), CpuEngine(), nullptr);
    product.arguments = {
        {names.big, product.big}, {names.small, product.small}, {names.kernel, product.kernel->held}};
    return absl::OkStatus();
  }

  // Batch sizes that agree on a layout share the copy.
  absl::StatusOr<KernelCopy*> CopyIn(const memory::desc& layout, std::deque<KernelCopy>& copies) {
    for (KernelCopy& copy : copies) {
      if (copy.layout == layout) return &copy;
    }
    KernelCopy copy;
    copy.layout = layout;
    ESPALIER_ASSIGN_OR_RETURN(
        copy.buffer,
        backend::Allocate<float>(backend_, static_cast<int64_t>(layout.get_size() / sizeof(float))));
    copy.held = memory(layout, CpuEngine(), copy.buffer.data());
    copy.from_plain = dnnl::reorder(plain_weights_, copy.held);
    copy.to_plain = dnnl::reorder(copy.held, plain_gradient_);
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    dnnl::primitive_attr adding;
    adding.set_post_ops(sum);
    copy.add_to_plain = dnnl::reorder(copy.held, plain_gradient_, adding);
    return &copies.emplace_back(std::move(copy));
  }

  Backend& backend_;
  ir::ConvMap geometry_;  // without coefficients
  ConvDescriptions descriptions_;
  dnnl::stream stream_{CpuEngine()};
  memory plain_weights_, plain_gradient_;
  int64_t version_ = 0;
  std::map<std::pair<Direction, int64_t>, BatchProduct> products_;
  std::deque<KernelCopy> weight_copies_, gradient_copies_;  // addresses must last
};

}  // namespace

absl::StatusOr<std::unique_ptr<CpuTrainable>> MakeConvTrainable(Backend& backend, const ir::ConvMap& map) {
  auto made = std::make_unique<ConvTrainable>(backend, map);
  ESPALIER_RETURN_IF_ERROR(made->Allocate(map));
  return made;
}

}  // namespace espalier::backend
