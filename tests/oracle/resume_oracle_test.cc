// Searches that are stopped and continued again and again, at random moments, against the exhaustive oracle:
// the verdict has to be that of a search which nobody stopped.
//
// Stops come between rounds (limits on domains), in the middle of one (the judge cancels when it is asked,
// with domains in flight) and at any time (a thread). Every checkpoint that was written is one that a crash
// could have left: now and then an older one is taken instead of the newest.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/oracle/oracle.h"
#include "tests/property/random_network.h"
#include "tests/support/divide_at_once.h"
#include "verifier/search/strategy.h"

namespace espalier {
namespace {

using oracle::Reach;
using testing::Random;

class StoppingJudge : public api::WitnessJudge {
 public:
  StoppingJudge(const ir::Network& network, const api::Property& property, StopSource& stop, int64_t asks)
      : network_(network), property_(property), stop_(stop), asks_(asks) {}

  std::optional<api::Witness> Judge(absl::Span<const double> input) const override {
    if (asks_-- == 0) stop_.Cancel();
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
  StopSource& stop_;
  mutable int64_t asks_;
};

struct Case {
  ir::Network network;
  api::Property property;
};

Case MakeCase(uint64_t seed) {
  Random random(seed);
  testing::NetworkShape shape;
  shape.inputs = random.Int(2, 4);
  shape.outputs = random.Int(1, 4);
  shape.layers = random.Int(2, 4);
  shape.width = 7;
  shape.max_hinges = 13;
  Case made;
  made.network = testing::RandomNetwork(random, shape);
  made.property = testing::RandomProperty(random, made.network, {.boxes = 3, .disjuncts = 4, .rows = 2});
  return made;
}

// Moves the unsafe set until its margin is `margin`: splits are needed then.
void Narrow(Case& made, double margin) {
  const auto before = oracle::DecideProperty(made.network, made.property);
  ASSERT_TRUE(before.ok()) << before.status();
  for (api::Disjunct& disjunct : made.property.disjuncts) {
    for (api::LinearRow& row : disjunct.rows) row.rhs += before->margin - margin;
  }
}

struct Setting {
  const char* name;
  int64_t input_split, intermediate_iterations, batch, attack;
  bool divide = false;
};

constexpr Setting kSettings[] = {
    {"relu_one_by_one", 0, 1, 1, 0},
    {"relu_batches", 0, 1, 4, 0},
    {"relu_together", 0, 0, 2, 0},
    {"inputs_one_by_one", 1, 20, 1, 0},
    {"inputs_batches", 1, 20, 8, 0},
    {"relu_attack", 0, 20, 4, 1},
    {"chosen", -1, 20, 4, 0},
    {"parts", 0, 2, 1, 0, true},
    {"parts_of_inputs", -1, 2, 1, 0, true},
};

// One run from `resume` to a random stop.
class Leg {
 public:
  Leg(const Case& made, api::Options options, Random& random, const std::string& resume, bool divide)
      : made_(made), options_(options), random_(random), divide_(divide) {
    checkpoints_.resume = resume;
    checkpoints_.every = absl::ZeroDuration();
    checkpoints_.write = [this](std::string bytes) { written.push_back(std::move(bytes)); };
  }

  absl::StatusOr<api::Verdict> Go(int64_t domains_before, bool last) {
    StopSource stop(absl::Now() + absl::Seconds(60));
    int64_t asks = -1;
    std::thread canceller;
    if (!last) {
      const int64_t kind = std::max<int64_t>(0, random_.Int(-2, 2));
      if (kind == 0) options_.max_domains = domains_before + random_.Int(1, 4);
      if (kind == 1) asks = random_.Int(0, 3);
      if (kind == 2) {
        canceller = std::thread([&stop, wait = absl::Microseconds(random_.Int(200, 3000))] {
          absl::SleepFor(wait);
          stop.Cancel();
        });
      }
    }
    const StoppingJudge judge(made_.network, made_.property, stop, asks);
    auto verdict = search::Decide(made_.network, made_.property, options_,
                                  {judge, backend::CpuFactory(), nullptr, stop.token(), &checkpoints_, "1",
                                   divide_ ? testing::kAtOnce : search::DivideRule{}});
    if (canceller.joinable()) canceller.join();
    return verdict;
  }

  std::vector<std::string> written;

 private:
  const Case& made_;
  api::Options options_;
  Random& random_;
  api::Checkpoints checkpoints_;
  const bool divide_;
};

class ResumeOracleTest : public ::testing::TestWithParam<Setting> {
 protected:
  void FollowToTheEnd(const Case& made, uint64_t seed) {
    const auto truth = oracle::DecideProperty(made.network, made.property);
    ASSERT_TRUE(truth.ok()) << truth.status();
    api::Options options;
    options.input_split = GetParam().input_split;
    options.intermediate_iterations = GetParam().intermediate_iterations;
    options.batch = GetParam().batch;
    options.attack = GetParam().attack;
    options.threads = 1;
    options.alpha_iterations = 0;  // weak bounds, many domains
    options.split_iterations = 1;
    Random random(seed);
    std::string resume;
    int64_t domains = 0;
    constexpr int kLegs = 20;
    for (int leg = 0; leg <= kLegs; ++leg) {
      Leg run(made, options, random, resume, GetParam().divide);
      const auto verdict = run.Go(domains, leg == kLegs);
      ASSERT_TRUE(verdict.ok()) << verdict.status();
      ASSERT_TRUE(verdict->warnings.empty()) << verdict->warnings[0];
      if (!resume.empty()) {
        ++resumed_;
      }
      const bool stopped =
          verdict->answer() == api::Answer::kUnknown &&
          (verdict->limit() == api::Limit::kCancelled || verdict->limit() == api::Limit::kDomains);
      if (!stopped) {
        Compare(*verdict, *truth);
        return;
      }
      if (run.written.empty()) continue;  // before there was a search: what there was is still the newest
      const size_t back = random.Chance(0.2) ? static_cast<size_t>(random.Int(0, 3)) : 0;
      resume = run.written[run.written.size() - 1 - std::min(back, run.written.size() - 1)];
      domains = verdict->statistics.domains;
    }
  }

  static void Compare(const api::Verdict& verdict, const oracle::Answer& truth) {
    if (truth.reach == Reach::kAmbiguous) return;
    EXPECT_STREQ(api::AnswerName(verdict.answer()), truth.reach == Reach::kReachable ? "sat" : "unsat")
        << "margin " << truth.margin << ", limit " << api::LimitName(verdict.limit()) << " "
        << verdict.reason();
  }

  int64_t resumed_ = 0;
};

TEST_P(ResumeOracleTest, HoweverOftenItIsStoppedTheVerdictIsTheSame) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Case made = MakeCase(seed);
    // Unsafe by little, safe by little, or as it came.
    if (seed % 3 != 0) Narrow(made, seed % 3 == 1 ? -2e-4 : 2e-4);
    FollowToTheEnd(made, seed);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(resumed_, 25);  // they were stopped at all
}

INSTANTIATE_TEST_SUITE_P(Settings, ResumeOracleTest, ::testing::ValuesIn(kSettings),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace espalier
