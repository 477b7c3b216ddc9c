// Bounds on the network that is left below a root: the same as those of the whole network, whatever became of
// its neurons, and never above the margin of a point that satisfies the splits.
#include "verifier/bounds/compact.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/property/compact_pair.h"

namespace espalier::testing {
namespace {

using search::Domain;

TEST(CompactTest, OnePassIsThatOfTheWholeNetwork) {
  int64_t neurons = 0;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 1);
    ASSERT_NE(pair.compact, nullptr);
    std::vector<Domain> ours = Unbounded(c, pair.root, 45);
    std::vector<Domain> theirs = ours;
    ASSERT_TRUE(pair.compact->Optimise(ours, {.candidates = 3, .corners = true}).ok());
    ASSERT_TRUE(pair.batched->Optimise(theirs, {.candidates = 3, .corners = true}).ok());
    for (size_t d = 0; d < ours.size(); ++d) {
      const double scale = 1.0 + std::fabs(theirs[d].bound);
      ASSERT_NEAR(ours[d].bound, theirs[d].bound, 2e-4 * scale) << "domain " << d;
      if (ours[d].bound > 0) continue;  // no candidates are asked of what is refuted
      ASSERT_EQ(ours[d].candidates.size(), theirs[d].candidates.size()) << "domain " << d;
      for (size_t k = 0; k < ours[d].candidates.size(); ++k, ++neurons) {
        ASSERT_NEAR(ours[d].candidates[k].score, theirs[d].candidates[k].score, 2e-4 * scale);
      }
    }
  }
  EXPECT_GT(neurons, 2000);
}

TEST(CompactTest, OptimisedBoundsHoldAtEveryPointOfTheirSplits) {
  int64_t inside = 0, certified = 0, domains_seen = 0;
  double ours_sum = 0, theirs_sum = 0;
  for (uint64_t seed = 201; seed <= 280; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 10);
    std::vector<Domain> ours = Unbounded(c, pair.root, 20);
    std::vector<Domain> theirs = ours;
    ASSERT_TRUE(pair.compact->Optimise(ours, {}).ok());
    ASSERT_TRUE(pair.batched->Optimise(theirs, {}).ok());
    std::vector<const Domain*> pointers;
    for (const Domain& domain : ours) pointers.push_back(&domain);
    const auto exact = search::CertifyDomains(pair.run, pair.root, pointers);
    ASSERT_TRUE(exact.ok()) << exact.status();
    for (size_t d = 0; d < ours.size(); ++d, ++domains_seen) {
      const double scale = 1.0 + std::fabs(ours[d].bound);
      // What is stored gives the bound that was reported: slopes as bytes lose a little.
      certified += (*exact)[d] > ours[d].bound - 0.02 * scale;
      // A domain that is refuted stops early here, with the whole batch there.
      if (ours[d].bound > 0 || theirs[d].bound > 0) continue;
      ours_sum += ours[d].bound / scale;
      theirs_sum += theirs[d].bound / scale;
    }
    for (const std::vector<double>& x : c.Points(200)) {
      const auto values = ir::EvaluateNodes(c.network, x);
      for (size_t d = 0; d < ours.size(); ++d) {
        if (!Satisfies(c, pair.root, ours[d], values)) continue;
        ++inside;
        const double margin =
            Margin(pair.problem, ours[d].weights, x, values[static_cast<size_t>(c.network.output)]);
        ASSERT_LE(ours[d].bound, margin + 1e-4 * (1 + std::fabs(margin))) << "domain " << d;
      }
    }
  }
  EXPECT_GT(inside, 20000);
  EXPECT_GT(certified, domains_seen * 98 / 100);
  EXPECT_NEAR(ours_sum, theirs_sum, 1e-3 * std::fabs(theirs_sum));
}

