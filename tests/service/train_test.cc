// espalier train and the Train call: learning, repeating, going on after a kill, and every way to be wrong.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/service/training_data.h"

namespace espalier::service_test {
namespace {

using std::filesystem::exists;

// More work than any test waits for.
const std::vector<std::string> kLong = {"--epochs", "100000", "--threads", "1"};
// Some seconds.
const std::vector<std::string> kSomeSeconds = {"--epochs", "1000", "--threads", "1", "--seed", "3"};

double CleanAccuracy(const std::string& text) {
  const std::string before = "clean accuracy ";
  const size_t at = text.find(before);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + before.size()));
}

TEST(Train, LearnsAndLeavesOnlyTheModel) {
  const HalvesFolder folder;
  const Output output = CallEspalier(folder.Train("net.onnx", {"--epochs", "15", "--seed", "1"}));
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_GT(CleanAccuracy(output.text), 90) << output.text;
  EXPECT_TRUE(exists(folder.Path("net.onnx")));
  EXPECT_FALSE(exists(folder.Path("net.onnx.checkpoint")));
  EXPECT_NE(output.text.find("train "), std::string::npos) << "a line for the stage:\n" << output.text;
  const Output described = CallEspalier({"describe", folder.Path("net.onnx")});
  EXPECT_EQ(described.status, 0) << described.text;
}

TEST(Train, FurtherFromAModel) {
  const HalvesFolder folder;
  ASSERT_EQ(CallEspalier(folder.Train("a.onnx", {"--epochs", "0"})).status, 0);
  std::vector<std::string> arguments = folder.Train("b.onnx", {"--epochs", "15"});
  arguments[1] = folder.Path("a.onnx");
  const Output output = CallEspalier(arguments);
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_GT(CleanAccuracy(output.text), 90) << output.text;
}

TEST(Train, KilledRunGoesOnAndEndsWithTheSameBytes) {
  const HalvesFolder folder(2000);
  ASSERT_EQ(CallEspalier(folder.Train("whole.onnx", kSomeSeconds)).status, 0);
  const std::string path = folder.Path("cut.onnx");
  const Output killed = InterruptAfterCheckpoint(folder.Train("cut.onnx", kSomeSeconds), path, SIGKILL);
  ASSERT_EQ(killed.status, -SIGKILL) << "it ended before it was killed";
  ASSERT_TRUE(exists(path + ".checkpoint"));
  ASSERT_FALSE(exists(path));
  const Output resumed = CallEspalier(folder.Train("cut.onnx", kSomeSeconds));
  EXPECT_EQ(resumed.status, 0) << resumed.text;
  EXPECT_NE(resumed.text.find("going on from"), std::string::npos) << resumed.text;
  EXPECT_EQ(resumed.text.find("epoch 1 "), std::string::npos) << "it does not start over\n" << resumed.text;
  EXPECT_EQ(ReadFile(path), ReadFile(folder.Path("whole.onnx")));
  EXPECT_FALSE(exists(path + ".checkpoint"));
  EXPECT_FALSE(exists(path + ".checkpoint.part")) << "what a kill in the middle of a write left";
}

TEST(Train, ACheckpointOfOtherArgumentsIsRefusedAndKept) {
  const HalvesFolder folder(2000);
  const std::string path = folder.Path("net.onnx");
  InterruptAfterCheckpoint(folder.Train("net.onnx", kLong), path, SIGKILL);
  ASSERT_TRUE(exists(path + ".checkpoint"));
  const std::vector<std::string> other = folder.Train("net.onnx", {"--epochs", "2", "--threads", "1"});
  const Output refused = CallEspalier(other);
  EXPECT_EQ(refused.status, 3) << refused.text;
  EXPECT_NE(refused.text.find("--no-resume"), std::string::npos) << refused.text;
  EXPECT_TRUE(exists(path + ".checkpoint"));
  EXPECT_EQ(CallEspalier(Joined(other, {"--no-resume"})).status, 0);
  EXPECT_FALSE(exists(path + ".checkpoint"));
}

TEST(Train, CtrlCLeavesTheCheckpointAndSaysHowToGoOn) {
  const HalvesFolder folder(2000);
  const Output output =
      InterruptAfterCheckpoint(folder.Train("net.onnx", kLong), folder.Path("net.onnx"), SIGINT);
  EXPECT_EQ(output.status, 130);
  EXPECT_NE(output.text.find("the same command goes on from there"), std::string::npos) << output.text;
  EXPECT_TRUE(exists(folder.Path("net.onnx.checkpoint")));
}

