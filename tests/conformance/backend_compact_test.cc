// CompactBounder on every backend that has one: one pass against plain double loops, optimised bounds against
// the processor's, and that neither company nor order shows.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"
#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"

namespace espalier::backend {
namespace {

using testing::Random;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void AddRows(Random& random, int32_t slots, int64_t count, CompactStage& stage) {
  const bool dense = random.Chance(0.5);
  for (int64_t r = 0; r < count; ++r) {
    for (int32_t s = 0; s < slots; ++s) {
      if (!dense && !random.Chance(0.3)) continue;
      stage.rows.column.push_back(s);
      stage.rows.value.push_back(random.Normal() / 3);
    }
    stage.rows.begin.push_back(static_cast<int64_t>(stage.rows.column.size()));
    stage.bias.push_back(random.Normal());
  }
}

void AddLine(Random& random, CompactLines& lines) {
  const bool linear = random.Chance(0.1), concave = random.Chance(0.3);
  const double low = linear ? 0.7 : random.Uniform(-0.2, 0.3), high = linear ? 0.7 : 1.0;
  lines.left.push_back(concave ? high : low);
  lines.right.push_back(concave ? low : high);
  lines.chord_slope.push_back(linear ? 0.7 : low + (high - low) * random.Uniform(0.2, 0.8));
  const double gap = random.Uniform(0.1, 0.5);
  lines.chord_intercept.push_back(linear ? 0.0 : concave ? -gap : gap);
  lines.free_start.push_back(random.Chance(0.5) ? low : high);
}

// Layers of sparse or dense rows over all earlier slots; some neurons unstable, the others passed through.
CompactNetwork RandomCompact(Random& random) {
  CompactNetwork n;
  n.inputs = n.slots = static_cast<int32_t>(random.Int(1, 9));
  for (int32_t i = 0; i < n.inputs; ++i) {
    const double at = random.Normal();
    n.lower.push_back(at - random.Uniform(0, 0.5));
    n.upper.push_back(at + random.Uniform(0, 0.5));
  }
  const int64_t layers = random.Int(0, 3);
  for (int64_t layer = 0; layer <= layers; ++layer) {
    CompactStage affine;
    affine.begin = n.slots;
    AddRows(random, n.slots, random.Int(1, 20), affine);
    n.slots += affine.size();
    n.first_output = affine.begin;
    CompactStage activation;
    activation.begin = n.slots;
    activation.first_unstable = static_cast<int32_t>(n.lines.size());
    activation.source_stage = static_cast<int32_t>(n.stages.size());
    for (int32_t r = 0; layer < layers && r < affine.size(); ++r) {
      if (!random.Chance(0.6)) continue;
      activation.source.push_back(affine.begin + r);
      AddLine(random, n.lines);
    }
    n.stages.push_back(std::move(affine));
    if (activation.source.empty()) continue;
    n.slots += activation.size();
    n.stages.push_back(std::move(activation));
  }
  return n;
}

struct Host {  // what the domains point to
  std::vector<std::vector<double>> inputs;
  std::vector<std::vector<uint8_t>> starts;
};

std::vector<CompactDomain> RandomDomains(Random& random, const CompactNetwork& n, size_t count, Host& host) {
  std::vector<CompactDomain> domains(count);
  host.inputs.resize(count);
  host.starts.resize(count);
  for (size_t d = 0; d < count; ++d) {
    CompactDomain& domain = domains[d];
    if (random.Chance(0.8)) {
      for (int64_t o = 0; o < n.outputs(); ++o) domain.output.push_back(static_cast<float>(random.Normal()));
    } else {
      domain.unit = static_cast<int32_t>(random.Int(0, n.outputs() - 1));
      domain.sign = random.Chance(0.5) ? 1.0f : -1.0f;
    }
    domain.offset = random.Uniform(-20, 4);
    if (random.Chance(0.4)) {
      for (int32_t i = 0; i < n.inputs; ++i) host.inputs[d].push_back(random.Normal());
      domain.input = host.inputs[d].data();
    }
    if (random.Chance(0.6)) {
      for (int64_t j = 0; j < n.unstable(); ++j) {
        host.starts[d].push_back(static_cast<uint8_t>(random.Int(0, 255)));
      }
      domain.start = host.starts[d];
    }
    for (int32_t j = 0; j < n.unstable(); ++j) {
      if (!random.Chance(0.15)) continue;
      domain.splits.push_back(
          {j, random.Chance(0.5) ? 1.0f : -1.0f, static_cast<float>(random.Uniform(0, 0.5))});
    }
  }
  return domains;
}

// One pass: coefficients from the last slot to the first. T: double, or long double for what rounding costs
// double.
template <class T = double>
T OnePass(const CompactNetwork& n, const CompactDomain& domain) {
  std::vector<T> lambda(static_cast<size_t>(n.slots), T(0));
  T sum = domain.offset;
  for (int64_t o = 0; o < n.outputs(); ++o) {
    const double unit = o == domain.unit ? static_cast<double>(domain.sign) : 0.0;
    lambda[static_cast<size_t>(n.first_output + o)] =
        domain.output.empty() ? unit : static_cast<double>(domain.output[static_cast<size_t>(o)]);
  }
  for (size_t s = n.stages.size(); s-- > 0;) {
    const CompactStage& stage = n.stages[s];
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      const T value = lambda[static_cast<size_t>(stage.begin) + r];
      sum += value * stage.bias[r];
      for (auto k = static_cast<size_t>(stage.rows.begin[r]);
           k < static_cast<size_t>(stage.rows.begin[r + 1]); ++k) {
        lambda[static_cast<size_t>(stage.rows.column[k])] += value * stage.rows.value[k];
      }
    }
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const size_t u = static_cast<size_t>(stage.first_unstable) + j;
      const T value = lambda[static_cast<size_t>(stage.begin) + j];
      const double left = n.lines.left[u], right = n.lines.right[u];
      T& to = lambda[static_cast<size_t>(stage.source[j])];
      const auto split = std::find_if(domain.splits.begin(), domain.splits.end(), [&](const CompactSplit& x) {
        return x.neuron == static_cast<int32_t>(u);
      });
      if (split != domain.splits.end()) {
        to += value * (split->sign > 0 ? right : left) - static_cast<double>(split->beta * split->sign);
      } else if (left < right ? value >= 0 : value <= 0) {
        const double lo = std::min(left, right), hi = std::max(left, right);
        to += value *
              (domain.start.empty() ? n.lines.free_start[u] : lo + (hi - lo) * (domain.start[u] / 255.0));
      } else {
        to += value * n.lines.chord_slope[u];
        sum += value * n.lines.chord_intercept[u];
      }
    }
  }
  for (size_t i = 0; i < n.lower.size(); ++i) {
    const T value = lambda[i] + (domain.input == nullptr ? 0.0 : domain.input[i]);
    sum += std::min<T>(value * n.lower[i], value * n.upper[i]);
  }
  return sum;
}

