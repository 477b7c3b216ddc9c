#include <gtest/gtest.h>

#include "tests/unit/train/toy_problem.h"
#include "verifier/train_checkpoint.h"

namespace espalier {
namespace {

CheckpointState Full() {
  CheckpointState state;
  state.fingerprint = 0xFEEDFACECAFEBEEFull;
  state.seconds = 12.5;
  state.training.epochs_done = 3;
  state.training.parameters = {{"n1.t0.weight", {1.5f, -2.0f}, {0.25f, 0.0f}}, {"n1.bias", {3.0f}, {4.0f}}};
  state.scores.emplace();
  for (graft::PerNeuron* score : {&state.scores->instability, &state.scores->magnitude,
                                  &state.scores->gradient, &state.scores->cost, &state.scores->looseness}) {
    *score = {{0.5, 1.0 / 3}, {static_cast<double>(score - &state.scores->instability)}};
  }
  state.scores->unstable_per_layer = {1.25, 7};
  state.scores->certified = 0.3;
  state.scores->samples = 40;
  state.base.emplace();
  state.base->samples = 100;
  state.base->mean_domains = 2.5;
  GraftCandidate candidate;
  candidate.ratio = 0.4;
  candidate.measurement.verified = 0.75;
  candidate.unstable = {1, 2};
  candidate.onnx = std::string("onnx\0bytes", 10);
  state.finished = {candidate, GraftCandidate{}};
  return state;
}

TEST(Checkpoint, ComesBackAsItWas) {
  const CheckpointState state = Full();
  const auto bytes = WriteCheckpoint(state);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto read = ReadCheckpoint(*bytes, state.fingerprint);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->seconds, 12.5);
  EXPECT_EQ(read->training.epochs_done, 3);
  ASSERT_EQ(read->training.parameters.size(), 2u);
  EXPECT_EQ(read->training.parameters[0].name, "n1.t0.weight");
  EXPECT_EQ(read->training.parameters[0].velocity, (std::vector<float>{0.25f, 0.0f}));
  ASSERT_TRUE(read->scores.has_value());
  EXPECT_EQ(read->scores->looseness, state.scores->looseness);
  EXPECT_EQ(read->scores->cost, state.scores->cost);
  EXPECT_EQ(read->scores->instability, state.scores->instability);
  EXPECT_EQ(read->scores->samples, 40);
  EXPECT_EQ(read->base->mean_domains, 2.5);
  ASSERT_EQ(read->finished.size(), 2u);
  EXPECT_EQ(read->finished[0].onnx, state.finished[0].onnx);
  EXPECT_EQ(read->finished[0].measurement.verified, 0.75);
  EXPECT_TRUE(read->finished[1].onnx.empty());
}

TEST(Checkpoint, WithoutAnythingYet) {
  const auto bytes =
      WriteCheckpoint({.fingerprint = 5, .training = {}, .scores = {}, .base = {}, .finished = {}});
  ASSERT_TRUE(bytes.ok());
  const auto read = ReadCheckpoint(*bytes, 5);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->scores.has_value() || read->base.has_value());
  EXPECT_EQ(read->training.epochs_done, 0);
}

TEST(Checkpoint, AnotherCallsIsRefused) {
  const auto bytes = WriteCheckpoint(Full());
  const auto read = ReadCheckpoint(*bytes, 1);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(read.status().message()).find("another call"), std::string::npos);
}

TEST(Checkpoint, DamagedBytesAreRefused) {
  const std::string bytes = *WriteCheckpoint(Full());
  for (size_t length = 0; length < bytes.size(); length += 97) {
    EXPECT_FALSE(ReadCheckpoint(bytes.substr(0, length), Full().fingerprint).ok()) << length;
  }
  std::string flipped = bytes;
  for (size_t i = 0; i < flipped.size(); i += 41) {
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    (void)ReadCheckpoint(flipped, Full().fingerprint);  // an answer or an error, never an abort
    flipped[i] = bytes[i];
  }
}

TEST(Fingerprint, TellsNetworksDataAndOptionsApart) {
  const auto of = [](uint64_t net, uint64_t data, double option) {
    Fingerprint f;
    f.Add(train::SmallNetwork(net));
    f.Add(train::StripeData(5, data));
    f.Add(option);
    return f.value();
  };
  EXPECT_EQ(of(1, 1, 1), of(1, 1, 1));
  EXPECT_NE(of(1, 1, 1), of(2, 1, 1));
  EXPECT_NE(of(1, 1, 1), of(1, 2, 1));
  EXPECT_NE(of(1, 1, 1), of(1, 1, 2));
}

}  // namespace
}  // namespace espalier