struct WrongLine {
  std::string name;
  std::vector<std::string> arguments;
  int status;
  std::string said;
};

TEST(Train, WrongInputIsNamed) {
  const HalvesFolder folder;
  const std::string x = folder.Path("x.npy"), y = folder.Path("y.npy"), out = folder.Path("net.onnx");
  WriteFile(folder.Path("few.npy"), HalfLabels(399));
  WriteFile(folder.Path("large.npy"), NpyInts(std::vector<int64_t>(400, 2)));
  WriteFile(folder.Path("negative.npy"), NpyInts(std::vector<int64_t>(400, -1)));
  const auto line = [&](const std::string& spec, const std::string& labels, const std::string& eps) {
    return std::vector<std::string>{"train", spec, "--data", x, "--labels", labels, "--eps", eps, "-o", out};
  };
  const std::vector<WrongLine> lines = {
      {"labels of other data", line(kHalfSpec, folder.Path("few.npy"), "0"), 3, "399 labels for 400"},
      {"a label too large", line(kHalfSpec, folder.Path("large.npy"), "0"), 3, "label"},
      {"a negative label", line(kHalfSpec, folder.Path("negative.npy"), "0"), 3, "label"},
      {"another input size", line("input 1x5x5; fc 2", y, "0"), 3, "16"},
      {"no such layer", line("input 1x4x4; magic 3; fc 2", y, "0"), 3, "magic"},
      {"no such file", {"train", kHalfSpec, "--data", "nothing", "--eps", "0", "-o", out}, 3, "nothing"},
      {"no labels", {"train", kHalfSpec, "--data", x, "--eps", "0", "-o", out}, 3, "labels"},
      {"an option out of range", Joined(line(kHalfSpec, y, "0"), {"--epochs", "-1"}), 3, "epochs"},
      {"no radius", line(kHalfSpec, y, "2/0"), 2, "--eps"},
      {"an unknown option", Joined(line(kHalfSpec, y, "0"), {"--option", "speed=9"}), 2, "speed"},
      {"no such folder",
       {"train", kHalfSpec, "--data", x, "--labels", y, "--eps", "0", "-o", "/no/such/net.onnx"},
       3,
       "/no/such/net.onnx"},
  };
  for (const WrongLine& wrong : lines) {
    const Output output = CallEspalier(wrong.arguments);
    EXPECT_EQ(output.status, wrong.status) << wrong.name << ": " << output.text;
    EXPECT_NE(output.text.find(wrong.said), std::string::npos) << wrong.name << ": " << output.text;
    EXPECT_FALSE(exists(out)) << wrong.name;
  }
}