class CompactConformanceTest : public BackendConformanceTest {
 protected:
  std::unique_ptr<CompactBounder> Make(Backend& on, const CompactNetwork& network) {
    auto made = on.MakeCompact(network);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
  static void Bound(CompactBounder& bounder, std::vector<CompactDomain>& domains,
                    const CompactSettings& settings) {
    for (CompactDomain& domain : domains) domain.bound = -kInfinity;
    const absl::Status status = bounder.Bound(absl::MakeSpan(domains), settings);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::unique_ptr<Backend> cpu_ = *MakeCpuBackend({.threads = 1});
};

TEST_P(CompactConformanceTest, OnePassIsThatOfPlainLoops) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const CompactNetwork network = RandomCompact(random);
    Host host;
    std::vector<CompactDomain> domains = RandomDomains(random, network, 1 + seed % 70, host);
    const std::vector<CompactDomain> asked = domains;
    Bound(*Make(backend(), network), domains, {.iterations = 1});
    for (size_t d = 0; d < domains.size(); ++d) {
      const double wanted = OnePass(network, asked[d]);
      ASSERT_NEAR(domains[d].bound, wanted, 2e-5 * (10 + std::fabs(wanted))) << "domain " << d;
    }
  }
}

// They are the outputs of a network that ends there.
TEST_P(CompactConformanceTest, RowsOfAnEarlierStageAreThoseOfPlainLoops) {
  int64_t earlier = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const CompactNetwork network = RandomCompact(random);
    const auto bounder = Make(backend(), network);
    for (size_t s = 0; s < network.stages.size(); ++s) {
      if (network.stages[s].bias.empty()) continue;
      CompactNetwork inner = network;
      inner.stages.resize(s + 1);
      inner.first_output = inner.stages.back().begin;
      Host host;
      std::vector<CompactDomain> domains = RandomDomains(random, inner, 1 + seed % 40, host);
      const bool last = s + 1 == network.stages.size();
      for (CompactDomain& domain : domains) {
        if (last) break;  // a margin is one of outputs; earlier stages have single rows
        domain.output.clear();
        domain.unit = static_cast<int32_t>(random.Int(0, inner.outputs() - 1));
      }
      const std::vector<CompactDomain> asked = domains;
      Bound(*bounder, domains, {.iterations = 1, .start_stage = static_cast<int32_t>(s)});
      for (size_t d = 0; d < domains.size(); ++d) {
        const double wanted = OnePass(inner, asked[d]);
        ASSERT_NEAR(domains[d].bound, wanted, 2e-5 * (10 + std::fabs(wanted)))
            << "stage " << s << " domain " << d;
        earlier += last ? 0 : 1;
      }
    }
  }
  EXPECT_GT(earlier, 200);
}

