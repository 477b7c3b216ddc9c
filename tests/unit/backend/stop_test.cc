// A backend whose stop token has fired computes nothing more and says so.
#include <gtest/gtest.h>

#include <vector>

#include "verifier/backend/backend.h"

namespace espalier::backend {
namespace {

ir::LinearMapPtr Sum(int64_t inputs) {
  return std::make_shared<ir::LinearMap>(
      ir::DenseMap{1, inputs, std::vector<double>(static_cast<size_t>(inputs), 1.0)});
}

class StoppedBackend : public testing::Test {
 protected:
  StoppedBackend() {
    auto made = MakeCpuBackend({.threads = 1, .memory_bytes = 0, .stop = source_.token()});
    EXPECT_TRUE(made.ok()) << made.status();
    backend_ = *std::move(made);
    map_ = *backend_->Prepare(Sum(4));
  }

  StopSource source_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const PreparedMap> map_;
};

TEST_F(StoppedBackend, WorksUntilTheTokenFires) {
  const std::vector<double> x = {1, 2, 3, 4};
  double y = 0;
  backend_->f64().Forward(*map_, 1, x.data(), &y, false);
  ASSERT_TRUE(backend_->Synchronise().ok());
  EXPECT_EQ(y, 10);
}

TEST_F(StoppedBackend, DoesNothingAfterwardsAndNeverReportsSuccess) {
  source_.Cancel();
  const std::vector<double> x = {1, 2, 3, 4};
  const std::vector<float> xf = {1, 2, 3, 4};
  double y = -7, sum = -7, filled = -7;
  float yf = -7;
  backend_->f64().Forward(*map_, 1, x.data(), &y, false);
  backend_->f32().Forward(*map_, 1, xf.data(), &yf, false);
  backend_->f64().Dot(1, 4, x.data(), x.data(), &sum);
  backend_->f64().Fill(1, 1.0, &filled);
  EXPECT_EQ(y, -7);
  EXPECT_EQ(yf, -7);
  EXPECT_EQ(sum, -7);
  EXPECT_EQ(filled, -7);
  EXPECT_TRUE(absl::IsCancelled(backend_->Synchronise()));
  EXPECT_TRUE(absl::IsCancelled(backend_->Synchronise())) << "for good";
  EXPECT_TRUE(absl::IsCancelled(backend_->Prepare(Sum(4)).status()));
  EXPECT_TRUE(absl::IsCancelled(backend_->PrepareAbs(Sum(4)).status()));
}

// Products of many rows are computed in slices: every row must be there.
TEST_F(StoppedBackend, SlicesCoverAllRows) {
  const int64_t rows = 1000, inputs = 400;
  const auto map = backend_->Prepare(std::make_shared<ir::LinearMap>(
      ir::DenseMap{inputs, inputs, std::vector<double>(static_cast<size_t>(inputs * inputs), 1.0)}));
  ASSERT_TRUE(map.ok());
  std::vector<double> x(static_cast<size_t>(rows * inputs)), y(x.size(), -1);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i / static_cast<size_t>(inputs));
  for (const bool forward : {true, false}) {
    std::fill(y.begin(), y.end(), -1);
    forward ? backend_->f64().Forward(**map, rows, x.data(), y.data(), false)
            : backend_->f64().Backward(**map, rows, x.data(), y.data(), false);
    ASSERT_TRUE(backend_->Synchronise().ok());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], static_cast<double>(inputs) * static_cast<double>(i / static_cast<size_t>(inputs)));
    }
  }
}

}  // namespace
}  // namespace espalier::backend
