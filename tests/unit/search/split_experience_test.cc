#include "verifier/search/split_experience.h"

#include <gtest/gtest.h>

#include <limits>

namespace espalier::search {
namespace {

TEST(SplitExperienceTest, AKnownLayerComesFirstThenUnknownOnesThenByScore) {
  SplitExperience experience;
  std::vector<Candidate> candidates = {{0, 7, 0.1f}, {1, 5, 0.4f}, {1, 6, 0.3f}};
  EXPECT_EQ(experience.Best(candidates, true)->unstable, 5);
  EXPECT_EQ(experience.Best(candidates, false)->unstable, 5);
  experience.Note(candidates[1], 10);
  EXPECT_EQ(experience.Best(candidates, true)->unstable, 5);
  EXPECT_EQ(experience.Best(candidates, false)->unstable, 7);
}

TEST(SplitExperienceTest, WhatALayerGainedCorrectsItsScores) {
  SplitExperience experience;
  // Layer 0 gained fifty times its score, layer 1 what its score said.
  experience.Note({0, 1, 0.01f}, /*log_roots=*/2);
  experience.Note({1, 1, 0.1f}, /*log_roots=*/10);
  std::vector<Candidate> candidates = {{1, 2, 0.2f}, {0, 3, 0.02f}, {0, 4, 0.01f}};
  EXPECT_EQ(experience.Best(candidates, true)->unstable, 3);
}

TEST(SplitExperienceTest, ATrialThatGainedNothingIsNoMistake) {
  SplitExperience experience;
  experience.Note({0, 1, 0.5f}, std::numeric_limits<double>::infinity());
  experience.Note({1, 1, 0.5f}, 0);  // both halves refuted
  std::vector<Candidate> candidates = {{0, 2, 0.5f}, {1, 3, 0.05f}};
  EXPECT_EQ(experience.Best(candidates, true)->unstable, 3);
}

}  // namespace
}  // namespace espalier::search