// Every setting there is; the processor's own optimisation is the yardstick. A gradient that is zero but for
// rounding moves a slope by a whole step, so single bounds may differ a little; what they are worth may not.
TEST_P(CompactConformanceTest, OptimisedBoundsAreTheProcessors) {
  double ours_sum = 0, theirs_sum = 0, gained = 0;
  int64_t apart = 0, seen = 0, candidates = 0;
  for (uint64_t seed = 101; seed <= 160; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const CompactNetwork network = RandomCompact(random);
    Host host;
    std::vector<CompactDomain> ours = RandomDomains(random, network, 40, host);
    CompactHalfSpace plane;
    for (int32_t i = 0; i < network.inputs; ++i) plane.normal.push_back(static_cast<float>(random.Normal()));
    plane.offset = random.Normal();
    CompactSettings settings{.iterations = random.Int(2, 12),
                             .candidates = seed % 4 == 0 ? 500 : 3,
                             .exact_slopes = true,
                             .slopes = true,
                             .corners = true};
    if (seed % 3 == 0) settings.half_space = &plane;
    if (seed % 2 == 0) {  // bounds of an inner layer's rows
      for (size_t s = 0; s < network.stages.size(); s += 2) settings.start_stage = static_cast<int32_t>(s);
      if (network.stages[static_cast<size_t>(settings.start_stage)].bias.empty()) settings.start_stage = 0;
      const auto& stage = network.stages[static_cast<size_t>(settings.start_stage)];
      for (CompactDomain& domain : ours) {
        domain.output.clear();
        domain.input = nullptr;
        domain.unit = static_cast<int32_t>(random.Int(0, stage.size() - 1));
      }
    }
    std::vector<CompactDomain> theirs = ours, first = ours;
    Bound(*Make(backend(), network), ours, settings);
    Bound(*Make(*cpu_, network), theirs, settings);
    settings.iterations = 1;
    Bound(*Make(*cpu_, network), first, settings);
    for (size_t d = 0; d < ours.size(); ++d, ++seen) {
      const double scale = 1 + std::fabs(theirs[d].bound);
      apart += !(std::fabs(ours[d].bound - theirs[d].bound) <= 1e-3 * scale);
      ours_sum += ours[d].bound / scale;
      theirs_sum += theirs[d].bound / scale;
      gained += (theirs[d].bound - first[d].bound) / scale;
      ASSERT_EQ(ours[d].slopes.size(), theirs[d].slopes.size());
      ASSERT_EQ(ours[d].exact_slopes.size(), theirs[d].exact_slopes.size());
      ASSERT_EQ(ours[d].corner.size(), theirs[d].corner.size());
      for (size_t k = 0; k < ours[d].splits.size(); ++k) ASSERT_GE(ours[d].splits[k].beta, 0.0f);
      if (ours[d].bound > 0 || theirs[d].bound > 0) continue;
      ASSERT_EQ(ours[d].candidates.size(), theirs[d].candidates.size());
      candidates += static_cast<int64_t>(ours[d].candidates.size());
      std::set<int32_t> different;
      for (size_t k = 0; k < ours[d].candidates.size(); ++k) {
        different.insert(ours[d].candidates[k].first);
        if (k > 0) {
          ASSERT_LE(ours[d].candidates[k].second, ours[d].candidates[k - 1].second);
        }
      }
      ASSERT_EQ(different.size(), ours[d].candidates.size());
    }
  }
  EXPECT_LT(apart, seen / 50);
  EXPECT_NEAR(ours_sum, theirs_sum, 1e-4 * std::fabs(theirs_sum));
  EXPECT_GT(gained, 10);  // there was something to optimise
  EXPECT_GT(candidates, 500);
}

