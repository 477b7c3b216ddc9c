// Rows of an inner stage bounded on what they are made of, against the same on everything: input coefficients
// that are all zero change nothing but that.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/property/random_network.h"
#include "verifier/backend/compact.h"
#include "verifier/backend/cpu_compact_program.h"
#include "verifier/backend/cpu_compact_reach.h"
#include "verifier/backend/factory.h"

namespace espalier::backend {
namespace {

using testing::Random;

constexpr int32_t kPixels = 60, kChannels = 3;

// A row of pixels: what is left of three convolutions over three neighbours each, the last of which also
// reads what the first one gave, and of a dense layer. Some neurons are constant (nothing is left of them),
// others linear.
struct LocalNetwork {
  // `with_cuts`: half of the unstable neurons have one.
  explicit LocalNetwork(Random& random, bool with_cuts = false) : cuts(with_cuts) {
    network.inputs = network.slots = kPixels * kChannels;
    for (int32_t i = 0; i < network.inputs; ++i) {
      network.lower.push_back(random.Uniform(-1, 0));
      network.upper.push_back(random.Uniform(0, 1));
    }
    std::vector<std::vector<int32_t>> pixels(kPixels);
    for (int32_t i = 0; i < network.inputs; ++i) pixels[static_cast<size_t>(i / kChannels)].push_back(i);
    const auto first = Convolve(random, pixels);
    const auto second = Convolve(random, first);
    std::vector<std::vector<int32_t>> both = second;
    for (size_t p = 0; p < both.size(); ++p) {
      both[p].insert(both[p].begin(), first[p].begin(), first[p].end());
    }
    AddOutputs(random, Convolve(random, both));
  }

  const bool cuts;
  CompactNetwork network;

 private:
  // Slots of each pixel that later rows read.
  std::vector<std::vector<int32_t>> Convolve(Random& random,
                                             const std::vector<std::vector<int32_t>>& pixels) {
    CompactStage affine, activation;
    std::vector<std::vector<int32_t>> result(kPixels);
    affine.begin = network.slots;
    for (int32_t p = 0; p < kPixels; ++p) {
      std::vector<int32_t> read;
      for (int32_t q = std::max(0, p - 1); q <= std::min(kPixels - 1, p + 1); ++q) {
        const auto& slots = pixels[static_cast<size_t>(q)];
        read.insert(read.end(), slots.begin(), slots.end());
      }
      std::sort(read.begin(), read.end());
      for (int32_t c = 0; c < kChannels; ++c) {
        if (random.Chance(0.2)) continue;  // constant
        const int32_t slot = affine.begin + static_cast<int32_t>(affine.bias.size());
        for (const int32_t column : read) {
          affine.rows.column.push_back(column);
          affine.rows.value.push_back(random.Normal() / 3);
        }
        affine.rows.begin.push_back(static_cast<int64_t>(affine.rows.column.size()));
        affine.bias.push_back(0.3 * random.Normal());
        const bool unstable = random.Chance(0.7);
        if (unstable) activation.source.push_back(slot);
        result[static_cast<size_t>(p)].push_back(unstable ? -static_cast<int32_t>(activation.source.size())
                                                          : slot);
      }
    }
    network.slots += affine.size();
    activation.source_stage = static_cast<int32_t>(network.stages.size());
    network.stages.push_back(affine);
    if (cuts) AddCuts(random, affine, activation);
    activation.begin = network.slots;
    activation.first_unstable = static_cast<int32_t>(network.unstable());
    for (auto& slots : result) {
      for (int32_t& slot : slots) slot = slot < 0 ? activation.begin - slot - 1 : slot;
      std::sort(slots.begin(), slots.end());
    }
    network.slots += activation.size();
    for (size_t j = 0; j < activation.source.size(); ++j) AddLine(random);
    network.stages.push_back(std::move(activation));
    return result;
  }

