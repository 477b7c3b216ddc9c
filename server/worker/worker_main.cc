#include "server/worker/worker_main.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "espalier/v1/worker.pb.h"
#include "server/event_buffer.h"
#include "server/parent_watch.h"
#include "server/train_buffer.h"
#include "server/training_job.h"
#include "server/worker/card_leases.h"
#include "server/worker/message_socket.h"
#include "server/worker/process_memory.h"
#include "server/worker/worker_files.h"
#include "verifier/base/device_lost.h"

namespace espalier::server {
namespace {

constexpr size_t kPartBytes = size_t{1} << 20;

// What comes in. A thread of its own reads, so that a cancellation is seen while a search runs.
class Inbox {
 public:
  explicit Inbox(MessageSocket& socket) : socket_(socket) {
    std::thread([this] { Read(); }).detach();  // lives as long as the process
  }

  // The next run or part; nullopt when the server has gone.
  std::optional<v1::WorkerInput> Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !inputs_.empty(); });
    if (inputs_.empty()) return std::nullopt;
    v1::WorkerInput input = std::move(inputs_.front());
    inputs_.pop_front();
    return input;
  }

  // Of the newest run.
  StopToken stop() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return stop_.token();
  }

 private:
  void Read() {
    v1::WorkerInput input;
    while (true) {
      const MessageSocket::Received received = socket_.Receive(input, absl::InfiniteDuration());
      if (received == MessageSocket::Received::kClosed) break;
      if (received == MessageSocket::Received::kNothingYet) continue;
      std::lock_guard<std::mutex> lock(mutex_);
      if (input.has_cancel()) {
        stop_.Cancel();
        continue;
      }
      if (input.has_run()) {
        const double left = input.run().time_left_s();
        stop_ = StopSource(left > 0 ? absl::Now() + absl::Seconds(left) : absl::InfiniteFuture());
      }
      inputs_.push_back(std::move(input));
      changed_.notify_one();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    stop_.Cancel();
    changed_.notify_one();
  }

  MessageSocket& socket_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  StopSource stop_;
  std::deque<v1::WorkerInput> inputs_;
};

class Worker final : private VerifyListener, private TrainListener {
 public:
  Worker(MessageSocket& socket, Core& core) : socket_(socket), core_(core), inbox_(socket) {}

  void Serve() {
    v1::WorkerOutput output;
    output.set_ready(true);
    bool open = socket_.Send(output);
    while (open) {
      std::optional<v1::WorkerInput> input = inbox_.Next();
      if (!input || !input->has_run()) return;
      ResetPeakMemory();
      v1::WorkerDone& done = *output.mutable_done();
      done.Clear();
      if (Failure failure = Execute(input->run(), done); !failure.ok())
        *done.mutable_error() = failure.ToDetails();
      const ProcessMemory memory = ReadProcessMemory();
      done.set_peak_bytes(memory.peak_bytes);
      done.set_resident_bytes(memory.resident_bytes);
      open = socket_.Send(output);
    }
  }