// What is stored is what gave the bound: one pass from it gives it again.
TEST_P(CompactConformanceTest, SlopesAndMultipliersGiveTheBoundAgain) {
  int64_t close = 0, seen = 0;
  for (uint64_t seed = 201; seed <= 230; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const CompactNetwork network = RandomCompact(random);
    Host host;
    std::vector<CompactDomain> domains = RandomDomains(random, network, 33, host);
    Bound(*Make(backend(), network), domains, {.iterations = 8, .slopes = true});
    for (CompactDomain& domain : domains) {
      const std::vector<uint8_t> slopes = domain.slopes;
      domain.start = slopes;
      const double again = OnePass(network, domain);
      close += std::fabs(again - domain.bound) <= 0.02 * (1 + std::fabs(again));
      ++seen;
    }
  }
  EXPECT_GT(close, seen * 98 / 100);
}

TEST_P(CompactConformanceTest, CompanyAndOrderDoNotShow) {
  for (uint64_t seed = 301; seed <= 310; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const CompactNetwork network = RandomCompact(random);
    Host host;
    std::vector<CompactDomain> together = RandomDomains(random, network, 150, host);
    const std::vector<CompactDomain> start = together;
    const auto bounder = Make(backend(), network);
    CompactSettings settings{.iterations = 6, .candidates = 2, .slopes = true};
    CompactHalfSpace plane{{}, -random.Uniform(0, 1)};
    for (int32_t i = 0; i < network.inputs; ++i) plane.normal.push_back(static_cast<float>(random.Normal()));
    if (seed % 2 == 0) settings.half_space = &plane;
    Bound(*bounder, together, settings);
    for (size_t d = 0; d < start.size(); d += 2) {
      std::vector<CompactDomain> alone = {start[d], start[(d + 1) % start.size()]};
      Bound(*bounder, alone, settings);
      ASSERT_EQ(alone[0].bound, together[d].bound);
      ASSERT_EQ(alone[0].slopes, together[d].slopes);
      ASSERT_EQ(alone[0].candidates, together[d].candidates);
      for (size_t k = 0; k < alone[0].splits.size(); ++k) {
        ASSERT_EQ(alone[0].splits[k].beta, together[d].splits[k].beta);
      }
    }
  }
}

TEST_P(CompactConformanceTest, NewLinesCount) {
  Random random(7);
  CompactNetwork network = RandomCompact(random);
  while (network.unstable() < 5) network = RandomCompact(random);
  const auto bounder = Make(backend(), network);
  CompactLines fresh;
  for (int k = 0; k < 3; ++k) AddLine(random, fresh);
  bounder->SetLines(2, fresh);
  const auto replace = [](const std::vector<double>& from, std::vector<double>& to) {
    std::copy(from.begin(), from.end(), to.begin() + 2);
  };
  replace(fresh.left, network.lines.left);
  replace(fresh.right, network.lines.right);
  replace(fresh.chord_slope, network.lines.chord_slope);
  replace(fresh.chord_intercept, network.lines.chord_intercept);
  replace(fresh.free_start, network.lines.free_start);
  Host host;
  std::vector<CompactDomain> domains = RandomDomains(random, network, 20, host);
  const std::vector<CompactDomain> asked = domains;
  Bound(*bounder, domains, {.iterations = 1});
  for (size_t d = 0; d < domains.size(); ++d) {
    const double wanted = OnePass(network, asked[d]);
    ASSERT_NEAR(domains[d].bound, wanted, 2e-5 * (10 + std::fabs(wanted)));
  }
}

