// The rest of the backend's contract on a card that misbehaves, and that the simulated card notices what it
// is there to notice.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "cuda_kernels/cuda_backend.h"
#include "cuda_kernels/launch.cuh"
#include "device.h"
#include "verifier/backend/training.h"
#include "verifier/base/device_lost.h"

namespace espalier::cuda_kernels {
namespace {

using backend::Allocate;

class CardTest : public testing::Test {
 protected:
  ~CardTest() override {
    backend_.reset();
    cuda_on_host::Behave({});
  }
  void Open(const cuda_on_host::Behaviour& behaviour = {}, const CudaOptions& options = {}) {
    cuda_on_host::Behave(behaviour);
    auto made = MakeCudaBackend(options);
    ASSERT_TRUE(made.ok()) << made.status();
    backend_ = *std::move(made);
  }
  ir::LinearMapPtr Ones(int64_t rows, int64_t cols) {
    return std::make_shared<ir::LinearMap>(
        ir::DenseMap{rows, cols, std::vector<double>(static_cast<size_t>(rows * cols), 1.0)});
  }
  std::unique_ptr<backend::Backend> backend_;
};

TEST_F(CardTest, AnErrorOfTheCardIsStickyAndNothingIsReadAfterIt) {
  Open();
  const auto buffer = Allocate<double>(*backend_, 100);
  ASSERT_TRUE(buffer.ok());
  cuda_on_host::Behave({.fail_launch = 2});
  backend_->f64().Fill(100, 1.0, buffer->data());
  backend_->f64().Fill(100, 2.0, buffer->data());
  backend_->f64().Fill(100, 3.0, buffer->data());
  EXPECT_EQ(backend_->Synchronise().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(backend_->Synchronise().code(), absl::StatusCode::kInternal) << "for good";
  EXPECT_TRUE(IsDeviceLost(backend_->Synchronise()));
  std::vector<double> read(100, 7.0);
  backend_->Download(buffer->data(), 800, read.data());
  for (double v : read) EXPECT_TRUE(std::isnan(v));
  EXPECT_FALSE(Allocate<double>(*backend_, 1).ok());
}

TEST_F(CardTest, NothingRunsAfterTheTokenFired) {
  StopSource source;
  Open({}, {.stop = source.token()});
  const auto map = backend_->Prepare(Ones(4, 4));
  ASSERT_TRUE(map.ok());
  const auto buffer = Allocate<float>(*backend_, 16);
  backend_->f32().Fill(16, 5.0f, buffer->data());
  ASSERT_TRUE(backend_->Synchronise().ok());
  source.Cancel();
  const int64_t launches = cuda_on_host::CountsSoFar().launches;
  backend_->f32().Fill(16, 6.0f, buffer->data());
  backend_->f32().Forward(**map, 2, buffer->data(), buffer->data() + 8, false);
  backend_->training().AddRows(4, 4, buffer->data(), buffer->data());
  EXPECT_EQ(cuda_on_host::CountsSoFar().launches, launches);
  EXPECT_TRUE(absl::IsCancelled(backend_->Synchronise()));
  EXPECT_TRUE(absl::IsCancelled(backend_->Synchronise())) << "for good";
  EXPECT_TRUE(absl::IsCancelled(backend_->Prepare(Ones(2, 2)).status()));
  std::vector<float> read(16);
  backend_->Download(buffer->data(), 64, read.data());
  EXPECT_EQ(read, std::vector<float>(16, 5.0f));
}

TEST_F(CardTest, ACardThatIsFullRefusesAndGoesOn) {
  Open({.memory = 64 << 20});
  EXPECT_EQ(Allocate<char>(*backend_, 60 << 20).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Allocate<char>(*backend_, 1 << 20).ok());
  EXPECT_TRUE(backend_->Synchronise().ok());
}

TEST_F(CardTest, ConvolutionsOfManyImagesAreCutToTheWorkspace) {
  Open({}, {.memory_bytes = 1 << 20});  // a workspace of 64 KiB
  ir::ConvMap map;
  map.big_h = map.big_w = map.small_h = map.small_w = 8;
  map.big_c = 2, map.small_c = 3;
  map.kernel_h = map.kernel_w = 3;
  map.pad_top = map.pad_left = 1;
  map.kernel.assign(54, 1.0);
  const auto prepared = backend_->Prepare(std::make_shared<ir::LinearMap>(map));
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const int64_t rows = 100;
  const auto x = Allocate<float>(*backend_, rows * 128), y = Allocate<float>(*backend_, rows * 192);
  ASSERT_TRUE(x.ok() && y.ok());
  backend_->f32().Fill(rows * 128, 1.0f, x->data());
  const int64_t launches = cuda_on_host::CountsSoFar().launches;
  backend_->f32().Forward(**prepared, rows, x->data(), y->data(), false);
  EXPECT_GT(cuda_on_host::CountsSoFar().launches, launches + 5);
  std::vector<float> read(static_cast<size_t>(rows * 192));
  backend_->Download(y->data(), static_cast<int64_t>(read.size() * 4), read.data());
  ASSERT_TRUE(backend_->Synchronise().ok());
  for (size_t i = 0; i < read.size(); i += 192) {
    EXPECT_EQ(read[i], 8.0f) << "a corner sees four pixels of two channels";
    EXPECT_EQ(read[i + 3 * 9], 18.0f) << "the inside sees nine";
  }
}

TEST_F(CardTest, WithoutADriverThatIsWhatIsSaid) {
  cuda_on_host::Behave({.driver = 0});
  const absl::Status status = MakeCudaBackend({}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(status.message().find("no NVIDIA driver"), std::string::npos) << status;
  EXPECT_EQ(CudaDevices().status(), status);
}

// A stream takes work from a thread whose current device is its own only.
TEST_F(CardTest, BackendsOfTwoCardsTakeTurnsOnOneThread) {
  Open({.devices = 2}, {.device = 1});
  auto first = MakeCudaBackend({.device = 0});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(CudaDevices()->size(), 2u);
  EXPECT_TRUE(absl::IsNotFound(MakeCudaBackend({.device = 2}).status()));
  const auto on_second = Allocate<double>(*backend_, 100);
  const auto on_first = Allocate<double>(**first, 100);
  ASSERT_TRUE(on_first.ok() && on_second.ok());
  for (int i = 0; i < 3; ++i) {
    backend_->f64().Fill(100, 1.0 + i, on_second->data());
    (*first)->f64().Fill(100, 2.0 + i, on_first->data());
  }
  double value = 0;
  backend_->Download(on_second->data(), 8, &value);
  EXPECT_EQ(value, 3.0);
  (*first)->Download(on_first->data(), 8, &value);
  EXPECT_EQ(value, 4.0);
  EXPECT_TRUE(backend_->Synchronise().ok());
  EXPECT_TRUE((*first)->Synchronise().ok());
}

TEST_F(CardTest, TheOptimisationLoopNeverWaits) {
  Open();
  const auto map = backend_->Prepare(Ones(32, 32));
  const auto a = Allocate<float>(*backend_, 1024), b = Allocate<float>(*backend_, 1024);
  ASSERT_TRUE(map.ok() && a.ok() && b.ok());
  backend_->f32().Fill(1024, 1.0f, a->data());
  const int64_t waits = cuda_on_host::CountsSoFar().waits;
  const std::vector<float> values(1024, 0.5f);
  for (int step = 0; step < 50; ++step) {
    backend_->Upload(values.data(), 4096, a->data());
    backend_->f32().Backward(**map, 32, a->data(), b->data(), false);
    backend_->f32().Multiply(1024, b->data(), a->data());
    const auto scratch = Allocate<float>(*backend_, 500);
    EXPECT_TRUE(scratch.ok());
  }
  EXPECT_EQ(cuda_on_host::CountsSoFar().waits, waits);
  EXPECT_TRUE(backend_->Synchronise().ok());
}

// The reader's thread comes before the writer's unless both orders are kept apart by a barrier.
struct NeighbourBody {
  bool barrier;
  double *values, *out;
  __device__ void operator()(const RowThreads& row, int64_t r) const {
    double* const own = values + r * row.width();
    own[row.lane()] = row.lane() + 1;
    if (barrier) row.Barrier();
    out[r * row.width() + row.lane()] = own[(row.lane() + 1) % row.width()];
  }
};

struct NumberBody {
  double* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<double>(i); }
};

struct LonelyBody {
  __device__ void operator()(const RowThreads& row, int64_t) const {
    if (row.lane() < 32) row.Barrier();
  }
};

std::vector<double> Neighbours(bool barrier, int64_t n) {
  auto state = CudaState::Make(0, 1 << 20, StopToken());
  EXPECT_TRUE(state.ok());
  const int64_t width = n <= 1024 ? 32 : 128;
  auto values = DeviceArray<double>::From(*state, std::vector<double>(static_cast<size_t>(3 * width), 0.0));
  auto out = DeviceArray<double>::From(*state, std::vector<double>(static_cast<size_t>(3 * width), 0.0));
  ForRows(**state, {3, n}, NeighbourBody{barrier, values->data(), out->data()});
  std::vector<double> read(static_cast<size_t>(3 * width));
  (*state)->Download(out->data(), 3 * width * 8, read.data());
  EXPECT_TRUE((*state)->Synchronise().ok());
  return read;
}

TEST(SimulatedCardTest, ShowsAMissingBarrier) {
  for (const int64_t n : {100, 5000}) {
    for (uint64_t seed : {0, 1, 2, 3}) {
      cuda_on_host::Behave(
          {.schedule = seed == 0 ? cuda_on_host::Schedule::kLate : cuda_on_host::Schedule::kPortions,
           .seed = seed});
      const std::vector<double> with = Neighbours(true, n), without = Neighbours(false, n);
      const size_t width = with.size() / 3;
      for (size_t i = 0; i < with.size(); ++i) {
        ASSERT_EQ(with[i], static_cast<double>((i + 1) % width + 1)) << "seed " << seed << " element " << i;
      }
      EXPECT_NE(with, without);
    }
  }
}

TEST(SimulatedCardDeathTest, NoticesWritesBehindABuffer) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        auto state = CudaState::Make(0, 1 << 20, StopToken());
        auto values = DeviceArray<double>::Of(*state, 3);
        Launch(**state, dim3(1), dim3(4), ElementsKernel<NumberBody>, int64_t{4}, NumberBody{values->data()});
        absl::Status ignored = (*state)->Synchronise();
        *values = DeviceArray<double>();
        ignored = (*state)->Synchronise();
      },
      "behind a buffer|use-after-poison");
}

