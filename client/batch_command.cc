#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/batch/batch_view.h"
#include "client/batch/results_folder.h"
#include "client/batch/runner.h"
#include "client/commands.h"
#include "client/report/options_text.h"
#include "verifier/base/memory_info.h"

namespace espalier::client {
namespace {

constexpr double kDefaultTimeoutSeconds = 300;  // as the server's own

// Keeps what ends and shows what runs.
class Observer : public BatchObserver {
 public:
  Observer(BatchView view, ResultsFolder& folder) : view_(std::move(view)), folder_(folder) {}

  void Started(size_t slot, const Instance& instance, const std::string& server) override {
    std::lock_guard<std::mutex> lock(mutex_);
    view_.Start(slot, instance.Name(), server, Elapsed());
  }
  void Progressed(size_t slot, const v1::Progress& progress) override {
    std::lock_guard<std::mutex> lock(mutex_);
    view_.Progress(slot, progress);
  }
  void GivenBack(size_t slot) override {
    std::lock_guard<std::mutex> lock(mutex_);
    view_.GiveBack(slot);
  }
  absl::Status Finished(size_t slot, size_t instance, InstanceRecord record) override {
    // On the disk before anybody reads of it.
    if (absl::Status kept = folder_.Keep(instance, record); !kept.ok()) return kept;
    std::lock_guard<std::mutex> lock(mutex_);
    Print(view_.Finish(slot, record));
    return absl::OkStatus();
  }
  void Said(const std::string& message) override {
    std::lock_guard<std::mutex> lock(mutex_);
    Print(view_.Message(message));
  }
  void Ticked() override {
    std::lock_guard<std::mutex> lock(mutex_);
    Print(view_.Draw(Elapsed()));
  }
  void End() {
    std::lock_guard<std::mutex> lock(mutex_);
    Print(view_.Clear());
  }

 private:
  double Elapsed() const { return absl::ToDoubleSeconds(absl::Now() - start_); }
  static void Print(const std::string& text) { std::fputs(text.c_str(), stderr); }

  std::mutex mutex_;
  BatchView view_;
  ResultsFolder& folder_;
  const absl::Time start_ = absl::Now();
};

std::vector<double> TimeoutsOf(const std::vector<Instance>& instances, const BatchArguments& arguments) {
  std::vector<double> timeouts;
  for (const Instance& instance : instances) {
    const double own = instance.timeout_s.value_or(kDefaultTimeoutSeconds);
    timeouts.push_back(std::min(arguments.timeout_s.value_or(own), arguments.timeout_cap_s.value_or(1e9)));
  }
  return timeouts;
}

// What decides about results and must be the same when a batch goes on.
std::string OptionsKey(const BatchArguments& arguments) {
  std::string key = absl::StrCat("device=", arguments.device);
  for (const auto& [name, value] : report::OptionsText(arguments.options))
    absl::StrAppend(&key, " ", name, "=", value);
  return key;
}

std::string DefaultFolder(const BatchArguments& arguments) {
  const Shard& shard = arguments.shard;
  const std::string part = shard.count == 1 ? "" : absl::StrCat("_", shard.index, "_of_", shard.count);
  return Stem(arguments.list) + "_results" + part;
}

RunnerSettings SettingsOf(const BatchArguments& arguments) {
  RunnerSettings settings{.servers = arguments.servers,
                          .credentials = arguments.credentials,
                          .jobs = arguments.jobs,
                          .private_flags = {"--log-level", "error"},
                          .options = arguments.options,
                          .device = arguments.device,
                          .patience_s = arguments.patience_s};
  if (arguments.jobs == 1) return settings;
  // Private servers share processors and memory.
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (const std::string& flag :
       {std::string("--threads"), absl::StrCat(std::max(1, processors / arguments.jobs)),
        std::string("--memory"), absl::StrCat(base::FreeMemoryBytes() / 4 * 3 / arguments.jobs)}) {
    settings.private_flags.push_back(flag);
  }
  return settings;
}

ExitCode Report(const BatchArguments& arguments, const BatchEnd& end, ResultsFolder& folder,
                report::BatchRun& run) {
  const absl::Status written = folder.WriteReports(run);
  const std::string text = arguments.json ? report::BatchJson(run) : report::BatchText(run);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  if (!arguments.quiet) std::fprintf(stderr, "report: %s\n", folder.Path("report.html").c_str());
  if (end.interrupted) {
    std::fputs("espalier: interrupted; the same command goes on from here\n", stderr);
    return kInterrupted;
  }
  if (end.code != kDone) {
    std::fprintf(stderr, "espalier: %s\n", end.reason.c_str());
    return end.code;
  }
  if (!written.ok()) return ReportError(written);
  const bool failed = std::any_of(run.records.begin(), run.records.end(),
                                  [](const InstanceRecord& record) { return record.result == "error"; });
  return failed ? kSomeFailed : kDone;
}

}  // namespace

ExitCode RunBatch(InterruptWatch& interrupts, const BatchArguments& arguments) {
  const absl::StatusOr<std::vector<Instance>> instances = ReadInstances(arguments.list);
  if (!instances.ok()) return ReportError(instances.status());
  const std::string results_dir =
      arguments.results_dir.empty() ? DefaultFolder(arguments) : arguments.results_dir;
  const absl::StatusOr<std::unique_ptr<ResultsFolder>> folder =
      ResultsFolder::Open(results_dir, OptionsKey(arguments), arguments.restart);
  if (!folder.ok()) return ReportError(folder.status());

  for (const std::string& other : arguments.collect) {
    const absl::Status collected = (*folder)->Collect(other, OptionsKey(arguments));
    if (!collected.ok()) return ReportError(collected);
  }

  std::deque<Task> tasks =
      (*folder)->Match(*instances, TimeoutsOf(*instances, arguments), arguments.retry_errors);
  std::erase_if(tasks, [&arguments](const Task& task) { return !arguments.shard.Has(task.instance); });
  report::BatchRun run{.list = arguments.list,
                       .instances = static_cast<int64_t>((*folder)->Records().size() + tasks.size()),
                       .records = {},
                       .options = arguments.options,
                       .device = arguments.device,
                       .command_line = arguments.command_line};
  BatchView view(arguments.quiet ? ProgressView::Style::kQuiet : ProgressView::StyleOf(STDERR_FILENO),
                 ProgressView::WidthOf(STDERR_FILENO), run.instances);
  for (const InstanceRecord& record : (*folder)->Records()) {
    view.Known(record);
    ++run.known;
  }
  if (run.known > 0 && !arguments.quiet)
    std::fprintf(stderr, "%d of %d instances were finished before\n", static_cast<int>(run.known),
                 static_cast<int>(run.instances));
  Observer observer(std::move(view), **folder);
  Runner runner(*instances, SettingsOf(arguments), observer);
  interrupts.OnInterrupt([&runner] { runner.Interrupt(); });
  const absl::Time start = absl::Now();
  const BatchEnd end = runner.Run(std::move(tasks));
  interrupts.OnInterrupt(nullptr);
  observer.End();
  run.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return Report(arguments, end, **folder, run);
}

}  // namespace espalier::client