  // Any rows over what the neurons' own read.
  void AddCuts(Random& random, const CompactStage& affine, const CompactStage& activation) {
    CompactStage planes, cuts_stage;
    planes.begin = network.slots;
    for (size_t j = 0; j < activation.source.size(); ++j) {
      if (random.Chance(0.5)) continue;
      const auto r = static_cast<size_t>(activation.source[j] - affine.begin);
      for (int64_t k = affine.rows.begin[r]; k < affine.rows.begin[r + 1]; ++k) {
        planes.rows.column.push_back(affine.rows.column[static_cast<size_t>(k)]);
        planes.rows.value.push_back(0.2 * random.Normal());
      }
      planes.rows.begin.push_back(static_cast<int64_t>(planes.rows.column.size()));
      planes.bias.push_back(-0.1 * random.Uniform(0, 1));
      cuts_stage.cut_of.push_back(static_cast<int32_t>(j));
      cuts_stage.source.push_back(planes.begin + static_cast<int32_t>(cuts_stage.source.size()));
    }
    cuts_stage.begin = planes.begin + planes.size();
    cuts_stage.first_unstable = static_cast<int32_t>(network.unstable());
    cuts_stage.source_stage = static_cast<int32_t>(network.stages.size());
    for (int32_t i = 0; i < cuts_stage.size(); ++i) {
      network.lines.left.push_back(1);
      network.lines.right.push_back(0);
      network.lines.chord_slope.push_back(0);
      network.lines.chord_intercept.push_back(0);
      network.lines.free_start.push_back(0.5);
    }
    network.slots += 2 * cuts_stage.size();
    network.stages.push_back(std::move(planes));
    network.stages.push_back(std::move(cuts_stage));
  }

  void AddLine(Random& random) {
    const double slope = random.Uniform(0.2, 0.8);
    network.lines.left.push_back(0);
    network.lines.right.push_back(1);
    network.lines.chord_slope.push_back(slope);
    network.lines.chord_intercept.push_back(random.Uniform(0.1, 0.5));
    network.lines.free_start.push_back(slope > 0.5 ? 1 : 0);
  }