// Largest magnitudes in the box; the rows are what they are.
void AddMagnitudes(CompactNetwork& n) {
  for (size_t i = 0; i < n.lower.size(); ++i) {
    n.magnitude.push_back(std::max(std::fabs(n.lower[i]), std::fabs(n.upper[i])));
  }
  for (const CompactStage& stage : n.stages) {
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      double size = std::fabs(stage.bias[r]);
      for (auto k = static_cast<size_t>(stage.rows.begin[r]);
           k < static_cast<size_t>(stage.rows.begin[r + 1]); ++k) {
        size += std::fabs(stage.rows.value[k]) * n.magnitude[static_cast<size_t>(stage.rows.column[k])];
      }
      n.magnitude.push_back(size * (1 + 1e-9));
    }
    for (int32_t source : stage.source) n.magnitude.push_back(n.magnitude[static_cast<size_t>(source)]);
  }
  n.rounding.assign(n.magnitude.size(), 0.0);
}

TEST_P(CompactConformanceTest, CertificatesKeepTheirDistance) {
  constexpr double kRoundoff = 0x1p-53;
  int64_t off = 0, seen = 0;
  for (uint64_t seed = 501; seed <= 540; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    CompactNetwork network = RandomCompact(random);
    AddMagnitudes(network);
    auto made = backend().MakeCompactCertifier(network);
    if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << made.status();
    ASSERT_TRUE(made.ok()) << made.status();
    Host host;
    const std::vector<CompactDomain> domains = RandomDomains(random, network, 1 + seed % 50, host);
    std::vector<std::vector<double>> output;
    for (const CompactDomain& domain : domains) {
      output.emplace_back(domain.output.begin(), domain.output.end());
      if (output.back().empty()) {
        output.back().assign(static_cast<size_t>(network.outputs()), 0.0);
        output.back()[static_cast<size_t>(domain.unit)] = static_cast<double>(domain.sign);
      }
    }
    std::vector<CompactClaim> claims;
    for (size_t d = 0; d < domains.size(); ++d) {
      CompactClaim& claim = claims.emplace_back();
      claim.output = output[d];
      claim.input = domains[d].input;
      claim.offset = domains[d].offset;
      claim.slopes = domains[d].start;
      claim.splits = domains[d].splits;
    }
    ASSERT_TRUE((*made)->Bound(absl::MakeSpan(claims)).ok());
    for (size_t d = 0; d < domains.size(); ++d, ++seen) {
      const auto exact = OnePass<long double>(network, domains[d]);
      const auto distance = static_cast<double>(std::fabs(exact - static_cast<long double>(claims[d].bound)));
      ASSERT_LE(distance, 1.05 * kRoundoff * claims[d].scale) << "claim " << d;
      ASSERT_LE(claims[d].scale * kRoundoff, 1e-9 * (10 + std::fabs(claims[d].bound))) << "claim " << d;
      off += distance > 0;
    }
  }
  EXPECT_GT(off, seen / 2);  // rounding does happen
}

// What is left of the network before a stage and with it, which is the last one then.
CompactNetwork Until(const CompactNetwork& network, size_t stage) {
  CompactNetwork result = network;
  result.stages.resize(stage + 1);
  result.first_output = result.stages.back().begin;
  result.slots = result.first_output + result.stages.back().size();
  return result;
}

// A row of an inner stage is what an output of the network up to there is, whatever lies behind it.
TEST_P(CompactConformanceTest, CertificatesOfInnerRowsAreThoseOfOutputs) {
  int64_t seen = 0;
  for (uint64_t seed = 601; seed <= 640; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    CompactNetwork network = RandomCompact(random);
    AddMagnitudes(network);
    auto made = backend().MakeCompactCertifier(network);
    if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << made.status();
    ASSERT_TRUE(made.ok()) << made.status();
    std::vector<double> outputs(static_cast<size_t>(network.outputs()), 1.0);
    CompactClaim whole;  // leaves coefficients behind
    whole.output = outputs;
    for (size_t s = 0; s < network.stages.size(); ++s) {
      const CompactStage& stage = network.stages[s];
      if (!stage.source.empty()) continue;
      ASSERT_TRUE((*made)->Bound(absl::MakeSpan(&whole, 1)).ok());
      const CompactNetwork until = Until(network, s);
      std::vector<CompactClaim> claims(stage.bias.size());
      for (size_t r = 0; r < claims.size(); ++r) {
        claims[r].unit = static_cast<int32_t>(r);
        claims[r].sign = r % 2 == 0 ? 1 : -1;
      }
      ASSERT_TRUE((*made)->Bound(absl::MakeSpan(claims), static_cast<int32_t>(s)).ok());
      for (size_t r = 0; r < claims.size(); ++r, ++seen) {
        CompactDomain domain;
        domain.unit = claims[r].unit;
        domain.sign = static_cast<float>(claims[r].sign);
        const auto exact = OnePass<long double>(until, domain);
        const auto distance =
            static_cast<double>(std::fabs(exact - static_cast<long double>(claims[r].bound)));
        ASSERT_LE(distance, 1.05 * 0x1p-53 * claims[r].scale) << "stage " << s << " row " << r;
      }
    }
  }
  EXPECT_GT(seen, 500);
}

