#include "verifier/search/split_ratings.h"

#include <gtest/gtest.h>

namespace espalier::search {
namespace {

// Neuron n's candidate is the n-th, best score first.
const std::vector<Candidate> kCandidates = {
    {0, 0, 1.0f}, {0, 1, 0.8f}, {1, 0, 0.6f}, {1, 1, 0.4f}, {1, 2, 0.2f}};
const std::vector<int64_t> kNeurons = {0, 1, 2, 3, 4};

// Each neuron has gained `share` of what its score said, `times` times.
void NoteAll(const std::vector<double>& share, int times, SplitRatings& ratings) {
  for (int t = 0; t < times; ++t) {
    for (size_t n = 0; n < share.size(); ++n) {
      const double score = static_cast<double>(kCandidates[n].score);
      ratings.Note(static_cast<int64_t>(n), score, share[n] * score);
    }
  }
}

TEST(SplitRatingsTest, WithoutExperienceTheScoreDecides) {
  EXPECT_EQ(SplitRatings().Select(kCandidates, kNeurons, 3), (std::vector<int>{0, 1, 2}));
}

TEST(SplitRatingsTest, TheBestByScoreAndThenThoseThatGainMost) {
  SplitRatings ratings;
  NoteAll({0.1, 0.1, 0.1, 0.9, 1.2}, 10, ratings);
  // 0.1, 0.08, 0.06, 0.36, 0.24 are expected.
  EXPECT_EQ(ratings.Select(kCandidates, kNeurons, 3), (std::vector<int>{0, 3, 4}));
  EXPECT_EQ(ratings.Select(kCandidates, kNeurons, 9), (std::vector<int>{0, 3, 4, 1, 2}));
}

TEST(SplitRatingsTest, OneThatIsHardlyKnownIsTriedFirst) {
  SplitRatings ratings;
  NoteAll({1, 1, 1, 1, 1}, 10, ratings);
  const std::vector<int64_t> two_new_ones = {0, 1, 2, 70, 80};
  EXPECT_EQ(ratings.Select(kCandidates, two_new_ones, 3), (std::vector<int>{0, 3, 1}));
}

TEST(SplitRatingsTest, WhatASplitGainsDeepDownReplacesWhatItGainedAbove) {
  SplitRatings ratings;
  NoteAll({1, 1, 1, 1, 1}, 1000, ratings);
  for (int t = 0; t < 200; ++t) ratings.Note(1, 0.8, 0);
  EXPECT_EQ(ratings.Select(kCandidates, kNeurons, 5), (std::vector<int>{0, 2, 3, 4, 1}));
}

TEST(SplitRatingsTest, GainsOfNeuronsWithoutAScoreDecideNothing) {
  SplitRatings ratings;
  for (int t = 0; t < 10; ++t) ratings.Note(0, 0, 1);
  const std::vector<Candidate> two = {{0, 0, 0.0f}, {0, 1, 0.0f}};
  EXPECT_EQ(ratings.Select(two, {0, 1}, 2), (std::vector<int>{0, 1}));
}

}  // namespace
}  // namespace espalier::search
