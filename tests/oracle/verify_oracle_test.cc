// Every verdict of the search is compared with the exhaustive oracle on seeded random networks and
// properties.
//
// Outside the oracle's ambiguous band the answers must be equal. Inside it nothing wrong may be claimed: a
// witness must violate when evaluated, and "unsat" must not contradict the oracle's own best point.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/oracle/oracle.h"
#include "tests/property/random_network.h"
#include "tests/support/divide_at_once.h"
#include "verifier/search/strategy.h"

#if defined(ESPALIER_ON_CARD)
#include "cuda_kernels/cuda_backend.h"
#endif

namespace espalier {
namespace {

#if defined(ESPALIER_ON_CARD)
backend::BackendFactory Device() {
  return [](const backend::BackendRequest& request) {
    return cuda_kernels::MakeCudaBackend({.stop = request.stop});
  };
}
#else
backend::BackendFactory Device() {
  return backend::CpuFactory();
}
#endif

using oracle::Reach;

// Accepts a point that, clamped to a disjunct's box as every replay does, satisfies all its rows in double
// evaluation.
class EvaluatingJudge : public api::WitnessJudge {
 public:
  EvaluatingJudge(const ir::Network& network, const api::Property& property)
      : network_(network), property_(property) {}

  std::optional<api::Witness> Judge(absl::Span<const double> input) const override {
    for (const api::Disjunct& disjunct : property_.disjuncts) {
      const api::Box& box = property_.boxes[static_cast<size_t>(disjunct.box)];
      std::vector<double> point(input.begin(), input.end());
      for (size_t i = 0; i < point.size(); ++i) point[i] = std::clamp(point[i], box.lower[i], box.upper[i]);
      if (!(testing::DisjunctMargin(network_, disjunct, point) <= 0)) continue;
      const auto values = ir::EvaluateNodes(network_, testing::StoredOrder(network_, point));
      return api::Witness{point, values[static_cast<size_t>(network_.output)], false};
    }
    return std::nullopt;
  }

 private:
  const ir::Network& network_;
  const api::Property& property_;
};

struct Setting {
  const char* name;
  int64_t attack, input_split, batch;
  search::DivideRule rule = {};
};

constexpr Setting kSettings[] = {
    {"default", 1, -1, 0},
    {"no_attack", 0, -1, 0},
    {"relu_one_by_one", 0, 0, 1},
    {"relu_batches", 0, 0, 64},
    {"input_one_by_one", 0, 1, 1},
    {"input_batches", 0, 1, 512},
    {"attack_relu_batches", 1, 0, 8},
    {"attack_input", 1, 1, 16},
    {"parts", 0, 0, 1, testing::kAtOnce},
    {"attack_parts_batches", 1, 0, 8, testing::kAtOnce},
    {"parts_of_inputs", 0, -1, 1, testing::kAtOnce},
    {"sharper_roots", 0, 0, 1, testing::kSharpenAtOnce},
};

struct Case {
  ir::Network network;
  api::Property property;
};

ir::Network MakeNetwork(testing::Random& random) {
  if (random.Chance(0.2)) {
    return testing::RandomImageNetwork(random, {.height = 3,
                                                .width = 2,
                                                .channels = 1,
                                                .outputs = random.Int(1, 3),
                                                .layers = random.Int(1, 2),
                                                .max_channels = 2,
                                                .max_hinges = 9});
  }
  testing::NetworkShape shape;
  shape.inputs = random.Int(1, 4);
  shape.outputs = random.Int(1, 4);
  shape.layers = random.Int(1, 3);
  shape.width = random.Int(2, 6);
  shape.max_hinges = 12;
  shape.skip = random.Chance(0.5) ? 0.5 : 0;
  return testing::RandomNetwork(random, shape);
}

Case MakeCase(uint64_t seed) {
  testing::Random random(seed);
  Case made;
  made.network = MakeNetwork(random);
  made.property = testing::RandomProperty(random, made.network, {.boxes = 3, .disjuncts = 3, .rows = 3});
  return made;
}

void ExpectNothingWrong(const api::Verdict& verdict, const oracle::Answer& truth, const Case& made) {
  if (verdict.answer() == api::Answer::kVerified) {
    EXPECT_GT(truth.margin, -1e-9) << "unsat, but the oracle's point violates";
    EXPECT_NE(truth.reach, Reach::kReachable);
  }
  if (verdict.answer() == api::Answer::kFalsified) {
    EXPECT_NE(truth.reach, Reach::kUnreachable);
    ASSERT_TRUE(verdict.witness().has_value());
    const std::vector<double>& point = verdict.witness()->input;
    const auto judged = EvaluatingJudge(made.network, made.property).Judge(point);
    ASSERT_TRUE(judged.has_value());
    EXPECT_EQ(judged->input, point) << "the witness lies outside the box";
  }
}

void CompareWithOracle(const Case& made, const oracle::Answer& truth, const Setting& setting, uint64_t seed,
                       bool may_give_up) {
  api::Options options;
  options.attack = setting.attack;
  options.input_split = setting.input_split;
  options.batch = setting.batch;
  options.threads = 1;
  options.seed = static_cast<int64_t>(seed);
  const EvaluatingJudge judge(made.network, made.property);
  const StopSource stop(absl::Now() + absl::Seconds(may_give_up ? 1 : 60));
  const auto verdict = search::Decide(made.network, made.property, options,
                                      {judge, Device(), nullptr, stop.token(), nullptr, "", setting.rule});
  ASSERT_TRUE(verdict.ok()) << verdict.status();

  ExpectNothingWrong(*verdict, truth, made);
  if (truth.reach == Reach::kAmbiguous) return;
  if (may_give_up && verdict->answer() == api::Answer::kUnknown) return;
  EXPECT_STREQ(api::AnswerName(verdict->answer()), truth.reach == Reach::kReachable ? "sat" : "unsat")
      << "margin " << truth.margin << ", limit " << api::LimitName(verdict->limit()) << " "
      << verdict->reason();
}

class VerifyOracleTest : public ::testing::TestWithParam<Setting> {};

TEST_P(VerifyOracleTest, VerdictsEqualTheOracle) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const Case made = MakeCase(seed);
    const auto truth = oracle::DecideProperty(made.network, made.property);
    ASSERT_TRUE(truth.ok()) << truth.status();
    CompareWithOracle(made, *truth, GetParam(), seed, /*may_give_up=*/false);
    if (HasFatalFailure()) return;
  }
}

// The unsafe set is moved until the margin is +-1e-3, hundreds of times narrower than before but outside the
// band.
TEST_P(VerifyOracleTest, NarrowMarginsEqualTheOracle) {
  for (uint64_t seed = 1001; seed <= 1040; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Case made = MakeCase(seed);
    const auto before = oracle::DecideProperty(made.network, made.property);
    ASSERT_TRUE(before.ok()) << before.status();
    const double target = seed % 2 == 0 ? 1e-3 : -1e-3;
    for (api::Disjunct& disjunct : made.property.disjuncts) {
      for (api::LinearRow& row : disjunct.rows) row.rhs += before->margin - target;
    }
    const auto truth = oracle::DecideProperty(made.network, made.property);
    ASSERT_TRUE(truth.ok()) << truth.status();
    ASSERT_NEAR(truth->margin, target, 1e-7);
    CompareWithOracle(made, *truth, GetParam(), seed, /*may_give_up=*/GetParam().input_split == 1);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, VerifyOracleTest, ::testing::ValuesIn(kSettings),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace espalier