  void AddOutputs(Random& random, const std::vector<std::vector<int32_t>>& pixels) {
    CompactStage outputs;
    outputs.begin = network.first_output = network.slots;
    for (int k = 0; k < 4; ++k) {
      std::vector<int32_t> read;
      for (const auto& slots : pixels) read.insert(read.end(), slots.begin(), slots.end());
      std::sort(read.begin(), read.end());
      for (const int32_t column : read) {
        outputs.rows.column.push_back(column);
        outputs.rows.value.push_back(random.Normal() / 10);
      }
      outputs.rows.begin.push_back(static_cast<int64_t>(outputs.rows.column.size()));
      outputs.bias.push_back(random.Normal());
    }
    network.slots += outputs.size();
    network.stages.push_back(std::move(outputs));
  }
};

struct Asked {
  std::vector<CompactDomain> rows;
  std::vector<std::vector<uint8_t>> starts;
  std::vector<double> zero;  // input coefficients
};

bool IsCut(const CompactNetwork& network, int32_t neuron) {
  return std::any_of(network.stages.begin(), network.stages.end(), [&](const CompactStage& stage) {
    return !stage.cut_of.empty() && neuron >= stage.first_unstable &&
           neuron < stage.first_unstable + static_cast<int32_t>(stage.source.size());
  });
}

// Both bounds of every unstable neuron of the activation, in order; some begin somewhere, all have the sides.
Asked RowsOf(Random& random, const CompactNetwork& network, const CompactStage& activation, int sides) {
  Asked asked;
  asked.zero.assign(static_cast<size_t>(network.inputs), 0.0);
  std::vector<CompactSplit> splits;
  for (int k = 0; k < sides && activation.first_unstable > 0; ++k) {
    const auto neuron = static_cast<int32_t>(random.Int(0, activation.first_unstable - 1));
    if (std::any_of(splits.begin(), splits.end(), [&](const auto& s) { return s.neuron == neuron; }) ||
        IsCut(network, neuron)) {
      continue;
    }
    splits.push_back({neuron, random.Chance(0.5) ? 1.0f : -1.0f, static_cast<float>(random.Uniform(0, 0.3))});
  }
  const CompactStage& source = network.stages[static_cast<size_t>(activation.source_stage)];
  asked.starts.resize(2 * activation.source.size());
  for (size_t r = 0; r < asked.starts.size(); ++r) {
    CompactDomain row;
    row.unit = activation.source[r / 2] - source.begin;
    row.sign = r % 2 == 0 ? 1.0f : -1.0f;
    row.offset = -10;  // not proved before its last pass
    row.splits = splits;
    if (random.Chance(0.5)) {
      for (int64_t j = 0; j < network.unstable(); ++j) {
        asked.starts[r].push_back(static_cast<uint8_t>(random.Int(0, 255)));
      }
      row.start = asked.starts[r];
    }
    asked.rows.push_back(std::move(row));
  }
  return asked;
}

class Comparison {
 public:
  // How far bounds may be apart, relative to what they are, and scores and multipliers.
  Comparison(double bounds, double others) : bounds_(bounds), others_(others) {}
  void Compare(const CompactDomain& cone, const CompactDomain& whole) {
    ++rows_;
    const double scale = 1 + std::fabs(whole.bound);
    close_ += std::fabs(cone.bound - whole.bound) <= bounds_ * scale ? 1 : 0;
    sum_cone_ += cone.bound;
    sum_whole_ += whole.bound;
    ASSERT_EQ(cone.slopes.size(), whole.slopes.size());
    ASSERT_EQ(cone.exact_slopes.size(), whole.exact_slopes.size());
    for (size_t j = 0; j < whole.slopes.size(); ++j) {
      ++slopes_;
      same_ += std::abs(int{cone.slopes[j]} - int{whole.slopes[j]}) <= 1 &&
                       std::fabs(cone.exact_slopes[j] - whole.exact_slopes[j]) <= 0.01f
                   ? 1
                   : 0;
    }
    ASSERT_EQ(cone.candidates.size(), whole.candidates.size());
    for (size_t k = 0; k < whole.candidates.size(); ++k) {
      ASSERT_NEAR(cone.candidates[k].second, whole.candidates[k].second,
                  others_ * static_cast<double>(whole.candidates[0].second));
    }
    for (size_t k = 0; k < whole.splits.size(); ++k) {
      ASSERT_NEAR(cone.splits[k].beta, whole.splits[k].beta, others_) << "split " << k;
    }
  }
  // A gradient that is zero but for rounding moves a slope by a whole step: few rows may differ a little.
  void Expect(int64_t rows) const {
    EXPECT_GE(rows_, rows);
    EXPECT_GE(close_, rows_ * 99 / 100);
    EXPECT_GE(same_, slopes_ * 99 / 100);
    EXPECT_NEAR(sum_cone_, sum_whole_, bounds_ * std::fabs(sum_whole_));
  }

