// Memory and the rest of the contract that is not arithmetic.
#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {
namespace {

class BackendMemoryTest : public BackendConformanceTest {};

TEST_P(BackendMemoryTest, UploadsComeBack) {
  const std::vector<double> values = {1.5, -2.5, 1e300, -0.0};
  Guarded<double> buffer(backend(), values);
  EXPECT_EQ(buffer.Take(), values);
}

TEST_P(BackendMemoryTest, WideningIsExact) {
  const std::vector<float> values = {1.0f, -0.1f, 3.4e38f, 1e-45f, 0.0f};
  Guarded<float> narrow(backend(), values);
  Guarded<double> wide(backend(), std::vector<double>(values.size(), 0.0));
  backend().Widen(static_cast<int64_t>(values.size()), narrow.data(), wide.data());
  EXPECT_EQ(wide.Take(), Doubles(values));
}

TEST_P(BackendMemoryTest, EmptyRequestsGetABuffer) {
  const auto buffer = Allocate<float>(backend(), 0);
  ASSERT_TRUE(buffer.ok());
  EXPECT_NE(buffer->data(), nullptr);
}

TEST_P(BackendMemoryTest, BuffersDoNotOverlap) {
  std::vector<Buffer<int32_t>> buffers;
  for (int round = 0; round < 2; ++round) {  // the second round reuses what the first gave back
    buffers.clear();
    for (int32_t i = 0; i < 40; ++i) {
      auto buffer = Allocate<int32_t>(backend(), 10 + 13 * i);
      ASSERT_TRUE(buffer.ok());
      const std::vector<int32_t> values(static_cast<size_t>(10 + 13 * i), i);
      backend().Upload(values.data(), static_cast<int64_t>(values.size() * sizeof(int32_t)), buffer->data());
      buffers.push_back(*std::move(buffer));
    }
    for (int32_t i = 0; i < 40; ++i) {
      std::vector<int32_t> values(static_cast<size_t>(10 + 13 * i));
      backend().Download(buffers[static_cast<size_t>(i)].data(),
                         static_cast<int64_t>(values.size() * sizeof(int32_t)), values.data());
      EXPECT_EQ(values, std::vector<int32_t>(values.size(), i));
    }
  }
}

TEST_P(BackendMemoryTest, BytesInUseFollowTheBuffers) {
  const int64_t before = backend().bytes_in_use();
  {
    const auto buffer = Allocate<double>(backend(), 1000);
    ASSERT_TRUE(buffer.ok());
    EXPECT_GE(backend().bytes_in_use(), before + 8000);
    Buffer<double> empty;
  }
  EXPECT_EQ(backend().bytes_in_use(), before);
}

TEST_P(BackendMemoryTest, MovedBuffersFreeOnce) {
  const int64_t before = backend().bytes_in_use();
  {
    auto first = Allocate<double>(backend(), 100), second = Allocate<double>(backend(), 5000);
    ASSERT_TRUE(first.ok() && second.ok());
    const double* data = second->data();
    *first = *std::move(second);
    EXPECT_EQ(first->data(), data);
  }
  EXPECT_EQ(backend().bytes_in_use(), before);
}

TEST_P(BackendMemoryTest, TheBudgetIsKeptAndRecovers) {
  auto small = GetParam().make(1 << 20);
  ASSERT_TRUE(small.ok());
  Backend& limited = **small;
  {
    const auto half = Allocate<char>(limited, 1 << 19);
    ASSERT_TRUE(half.ok()) << half.status();
    const auto refused = Allocate<char>(limited, 1 << 20);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
    EXPECT_TRUE(limited.Synchronise().ok()) << "a refused buffer must not poison the backend";
    EXPECT_TRUE(Allocate<char>(limited, 1 << 16).ok()) << "a smaller batch must still fit";
  }
  // What was given back in other sizes must not count against the whole.
  EXPECT_TRUE(Allocate<char>(limited, 1 << 20).ok());
  EXPECT_LE(limited.bytes_in_use(), 1 << 20);
}

TEST_P(BackendMemoryTest, ImpossibleRequestsAreRefused) {
  const auto refused = backend().AllocateBytes(int64_t{1} << 56);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
}

TEST_P(BackendMemoryTest, ThreadsAreThoseAskedFor) {
  EXPECT_GE(backend().threads(), 1);
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendMemoryTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
