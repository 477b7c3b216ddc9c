// Two bodies that use one backend at once (Backend::Both).
#include <omp.h>

#include <array>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "tests/conformance/backend_conformance.h"
#include "tests/conformance/backend_map_cases.h"

namespace espalier::backend {
namespace {

using PreparedMaps = std::vector<std::shared_ptr<const PreparedMap>>;

// A body of Both(), told which of the two it is.
using Body = absl::FunctionRef<absl::Status(int)>;

absl::Status RunBoth(Backend& backend, Body body) {
  return backend.Both([&] { return body(0); }, [&] { return body(1); });
}

ir::LinearMap Sparse(testing::Random& random, int64_t rows, int64_t cols) {
  ir::SparseMap map{rows, cols, {0}, {}, {}};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r % 7; c < cols; c += 7) {
      map.column.push_back(static_cast<int32_t>(c));
      map.value.push_back(random.Normal());
    }
    map.row_begin.push_back(static_cast<int64_t>(map.column.size()));
  }
  return map;
}

// For each library, and loops; first those whose first products make most, which both then meet at once.
std::vector<ir::LinearMapPtr> Maps() {
  testing::Random random(17);
  std::vector<ir::LinearMap> maps;
  for (const auto& [name, shape] : ConvShapes()) {
    if (name != "conv 3x3 same" && name != "conv wide") continue;  // few channels, and many
    maps.push_back(Conv(random, shape, false));
    maps.push_back(Conv(random, shape, true));
  }
  maps.push_back(Dense(random, 37, 53));
  maps.push_back(Dense(random, 256, 257));
  maps.push_back(Sparse(random, 91, 83));
  std::vector<ir::LinearMapPtr> shared;
  for (ir::LinearMap& map : maps) shared.push_back(std::make_shared<ir::LinearMap>(std::move(map)));
  return shared;
}

PreparedMaps Prepare(Backend& backend, const std::vector<ir::LinearMapPtr>& maps) {
  PreparedMaps prepared;
  for (const ir::LinearMapPtr& map : maps) {
    auto made = backend.Prepare(map);
    EXPECT_TRUE(made.ok()) << made.status();
    if (made.ok()) prepared.push_back(*std::move(made));
  }
  return prepared;
}

// Between -1 and 1; in less time than it takes to draw them.
template <class T>
std::vector<T> Scattered(int64_t count, int64_t from) {
  std::vector<T> values;
  for (int64_t i = from; i < from + count; ++i)
    values.push_back(static_cast<T>(i * 7919 % 1009 - 504) / T(505));
  return values;
}

// The map's products in both directions, overwriting and accumulating, appended to `results`.
template <class T>
void AppendProducts(Backend& backend, const PreparedMap& map, int64_t rows,
                    std::vector<std::vector<double>>& results) {
  Kernels<T>& kernels = KernelsOf<T>(backend);
  for (const bool forward : {true, false}) {
    const int64_t from = forward ? map.input_size() : map.output_size();
    const int64_t to = forward ? map.output_size() : map.input_size();
    for (const bool accumulate : {false, true}) {
      Guarded<T> in(backend, Scattered<T>(rows * from, rows)), out(backend, Scattered<T>(rows * to, 0));
      if (forward) {
        kernels.Forward(map, rows, in.data(), out.data(), accumulate);
      } else {
        kernels.Backward(map, rows, in.data(), out.data(), accumulate);
      }
      results.push_back(Doubles(out.Take()));
    }
  }
}

std::vector<std::vector<double>> Products(Backend& backend, const PreparedMaps& maps, int64_t rows) {
  std::vector<std::vector<double>> results;
  for (const auto& map : maps) {
    AppendProducts<float>(backend, *map, rows, results);
    AppendProducts<double>(backend, *map, rows, results);
  }
  return results;
}

class BackendBothTest : public BackendConformanceTest {
 protected:
  // How often a body does the same, for races to have a chance where there can be any.
  int Repeats() { return backend().threads() > 1 ? 50 : 2; }
  // Allocates and frees buffers, the last twenty of which are held; false: one did not keep its value.
  absl::StatusOr<bool> BuffersKeepTheirValues(int64_t value);
};

absl::StatusOr<bool> BackendBothTest::BuffersKeepTheirValues(int64_t value) {
  std::vector<Buffer<int64_t>> buffers;
  bool same = true;
  for (int64_t k = 0; k < 200; ++k) {
    auto buffer = Allocate<int64_t>(backend(), 10 << (k % 4));
    if (!buffer.ok()) return buffer.status();
    const int64_t there = value + k;
    backend().Upload(&there, sizeof(there), buffer->data());
    buffers.push_back(*std::move(buffer));
    if (k < 20) continue;
    int64_t back = 0;
    backend().Download(buffers.front().data(), sizeof(back), &back);
    same = same && back == there - 20;
    buffers.erase(buffers.begin());
  }
  return same;
}