TEST_P(CompactConformanceTest, CertificatesAreMadeWithTheLinesThatWereSet) {
  Random random(79);
  CompactNetwork network = RandomCompact(random);
  while (network.unstable() < 5) network = RandomCompact(random);
  AddMagnitudes(network);
  CompactNetwork changed = network;
  CompactLines fresh;
  for (size_t j = 2; j < 4; ++j) {
    changed.lines.chord_slope[j] *= 0.5;
    changed.lines.chord_intercept[j] += 0.25;
    fresh.left.push_back(changed.lines.left[j]);
    fresh.right.push_back(changed.lines.right[j]);
    fresh.chord_slope.push_back(changed.lines.chord_slope[j]);
    fresh.chord_intercept.push_back(changed.lines.chord_intercept[j]);
    fresh.free_start.push_back(changed.lines.free_start[j]);
  }
  auto made = backend().MakeCompactCertifier(network), other = backend().MakeCompactCertifier(changed);
  if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << made.status();
  ASSERT_TRUE(made.ok() && other.ok());
  const std::vector<double> output(static_cast<size_t>(network.outputs()), -1.0);
  CompactClaim claim, wanted;
  claim.output = wanted.output = output;
  (*made)->SetLines(2, fresh);
  ASSERT_TRUE((*made)->Bound(absl::MakeSpan(&claim, 1)).ok());
  ASSERT_TRUE((*other)->Bound(absl::MakeSpan(&wanted, 1)).ok());
  EXPECT_EQ(claim.bound, wanted.bound);
  EXPECT_EQ(claim.scale, wanted.scale);
}

TEST_P(CompactConformanceTest, CertificatesPayForRowsThatAreOff) {
  Random random(78);
  CompactNetwork network = RandomCompact(random);
  AddMagnitudes(network);
  const std::vector<double> output(static_cast<size_t>(network.outputs()), 2.0);
  double before = 0;
  for (const double off : {0.0, 1e9}) {
    network.rounding[static_cast<size_t>(network.first_output)] = off;
    auto made = backend().MakeCompactCertifier(network);
    if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << made.status();
    ASSERT_TRUE(made.ok()) << made.status();
    CompactClaim claim;
    claim.output = output;
    ASSERT_TRUE((*made)->Bound(absl::MakeSpan(&claim, 1)).ok());
    EXPECT_GE(claim.scale, before + 2 * off);
    before = claim.scale;
  }
}

// Whoever makes multipliers is not trusted.
TEST_P(CompactConformanceTest, CertificatesTakeNegativeMultipliersForZero) {
  Random random(77);
  CompactNetwork network = RandomCompact(random);
  while (network.unstable() < 5) network = RandomCompact(random);
  AddMagnitudes(network);
  auto made = backend().MakeCompactCertifier(network);
  if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << made.status();
  ASSERT_TRUE(made.ok()) << made.status();
  const std::vector<double> output(static_cast<size_t>(network.outputs()), 1.0);
  const std::vector<CompactSplit> negative = {{0, 1.0f, -0.5f}, {3, -1.0f, -2.0f}};
  const std::vector<CompactSplit> zero = {{0, 1.0f, 0.0f}, {3, -1.0f, 0.0f}};
  std::vector<CompactClaim> claims(2);
  claims[0].output = claims[1].output = output;
  claims[0].splits = negative;
  claims[1].splits = zero;
  ASSERT_TRUE((*made)->Bound(absl::MakeSpan(claims)).ok());
  EXPECT_EQ(claims[0].bound, claims[1].bound);
  EXPECT_EQ(claims[0].scale, claims[1].scale);
}

INSTANTIATE_TEST_SUITE_P(Backends, CompactConformanceTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace espalier::backend