 private:
  Failure Execute(const v1::WorkerRun& run, v1::WorkerDone& done) {
    std::vector<BlobPtr> files;  // keeps them while the run lasts
    for (const FileField& file : FilesOf(run)) {
      if (!file.blob->has_sha256()) continue;
      if (Failure failure = Fetch(file, files.emplace_back()); !failure.ok()) return failure;
    }
    Engine& engine = core_.engine();
    const StopToken stop = inbox_.stop();
    switch (run.call_case()) {
      case v1::WorkerRun::kVerify:
        return Verify(run, stop, *done.mutable_verify());
      case v1::WorkerRun::kBounds:
        return engine.Bounds(run.bounds(), stop, *done.mutable_bounds());
      case v1::WorkerRun::kDescribe:
        return engine.Describe(run.describe(), stop, *done.mutable_describe());
      case v1::WorkerRun::kEvaluate:
        return engine.Evaluate(run.evaluate(), stop, *done.mutable_evaluate());
      case v1::WorkerRun::kTrain:
      case v1::WorkerRun::kGraft:
      case v1::WorkerRun::kCompare:
        return Train(run, stop);
      case v1::WorkerRun::kProbe:
        return Probe(run.probe().device());
      case v1::WorkerRun::CALL_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError("a run without a call");
  }

  static Failure Probe(const std::string& device) {
    const absl::Status checked = CheckDevice(device);
    if (IsDeviceLost(checked)) return {checked, {.reason = kDeviceLostReason}};
    return checked;
  }

  Failure Verify(const v1::WorkerRun& run, StopToken stop, v1::VerifyResult& result) {
    events_ = std::make_unique<EventBuffer>();
    events_->Accept({});
    events_->Next(absl::Now());
    Failure failure =
        core_.engine().Verify(run.verify(), {run.resume(), run.checkpoint_s()}, *this, stop, result);
    events_->PushResult({});  // lets out what has been held back
    SendEvents();
    return failure;
  }

  Failure Train(const v1::WorkerRun& run, StopToken stop) {
    training_ = std::make_unique<TrainBuffer>();
    training_->Accept({});
    training_->Next(absl::Now());
    std::unique_ptr<TrainingJob> job = MakeTrainingJob(core_, run);
    Failure failure = job->Prepare();
    TrainOutcome outcome;
    if (failure.ok()) failure = core_.engine().Train(std::move(job), *this, stop, outcome);
    if (failure.ok()) {
      training_->PushResult(std::move(outcome.model), std::move(outcome.result));
    } else {
      training_->Close();
    }
    SendTraining();
    return failure;
  }

  Failure Fetch(const FileField& file, BlobPtr& blob) {
    const std::string& sha256 = file.blob->sha256();
    blob = core_.blobs().Find(sha256);
    if (blob != nullptr) return {};
    v1::WorkerOutput output;
    output.set_need(sha256);
    std::string bytes;
    bool open = socket_.Send(output);
    for (bool last = false; open && !last;) {
      const std::optional<v1::WorkerInput> input = inbox_.Next();
      open = input && input->has_part();
      if (!open) break;
      if (input->part().missing()) {
        return {absl::NotFoundError(absl::StrCat(file.field, ": no blob ", sha256, " is held; upload it")),
                {.reason = "UNKNOWN_BLOB", .field = file.field}};
      }
      bytes += input->part().bytes();
      last = input->part().last();
    }
    if (!open) return absl::UnavailableError("the server has gone");
    absl::StatusOr<BlobPtr> added = core_.blobs().Add(sha256, std::move(bytes), v1::BLOB_KIND_UNSPECIFIED);
    if (!added.ok()) return added.status();
    blob = *std::move(added);
    return {};
  }

  void OnProgress(v1::Progress progress) override {
    events_->Push(std::move(progress));
    SendEvents();
  }
  void OnRefuted(const v1::DisjunctsRefuted& refuted) override {
    for (const int64_t index : refuted.index()) events_->PushRefuted(index);
    SendEvents();
  }
  void OnCheckpoint(const std::string& bytes) override {
    for (size_t sent = 0; sent < bytes.size();) {
      v1::WorkerOutput output;
      v1::WorkerBlobPart& part = *output.mutable_checkpoint();
      part.set_bytes(bytes.substr(sent, kPartBytes));
      sent += part.bytes().size();
      part.set_last(sent == bytes.size());
      if (!socket_.Send(output)) return;
    }
  }
  void OnProgress(v1::TrainProgress progress) override {
    training_->Push(std::move(progress));
    SendTraining();
  }
  void OnCheckpoint(std::string bytes) override {
    training_->PushCheckpoint(std::move(bytes));
    SendTraining();
  }
  void SendTraining() {
    while (std::optional<v1::TrainEvent> event = training_->Next(absl::Now())) {
      v1::WorkerOutput output;
      *output.mutable_training() = *std::move(event);
      socket_.Send(output);
    }
  }
  void SendEvents() {
    while (std::optional<v1::VerifyEvent> event = events_->Next(absl::Now())) {
      if (event->has_result()) continue;
      v1::WorkerOutput output;
      *output.mutable_event() = *std::move(event);
      socket_.Send(output);
    }
  }

  MessageSocket& socket_;
  Core& core_;
  Inbox inbox_;
  // Of the run under way: they thin out what the server would thin out anyway.
  std::unique_ptr<EventBuffer> events_;
  std::unique_ptr<TrainBuffer> training_;
};

}  // namespace

int ServeAsWorker(int fd, Core& core) {
  OfferToOutOfMemoryKiller();
  WatchParent(fd);
  MessageSocket socket(fd);
  Worker worker(socket, core);
  worker.Serve();
  _exit(0);  // the reading thread still uses the socket
}

}  // namespace espalier::server
