#include "verifier/backend/cpu_onednn.h"

#include <omp.h>

#include <cmath>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "dnnl.hpp"
#include "verifier/backend/cpu_conv_patches.h"
#include "verifier/backend/cpu_onednn_conv.h"
#include "verifier/ir/map_forms.h"

namespace espalier::backend {

void SgemmRowMajor(const GemmShape& s, const float* a, const float* b, float* c) {
  if (s.m == 0 || s.n == 0) return;
  const int64_t lda = s.lda > 0 ? s.lda : s.transpose_a ? s.m : s.k;
  const int64_t ldb = s.ldb > 0 ? s.ldb : s.transpose_b ? s.k : s.n;
  dnnl_sgemm(s.transpose_a ? 'T' : 'N', s.transpose_b ? 'T' : 'N', s.m, s.n, s.k, 1.0f, a, lda, b, ldb,
             s.accumulate ? 1.0f : 0.0f, c, s.ldc > 0 ? s.ldc : s.n);
}

void PrepareSgemm() {
  constexpr int64_t kSize = 16;  // of one element would not do
  omp_set_num_threads(1);        // of the calling thread
  const std::vector<float> ones(kSize * kSize, 1.0f);
  std::vector<float> product(kSize * kSize);
  SgemmRowMajor({.m = kSize, .n = kSize, .k = kSize}, ones.data(), ones.data(), product.data());
}

namespace {

using dnnl::memory;

struct CachedPrimitive {
  dnnl::primitive primitive;
  memory::desc big, small;
  memory weights;
};

}  // namespace

struct OneDnnConvolution::Impl {
  Impl(std::shared_ptr<const ir::ConvMap> m, bool a)
      : map(std::move(m)), absolute(a), geometry(ir::GeometryOf(*map)), descriptions(geometry) {}

  std::shared_ptr<const ir::ConvMap> map;
  bool absolute;
  ir::ConvMap geometry;  // without coefficients
  ConvDescriptions descriptions;
  std::mutex turn;  // of oneDNN's stream and what is cached
  std::once_flag kernel_once;
  std::vector<float> kernel;
  dnnl::stream stream{CpuEngine()};
  std::map<int64_t, CachedPrimitive> forward, backward;  // by batch size

  float* Kernel() {
    std::call_once(kernel_once, [this] {
      kernel.reserve(map->kernel.size());
      for (double k : map->kernel) kernel.push_back(static_cast<float>(absolute ? std::fabs(k) : k));
    });
    return kernel.data();
  }

  memory ReorderedWeights(const memory::desc& wanted) {
    memory plain(descriptions.Kernel(), CpuEngine(), Kernel());
    memory target(wanted, CpuEngine());
    dnnl::reorder(plain, target).execute(stream, plain, target);
    stream.wait();
    return target;
  }

  CachedPrimitive& Forward(int64_t rows) {
    auto it = forward.find(rows);
    if (it == forward.end()) {
      const auto description = descriptions.Forward(rows);
      it = forward
               .emplace(rows, CachedPrimitive{dnnl::convolution_forward(description), descriptions.Big(rows),
                                              descriptions.Small(rows),
                                              ReorderedWeights(description.weights_desc())})
               .first;
    }
    return it->second;
  }

  CachedPrimitive& Backward(int64_t rows) {
    auto it = backward.find(rows);
    if (it == backward.end()) {
      const auto description = descriptions.BackwardData(rows);
      it = backward
               .emplace(rows, CachedPrimitive{dnnl::convolution_backward_data(description),
                                              descriptions.Big(rows), descriptions.Small(rows),
                                              ReorderedWeights(description.weights_desc())})
               .first;
    }
    return it->second;
  }
};

OneDnnConvolution::OneDnnConvolution(std::shared_ptr<const ir::ConvMap> map, bool absolute)
    : impl_(std::make_unique<Impl>(std::move(map), absolute)) {}

OneDnnConvolution::~OneDnnConvolution() = default;

absl::Status OneDnnConvolution::BigToSmall(int64_t rows, const float* big, float* small_out) {
  std::lock_guard lock(impl_->turn);
  return CatchOneDnn([&] {
    Impl& impl = *impl_;
    for (int64_t done = 0; done < rows;) {
      const int64_t piece = BatchPiece(rows - done);
      CachedPrimitive& cached = impl.Forward(piece);
      memory source(cached.big, CpuEngine(), const_cast<float*>(big + done * impl.descriptions.big_size()));
      memory target(cached.small, CpuEngine(), small_out + done * impl.descriptions.small_size());
      cached.primitive.execute(
          impl.stream, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, cached.weights}, {DNNL_ARG_DST, target}});
      done += piece;
    }
    impl.stream.wait();
    return absl::OkStatus();
  });
}

absl::Status OneDnnConvolution::SmallToBig(int64_t rows, const float* small, float* big_out) {
  if (PatchesAreFaster(impl_->geometry)) {
    ConvSmallToBig(impl_->geometry, impl_->Kernel(), rows, small, /*accumulate=*/false, big_out);
    return absl::OkStatus();
  }
  std::lock_guard lock(impl_->turn);
  return CatchOneDnn([&] {
    Impl& impl = *impl_;
    for (int64_t done = 0; done < rows;) {
      const int64_t piece = BatchPiece(rows - done);
      CachedPrimitive& cached = impl.Backward(piece);
      memory source(cached.small, CpuEngine(),
                    const_cast<float*>(small + done * impl.descriptions.small_size()));
      memory target(cached.big, CpuEngine(), big_out + done * impl.descriptions.big_size());
      cached.primitive.execute(
          impl.stream,
          {{DNNL_ARG_DIFF_DST, source}, {DNNL_ARG_WEIGHTS, cached.weights}, {DNNL_ARG_DIFF_SRC, target}});
      done += piece;
    }
    impl.stream.wait();
    return absl::OkStatus();
  });
}

}  // namespace espalier::backend
