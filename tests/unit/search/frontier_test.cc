// Saved frontiers: what is written is read back, and what is damaged or of something else is refused.
#include "verifier/search/frontier.h"

#include <cmath>
#include <random>
#include <set>

#include "tests/unit/search/small_query.h"
#include "verifier/search/strategy.h"

namespace espalier::search {
namespace {

constexpr int64_t kNeurons = 1000;

class FrontierTest : public ::testing::Test {
 protected:
  FrontierTest() {
    api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)});
    property.disjuncts.push_back({0, {OutputRow(-1, -0.1)}});
    property.disjuncts.push_back({0, {OutputRow(1, -10)}});
    network_ = TwoDistances();
    problem_ = *MakeProblem(network_, property);
    key_ = FrontierKey(problem_, network_, "1.0");
  }

  static SplitParts RandomParts(std::mt19937_64& random, size_t domains) {
    SplitParts parts;
    for (size_t d = 0; d < domains; ++d) {
      const size_t depth = random() % 20;
      for (size_t k = 0; k < depth; ++k)
        parts.literals.push_back(static_cast<uint32_t>(random() % (k < 10 ? 4 : 2 * kNeurons)));
      parts.Close(-static_cast<double>(random() % 100));
    }
    return parts;
  }

  static Frontier Relu(uint64_t seed) {
    std::mt19937_64 random(seed);
    Frontier frontier;
    frontier.domains = 12345;
    frontier.splits = 67;
    frontier.seconds = 1.5;
    frontier.refuted = {0, 1, 0};
    frontier.stages = {BoxStage::kEach};
    frontier.open[0] = RandomParts(random, 50);
    frontier.open[2] = RandomParts(random, 3);
    return frontier;
  }

  static Frontier Boxes() {
    Frontier frontier;
    frontier.inputs_split = true;
    frontier.refuted = {0, 1, 0};
    frontier.stages = {BoxStage::kFresh};
    frontier.boxes = {{0, -1, {-0.5, 0.25}, {0.125, 1}, {0, 2}}, {0, -2, {-0.5, -1}, {0.125, 0.1}, {0}}};
    return frontier;
  }

  absl::StatusOr<Frontier> Decode(std::string_view bytes) const {
    return DecodeFrontier(bytes, key_, problem_, kNeurons);
  }

  ir::Network network_;
  Problem problem_;
  base::Fingerprint::Value key_;
};

std::multiset<std::vector<uint32_t>> Domains(const SplitParts& parts) {
  std::multiset<std::vector<uint32_t>> all;
  for (size_t d = 0; d < parts.count(); ++d) {
    all.emplace(parts.literals.begin() + static_cast<int64_t>(parts.begin(d)),
                parts.literals.begin() + static_cast<int64_t>(parts.end[d]));
  }
  return all;
}

TEST_F(FrontierTest, SplitsComeBack) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Frontier wrote = Relu(seed);
    const auto read = Decode(EncodeFrontier(wrote, key_));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->domains, wrote.domains);
    EXPECT_EQ(read->seconds, wrote.seconds);
    EXPECT_EQ(read->refuted, wrote.refuted);
    EXPECT_EQ(read->stages, wrote.stages);
    ASSERT_EQ(read->open.size(), wrote.open.size());
    for (const auto& [t, parts] : wrote.open) {
      EXPECT_EQ(Domains(read->open.at(t)), Domains(parts));
    }
  }
}

TEST_F(FrontierTest, BoxesComeBackToTheLastBit) {
  const auto read = Decode(EncodeFrontier(Boxes(), key_));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->boxes.size(), 2U);
  EXPECT_EQ(read->boxes[0].lower, (std::vector<double>{-0.5, -1}));  // sorted
  EXPECT_EQ(read->boxes[0].upper, (std::vector<double>{0.125, 0.1}));
  EXPECT_EQ(read->boxes[1].lower, (std::vector<double>{-0.5, 0.25}));
  EXPECT_EQ(read->boxes[1].targets, (std::vector<int32_t>{0, 2}));
}

TEST_F(FrontierTest, EveryDamagedByteIsSeen) {
  for (const Frontier& frontier : {Relu(7), Boxes()}) {
    const std::string good = EncodeFrontier(frontier, key_);
    for (size_t i = 0; i < good.size(); ++i) {
      for (const int change : {1, 0x80, 0xFF}) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ change);
        EXPECT_FALSE(Decode(bad).ok()) << "byte " << i;
      }
      EXPECT_FALSE(Decode(good.substr(0, i)).ok()) << "cut at " << i;
    }
    EXPECT_FALSE(Decode(good + std::string(1, '\0')).ok());
  }
  EXPECT_FALSE(Decode("").ok());
  EXPECT_FALSE(Decode("garbage").ok());
}

TEST_F(FrontierTest, ForgottenTargetsAreSeen) {
  Frontier frontier = Boxes();
  frontier.refuted[1] = 0;  // neither refuted nor in a box
  EXPECT_FALSE(Decode(EncodeFrontier(frontier, key_)).ok());
  frontier = Boxes();
  frontier.boxes[0].upper[1] = 1.5;  // outside the query's box
  EXPECT_FALSE(Decode(EncodeFrontier(frontier, key_)).ok());
  frontier = Relu(1);
  frontier.open[0].literals[0] = 2 * kNeurons;
  EXPECT_FALSE(Decode(EncodeFrontier(frontier, key_)).ok());
  frontier = Relu(1);
  frontier.open[0] = {};
  EXPECT_FALSE(Decode(EncodeFrontier(frontier, key_)).ok());
}

TEST_F(FrontierTest, TheKeySeesNetworkPropertyAndVersion) {
  EXPECT_NE(key_, FrontierKey(problem_, network_, "1.1"));
  ir::Network other = network_;
  other.nodes[1].bias[0] = 1e-300;
  EXPECT_NE(key_, FrontierKey(problem_, other, "1.0"));
  Problem moved = problem_;
  moved.targets[2].rhs[0] = std::nextafter(moved.targets[2].rhs[0], 0.0);
  EXPECT_NE(key_, FrontierKey(moved, network_, "1.0"));
  moved = problem_;
  moved.boxes[0].upper[1] = 0.5;
  const auto read =
      DecodeFrontier(EncodeFrontier(Relu(1), key_), FrontierKey(moved, network_, "1.0"), moved, kNeurons);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.status().message().find("another model"), std::string::npos) << read.status();
}

// A refused checkpoint costs a warning, not the verdict.
TEST(ResumeTest, ARefusedCheckpointStartsFromTheBeginning) {
  const ir::Network network = TwoDistances();
  const api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.1)});
  const CountingJudge judge(network, property);
  api::Checkpoints checkpoints;
  checkpoints.resume = "ESPALIER-FRONTIER and then something else altogether, long enough for a header";
  for (const int64_t input_split : {0, 1}) {
    api::Options options;
    options.attack = 0;
    options.input_split = input_split;
    const auto verdict =
        Decide(network, property, options, {judge, backend::CpuFactory(), nullptr, {}, &checkpoints, "1"});
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_EQ(verdict->answer(), api::Answer::kFalsified);
    ASSERT_EQ(verdict->warnings.size(), 1U);
    EXPECT_NE(verdict->warnings[0].find("from the beginning"), std::string::npos);
  }
}

}  // namespace
}  // namespace espalier::search
