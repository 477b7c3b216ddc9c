// What the conformance suite of Backend needs: one parameter per implementation, buffers with sentinels
// behind them, and seeded values. A new backend adds one row to AllBackends() and gets every test in
// backend_*_test.cc.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/property/random_network.h"
#include "verifier/backend/backend.h"

namespace espalier::backend {

struct BackendCase {
  std::string name;
  absl::StatusOr<std::unique_ptr<Backend>> (*make)(int64_t memory_bytes);
};

const std::vector<BackendCase>& AllBackends();
inline void PrintTo(const BackendCase& backend, std::ostream* out) {
  *out << backend.name;
}

class BackendConformanceTest : public ::testing::TestWithParam<BackendCase> {
 protected:
  void SetUp() override {
    auto made = GetParam().make(0);
    ASSERT_TRUE(made.ok()) << made.status();
    backend_ = *std::move(made);
  }
  Backend& backend() { return *backend_; }
  template <class T>
  Kernels<T>& kernels() {
    return KernelsOf<T>(*backend_);
  }
  void Synchronise() {
    const absl::Status status = backend_->Synchronise();
    ASSERT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<Backend> backend_;
};

// Device copy of `values` with sixteen sentinels behind it. Take() returns the values and fails the test when
// a sentinel was overwritten.
template <class T>
class Guarded {
 public:
  Guarded(Backend& backend, const std::vector<T>& values) : backend_(backend), count_(values.size()) {
    std::vector<T> whole = values;
    whole.resize(count_ + kTail, static_cast<T>(kSentinel));
    auto buffer = Allocate<T>(backend, static_cast<int64_t>(whole.size()));
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    if (!buffer.ok()) return;
    buffer_ = *std::move(buffer);
    backend.Upload(whole.data(), static_cast<int64_t>(whole.size() * sizeof(T)), buffer_.data());
  }
  T* data() const { return buffer_.data(); }
  std::vector<T> Take() const {
    std::vector<T> whole(count_ + kTail);
    EXPECT_TRUE(backend_.Synchronise().ok());
    backend_.Download(buffer_.data(), static_cast<int64_t>(whole.size() * sizeof(T)), whole.data());
    for (size_t i = count_; i < whole.size(); ++i) {
      EXPECT_EQ(whole[i], static_cast<T>(kSentinel)) << "written " << i - count_ << " elements past the end";
    }
    whole.resize(count_);
    return whole;
  }

 private:
  static constexpr size_t kTail = 16;
  static constexpr int kSentinel = 12345;
  Backend& backend_;
  size_t count_;
  Buffer<T> buffer_;
};

template <class T>
std::vector<T> Values(testing::Random& random, int64_t count, double scale = 1.0) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& v : values) v = static_cast<T>(scale * random.Normal());
  return values;
}

template <class T>
std::vector<double> Doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

template <class T>
constexpr double Eps() {
  return static_cast<double>(std::numeric_limits<T>::epsilon());
}

// Runs body(T{}) for both element types.
template <class Body>
void ForBothTypes(Body body) {
  {
    SCOPED_TRACE("float32");
    body(float{});
  }
  {
    SCOPED_TRACE("float64");
    body(double{});
  }
}

struct RowShape {
  int64_t rows, n;
};
// One row, one neuron, odd sizes, 300 rows, and enough work for several threads.
inline const std::vector<RowShape>& RowShapes() {
  static const auto* shapes = new std::vector<RowShape>{{1, 1}, {1, 37}, {3, 17}, {300, 41}, {5, 20011}};
  return *shapes;
}

}  // namespace espalier::backend