TEST_P(BackendBothTest, BothBodiesRunOnce) {
  std::array<int, 2> runs{};
  const absl::Status status = RunBoth(backend(), [&](int which) {
    ++runs[static_cast<size_t>(which)];
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(runs, (std::array<int, 2>{1, 1}));
}

TEST_P(BackendBothTest, TheFirstErrorIsReturned) {
  const absl::Status fine, one = absl::InternalError("one"), other = absl::NotFoundError("other");
  const auto both = [&](const absl::Status& first, const absl::Status& second) {
    return backend().Both([&] { return first; }, [&] { return second; });
  };
  EXPECT_EQ(both(fine, fine), fine);
  EXPECT_EQ(both(one, fine), one);
  EXPECT_EQ(both(fine, other), other);
  EXPECT_EQ(both(one, other), one);
  Synchronise();  // a body's error is not the backend's
}

TEST_P(BackendBothTest, ProductsAtTheSameTimeAreThoseOfEachAlone) {
  const std::vector<ir::LinearMapPtr> maps = Maps();
  PreparedMaps prepared = Prepare(backend(), maps);
  ASSERT_EQ(prepared.size(), maps.size());
  const std::array<int64_t, 2> rows = {33, 49};
  std::array<std::vector<std::vector<double>>, 2> expected;
  // Each on its half of the threads, for how rows are shared out may decide the order of sums.
  for (int alone : {0, 1}) {
    const absl::Status status = RunBoth(backend(), [&](int which) {
      const auto at = static_cast<size_t>(which);
      if (which == alone) expected[at] = Products(backend(), prepared, rows[at]);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  const int64_t bytes = backend().bytes_in_use();
  for (int k = 0; k < Repeats(); k += 5) {
    prepared = Prepare(backend(), maps);  // both meet what a map's first products make
    const absl::Status status = RunBoth(backend(), [&](int which) {
      const auto at = static_cast<size_t>(which);
      for (int time = 0; time < 5; ++time) {
        const auto products = Products(backend(), prepared, rows[at]);
        EXPECT_TRUE(products == expected[at]) << "body " << which << ", time " << k + time;
      }
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  Synchronise();
  EXPECT_EQ(backend().bytes_in_use(), bytes);
}

TEST_P(BackendBothTest, BothMayPrepareAndAllocate) {
  const std::vector<ir::LinearMapPtr> maps = Maps();
  const int64_t bytes = backend().bytes_in_use();
  const absl::Status status = RunBoth(backend(), [&](int which) {
    for (int time = 0; time < Repeats(); ++time) {
      EXPECT_EQ(Prepare(backend(), maps).size(), maps.size());
      const absl::StatusOr<bool> same = BuffersKeepTheirValues(1000 * which);
      if (!same.ok()) return same.status();
      EXPECT_TRUE(*same) << "body " << which << ", time " << time;
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(backend().bytes_in_use(), bytes);
}

TEST_P(BackendBothTest, ShortagesOfBothAddUp) {
  const absl::Status status = RunBoth(backend(), [&](int) {
    for (int k = 0; k < 50000; ++k) backend().NoteShortage("some");
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(backend().TakeShortages()["some"], 100000);
}

TEST_P(BackendBothTest, WithOneThreadTheyTakeTurnsOnTheCallingThread) {
  if (backend().threads() > 1) return;
  const int before = omp_get_max_threads();
  std::vector<int> order;
  const absl::Status status = RunBoth(backend(), [&, caller = std::this_thread::get_id()](int which) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(omp_get_max_threads(), before);
    order.push_back(which);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  EXPECT_EQ(omp_get_max_threads(), before);
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendBothTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

// OpenMP's threads that both bodies see, which run at the same time.
std::array<int, 2> ThreadsOfBoth(Backend& backend) {
  std::array<int, 2> threads{};
  std::array<absl::Notification, 2> begun;
  const absl::Status status = RunBoth(backend, [&](int which) -> absl::Status {
    threads[static_cast<size_t>(which)] = omp_get_max_threads();
    begun[static_cast<size_t>(which)].Notify();
    if (begun[static_cast<size_t>(1 - which)].WaitForNotificationWithTimeout(absl::Seconds(60)))
      return absl::OkStatus();
    return absl::DeadlineExceededError("the other one has not begun");
  });
  EXPECT_TRUE(status.ok()) << status;
  return threads;
}

TEST(CpuBackendBothTest, EachHasHalfOfTheThreads) {
  for (int threads : {2, 3, 4, 5}) {
    SCOPED_TRACE(absl::StrCat(threads, " threads"));
    const auto backend = MakeCpuBackend({.threads = threads, .memory_bytes = 0});
    ASSERT_TRUE(backend.ok()) << backend.status();
    const std::array<int, 2> halves = {threads - threads / 2, threads / 2};
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(ThreadsOfBoth(**backend), halves);
      EXPECT_EQ(omp_get_max_threads(), threads);
    }
  }
}

TEST(CpuBackendBothTest, OfAShareOfTheThreadsEachHasHalf) {
  const auto backend = MakeCpuBackend({.threads = 6, .memory_bytes = 0});
  ASSERT_TRUE(backend.ok()) << backend.status();
  omp_set_num_threads(3);
  EXPECT_EQ(ThreadsOfBoth(**backend), (std::array<int, 2>{2, 1}));
  EXPECT_EQ(omp_get_max_threads(), 3);
}

}  // namespace
}  // namespace espalier::backend