TEST(Train, ALossThatIsNotFiniteEndsWithTheLastGoodCheckpoint) {
  const HalvesFolder folder;
  // The rate rises over many epochs before it is large enough to diverge.
  const Output output = CallEspalier(folder.Train(
      "net.onnx", {"--epochs", "2000", "--lr", "100", "--option", "weight_decay=1", "--threads", "1"}));
  EXPECT_EQ(output.status, 3) << output.text;
  EXPECT_NE(output.text.find("epoch"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("finite"), std::string::npos) << output.text;
  EXPECT_TRUE(exists(folder.Path("net.onnx.checkpoint"))) << output.text;
  EXPECT_FALSE(exists(folder.Path("net.onnx")));
}

TEST(Train, AFullDiskLosesNothing) {
  const HalvesFolder folder;
  const std::vector<std::string> few = {"--epochs", "3", "--threads", "1"};
  std::filesystem::create_symlink("/dev/full", folder.Path("full.onnx"));
  const Output output = CallEspalier(folder.Train("full.onnx", few));
  EXPECT_EQ(output.status, 3);
  EXPECT_NE(output.text.find("No space left"), std::string::npos) << output.text;
  EXPECT_TRUE(exists(folder.Path("full.onnx.checkpoint"))) << "what was trained is kept";

  std::filesystem::create_symlink("/dev/full", folder.Path("net.onnx.checkpoint"));
  WriteFile(folder.Path("net.onnx"), "old");
  const Output stopped = CallEspalier(folder.Train("net.onnx", Joined(kLong, {"--no-resume"})));
  EXPECT_EQ(stopped.status, 3);
  EXPECT_NE(stopped.text.find("net.onnx.checkpoint"), std::string::npos) << stopped.text;
  EXPECT_EQ(ReadFile(folder.Path("net.onnx")), "old");
}

// The call itself, on one worker.
class TrainCall : public testing::Test {
 protected:
  v1::TrainRequest Request(int64_t epochs) {
    v1::TrainRequest request;
    request.set_spec(kHalfSpec);
    request.mutable_data()->mutable_data()->set_inline_bytes(HalfImages(2000));
    request.mutable_data()->mutable_labels()->set_inline_bytes(HalfLabels(2000));
    request.mutable_options()->set_epochs(epochs);
    request.mutable_options()->set_threads(1);
    return request;
  }

  grpc::Status Call(const v1::TrainRequest& request, std::vector<v1::TrainEvent>* events = nullptr) {
    grpc::ClientContext context;
    const auto reader = client_.stub().Train(&context, request);
    v1::TrainEvent event;
    while (reader->Read(&event)) {
      if (events != nullptr) events->push_back(event);
    }
    return reader->Finish();
  }

  ServerProcess server_{{"--listen", "127.0.0.1:0", "--concurrency", "1"}};
  Client client_{server_.address()};
};

TEST_F(TrainCall, AcceptedProgressCheckpointsModelResult) {
  std::vector<v1::TrainEvent> events;
  const absl::Time start = absl::Now();
  const grpc::Status status = Call(Request(100), &events);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_GT(events.size(), 3U);
  EXPECT_TRUE(events.front().has_accepted());
  EXPECT_TRUE(events.back().has_trained());
  EXPECT_TRUE(events[events.size() - 2].model().last());
  int training = 0, checkpoints = 0;
  for (const v1::TrainEvent& event : events) {
    training += event.progress().stage() == "train" ? 1 : 0;
    checkpoints += event.checkpoint().last() ? 1 : 0;
  }
  EXPECT_GT(checkpoints, 0);
  EXPECT_GT(training, 0);
  EXPECT_LE(training, 5 * seconds + 3) << "at most five a second";
}

TEST_F(TrainCall, ErrorsNameTheField) {
  const auto field = [this](auto change) {
    v1::TrainRequest request = Request(1);
    change(request);
    const grpc::Status status = Call(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return DetailOf(status).field();
  };
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.mutable_options()->set_epochs(-1); }), "options.epochs");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.clear_spec(); }), "spec");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.set_spec("input 1x4x4; magic"); }), "spec");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.clear_data(); }), "data");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.mutable_data()->mutable_data()->set_inline_bytes("x"); }),
            "data");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.mutable_data()->clear_labels(); }), "labels");
  EXPECT_EQ(field([](v1::TrainRequest& r) {
              r.mutable_data()->mutable_labels()->set_inline_bytes(NpyInts(std::vector<int64_t>(2000, 9)));
            }),
            "labels");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.mutable_evaluation(); }), "evaluation");
  EXPECT_EQ(field([](v1::TrainRequest& r) { r.mutable_resume()->set_inline_bytes("no checkpoint"); }),
            "resume");
}

TEST_F(TrainCall, AnUnknownBlobIsNotFound) {
  v1::TrainRequest request = Request(1);
  request.mutable_data()->mutable_data()->set_sha256(std::string(64, '0'));
  const grpc::Status status = Call(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DetailOf(status).reason(), "UNKNOWN_BLOB");
}

// The only worker is free again, long before it would have trained for as long as it was told to.
TEST_F(TrainCall, CancellingStopsTheWork) {
  grpc::ClientContext context;
  const auto reader = client_.stub().Train(&context, Request(100000));
  v1::TrainEvent event;
  while (reader->Read(&event) && !event.has_progress()) continue;
  context.TryCancel();
  EXPECT_TRUE(client_.Verify(TinyUnsat()).status.ok());
}

TEST_F(TrainCall, ADeadlineStopsTheWork) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(500)));
  const auto reader = client_.stub().Train(&context, Request(100000));
  v1::TrainEvent event;
  while (reader->Read(&event)) continue;
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(client_.Verify(TinyUnsat()).status.ok());
}

TEST_F(TrainCall, AReaderThatSleepsGetsTheNewestCheckpointAndTheResult) {
  grpc::ClientContext context;
  const auto reader = client_.stub().Train(&context, Request(50));
  absl::SleepFor(absl::Seconds(1));
  v1::TrainEvent event;
  bool result = false;
  while (reader->Read(&event)) result = event.has_trained();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(result);
}

}  // namespace
}  // namespace espalier::service_test