 private:
  double bounds_, others_;
  int64_t rows_ = 0, close_ = 0, slopes_ = 0, same_ = 0;
  double sum_cone_ = 0, sum_whole_ = 0;
};

// A half-space that leaves a corner of the box, so that every input matters to every bound.
CompactHalfSpace CornerOf(Random& random, const CompactNetwork& network) {
  CompactHalfSpace plane;
  double least = 0, most = 0;
  for (size_t i = 0; i < network.lower.size(); ++i) {
    const double normal = random.Normal(), a = normal * network.lower[i], b = normal * network.upper[i];
    plane.normal.push_back(static_cast<float>(normal));
    least += std::min(a, b);
    most += std::max(a, b);
  }
  plane.offset = -(least + 0.02 * (most - least));
  return plane;
}

class ConesTest : public ::testing::TestWithParam<int64_t> {
 protected:
  std::vector<CompactDomain> Bound(CompactBounder& bounder, const std::vector<CompactDomain>& rows,
                                   const CompactSettings& settings) {
    std::vector<CompactDomain> bounded = rows;
    const absl::Status status = bounder.Bound(absl::MakeSpan(bounded), settings);
    EXPECT_TRUE(status.ok()) << status;
    return bounded;
  }
  // Every activation's rows in turn, with what another stage left behind in the tiles.
  void CompareAll(uint64_t seed, bool inside, Comparison& comparison, bool cuts = false) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const LocalNetwork local(random, cuts);
    const CompactHalfSpace plane = CornerOf(random, local.network);
    const auto backend = *MakeCpuBackend({.threads = GetParam()});
    const auto bounder = *backend->MakeCompact(local.network);
    for (const CompactStage& activation : local.network.stages) {
      if (activation.source.empty() || !activation.cut_of.empty()) continue;
      const Asked asked = RowsOf(random, local.network, activation, static_cast<int>(random.Int(0, 3)));
      const CompactSettings settings{.iterations = 6,
                                     .start_stage = activation.source_stage,
                                     .half_space = inside ? &plane : nullptr,
                                     .candidates = 3,
                                     .exact_slopes = true,
                                     .slopes = true};
      const std::vector<CompactDomain> cones = Bound(*bounder, asked.rows, settings);
      std::vector<CompactDomain> rows = asked.rows;
      for (CompactDomain& row : rows) row.input = asked.zero.data();
      const std::vector<CompactDomain> whole = Bound(*bounder, rows, settings);
      for (size_t r = 0; r < rows.size(); ++r) comparison.Compare(cones[r], whole[r]);
    }
  }
};

TEST_P(ConesTest, BoundsAreThoseOfTheWholeNetwork) {
  Comparison comparison(1e-4, 0.05);
  for (uint64_t seed = 1; seed <= 12; ++seed) CompareAll(seed, /*inside=*/false, comparison);
  comparison.Expect(5000);
}

TEST_P(ConesTest, WithCutsToo) {
  Comparison comparison(1e-4, 0.05);
  for (uint64_t seed = 41; seed <= 52; ++seed) CompareAll(seed, /*inside=*/false, comparison, /*cuts=*/true);
  comparison.Expect(5000);
}

// Where the multiplier is zero, an input that is not touched has its corner where a positive one would have
// it; on everything it has the lower end. The first step is another one.
TEST_P(ConesTest, InsideAHalfSpaceToo) {
  Comparison comparison(0.01, 0.5);
  for (uint64_t seed = 21; seed <= 32; ++seed) CompareAll(seed, /*inside=*/true, comparison);
  comparison.Expect(5000);
}

TEST(ConeTest, FewSlotsAndAllThatTheirRowsRead) {
  Random random(41);
  const LocalNetwork local(random);
  CompactProgram program(local.network, BestCompactKernels());
  const CompactStage& last = local.network.stages[5];
  ASSERT_FALSE(last.source.empty());
  program.PrepareStart(last.source_stage);
  std::vector<uint8_t> marks;
  TileReach cone;
  MakeCone(program, last.source_stage, {{last.source[20], last.source[34]}, {3, 6}}, marks, cone);
  EXPECT_LT(cone.Work(), program.Whole(last.source_stage).Work() / 2);
  EXPECT_EQ(marks[static_cast<size_t>(local.network.stages[1].begin + 3)], 1) << "the split neuron";
  for (size_t s = 0; s < static_cast<size_t>(last.source_stage); ++s) {
    const CompactStage& stage = local.network.stages[s];
    for (const TileReach::Range& range : cone.lines[s]) {
      for (int32_t j = range.begin; j < range.end; ++j) {
        ASSERT_EQ(marks[static_cast<size_t>(stage.begin + j)], 1) << "stage " << s << " neuron " << j;
      }
    }
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      if (marks[static_cast<size_t>(stage.begin) + r] == 0) continue;
      for (int64_t k = stage.rows.begin[r]; k < stage.rows.begin[r + 1]; ++k) {
        const int32_t read = stage.rows.column[static_cast<size_t>(k)];
        ASSERT_EQ(marks[static_cast<size_t>(read)], 1) << "stage " << s << " row " << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ConesTest, ::testing::Values(1, 2),
                         [](const auto& threads) { return threads.param == 1 ? "one" : "two"; });

}  // namespace
}  // namespace espalier::backend