// What closes domains: as tight as on the whole network, and never above what a point of the domain has.
TEST(CompactTest, CertificatesAreThoseOfTheWholeNetworkAndHoldAtEveryPoint) {
  int64_t inside = 0;
  for (uint64_t seed = 601; seed <= 700; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 6);
    std::vector<Domain> domains = Unbounded(c, pair.root, 40);
    if (seed % 2 == 0) {
      ASSERT_TRUE(pair.compact->Optimise(domains, {}).ok());
    }
    std::vector<const Domain*> pointers;
    for (const Domain& domain : domains) pointers.push_back(&domain);
    const auto ours = pair.compact->Certify(pointers);
    const auto theirs = search::CertifyDomains(pair.run, pair.root, pointers);
    ASSERT_TRUE(ours.ok() && theirs.ok()) << ours.status() << theirs.status();
    for (size_t d = 0; d < domains.size(); ++d) {
      ASSERT_NEAR((*ours)[d], (*theirs)[d], 1e-9 * (1 + std::fabs((*theirs)[d]))) << "domain " << d;
    }
    for (const std::vector<double>& x : c.Points(100)) {
      const auto values = ir::EvaluateNodes(c.network, x);
      for (size_t d = 0; d < domains.size(); ++d) {
        if (!Satisfies(c, pair.root, domains[d], values)) continue;
        ++inside;
        const double margin =
            Margin(pair.problem, domains[d].weights, x, values[static_cast<size_t>(c.network.output)]);
        ASSERT_LE((*ours)[d], margin + 1e-12 * (1 + std::fabs(margin))) << "domain " << d;
      }
    }
  }
  EXPECT_GT(inside, 20000);
}

// Tiles hold 16 or 32 domains and lanes are reused: neither may show.
TEST(CompactTest, ResultsDoNotDependOnTheCompany) {
  for (uint64_t seed = 301; seed <= 320; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 7);
    std::vector<Domain> together = Unbounded(c, pair.root, 150);
    const std::vector<Domain> start = together;
    ASSERT_TRUE(pair.compact->Optimise(together, {.candidates = 2}).ok());
    for (size_t d = 0; d < start.size(); d += 7) {
      std::vector<Domain> alone = {start[d]};
      ASSERT_TRUE(pair.compact->Optimise(alone, {.candidates = 2}).ok());
      ASSERT_EQ(alone[0].bound, together[d].bound);
      ASSERT_EQ(alone[0].slopes, together[d].slopes);
      for (size_t k = 0; k < alone[0].splits.size(); ++k) {
        ASSERT_EQ(alone[0].splits[k].beta, together[d].splits[k].beta);
      }
    }
  }
}

TEST(CompactTest, LookAheadIsOnePassOfTheChild) {
  for (uint64_t seed = 401; seed <= 430; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 3);
    std::vector<Domain> parents = Unbounded(c, pair.root, 10);
    ASSERT_TRUE(pair.compact->Optimise(parents, {.candidates = 4}).ok());
    std::vector<search::Probe> probes;
    for (const Domain& parent : parents) {
      for (const search::Candidate& candidate : parent.candidates) {
        probes.push_back({&parent, candidate, +1});
        probes.push_back({&parent, candidate, -1});
      }
    }
    const auto ours = pair.compact->LookAhead(probes);
    const auto theirs = pair.batched->LookAhead(probes);
    ASSERT_TRUE(ours.ok() && theirs.ok());
    for (size_t p = 0; p < probes.size(); ++p) {
      ASSERT_NEAR((*ours)[p], (*theirs)[p], 2e-4 * (1 + std::fabs((*theirs)[p])));
    }
  }
}

TEST(CompactTest, TooLargeNetworksAreDeclined) {
  BoundsCase c(7);
  Pair pair(c, 1);
  EXPECT_FALSE(bounds::MakeCompactNetwork(*c.plan, pair.root.bounds.boxes, pair.root.bounds.layers,
                                          pair.root.relaxation64, 1)
                   .has_value());
}

}  // namespace
}  // namespace espalier::testing