#if defined(__SANITIZE_ADDRESS__)
struct SumBody {
  const double* in;
  double* out;
  __device__ void operator()(const RowThreads& row, int64_t) const {
    const double sum = row.Sum(in[row.lane()]);  // makes fibers of the threads
    if (row.lane() == 0) *out = sum + in[row.width()];
  }
};

TEST(SimulatedCardDeathTest, NoticesReadsBehindABufferInAFiber) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        auto state = CudaState::Make(0, 1 << 20, StopToken());
        auto values = DeviceArray<double>::From(*state, std::vector<double>(32, 1.0));
        auto out = DeviceArray<double>::Of(*state, 1);
        ForRows(**state, {1, 32}, SumBody{values->data(), out->data()});
        absl::Status ignored = (*state)->Synchronise();
      },
      "use-after-poison");
}
#endif

TEST(SimulatedCardDeathTest, NoticesAHostThatReadsDeviceMemory) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        cuda_on_host::Behave({.closed = true});
        auto state = CudaState::Make(0, 1 << 20, StopToken());
        auto values = DeviceArray<double>::From(*state, std::vector<double>{1, 2, 3});
        absl::Status ignored = (*state)->Synchronise();
        std::printf("%f\n", values->data()[1]);
      },
      "");
}

TEST(SimulatedCardDeathTest, NoticesThreadsThatDoNotMeet) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        auto state = CudaState::Make(0, 1 << 20, StopToken());
        ForRows(**state, {1, 5000}, LonelyBody{});
        absl::Status ignored = (*state)->Synchronise();
      },
      "barrier");
}

// Work that was queued has not run before something waits for it.
TEST(SimulatedCardTest, RunsLate) {
  cuda_on_host::Behave({});
  auto state = CudaState::Make(0, 1 << 20, StopToken());
  auto values = DeviceArray<double>::Of(*state, 8);
  Launch(**state, dim3(1), dim3(8), ElementsKernel<NumberBody>, int64_t{8}, NumberBody{values->data()});
  EXPECT_TRUE(std::isnan(values->data()[0])) << "poisoned until then";
  EXPECT_TRUE((*state)->Synchronise().ok());
  EXPECT_EQ(values->data()[7], 7.0);
}

}  // namespace
}  // namespace espalier::cuda_kernels
