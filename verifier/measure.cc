#include "verifier/measure.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"
#include "verifier/model_impl.h"
#include "verifier/train/accuracy.h"

namespace espalier {
namespace {

absl::Status CheckOrder(const Samples& samples) {
  for (int64_t i : samples.order) {
    if (i < 0 || i >= samples.data->size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no sample ", i, ": the data have ", samples.data->size()));
    }
  }
  return absl::OkStatus();
}

api::Options OptionsOf(const MeasureSettings& settings) {
  api::Options options;
  options.threads = settings.threads;
  options.memory_bytes = settings.verify_memory_bytes;
  options.seed = static_cast<int64_t>(settings.seed & ((uint64_t{1} << 62) - 1));
  // Neurons are split, never inputs, so that "at the root" means the same for every network.
  options.input_split = 0;
  if (settings.verify_timeout_s > 0) {
    options.timeout_s = settings.verify_timeout_s;
  } else {
    options.timeout_s = 1e9;
    // Optimised intermediate bounds cost seconds a sample; those of the output rows are optimised.
    options.attack = options.intermediate_iterations = 0;
    options.batch = 1;
    options.max_domains = 1;
  }
  return options;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

// Verifies samples and counts.
class Verifications {
 public:
  Verifications(const Model& model, const MeasureSettings& settings)
      : model_(model), settings_(settings), options_(OptionsOf(settings)) {}

  absl::Status Add(const std::vector<float>& sample, int64_t label, bool correct, StopToken stop) {
    ++count_;
    if (!correct) {
      ++falsified_;
      return absl::OkStatus();
    }
    ESPALIER_ASSIGN_OR_RETURN(const api::Property property,
                              LabelProperty(model_, sample, label, settings_.box));
    const absl::Time start = absl::Now();
    const StopToken limited = stop.WithDeadline(start + absl::Seconds(options_.timeout_s));
    ESPALIER_ASSIGN_OR_RETURN(const api::Verdict verdict,
                              Verify(model_, property, options_, /*sink=*/nullptr, limited));
    if (stop.StopRequested()) return absl::CancelledError("stopped while samples were verified");
    seconds_.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    const int64_t domains = verdict.statistics.domains;
    const bool verified = verdict.answer() == api::Answer::kVerified;
    const bool at_root = verified && domains == 0;
    root_ += at_root;
    verified_ += settings_.verify_timeout_s > 0 ? verified : at_root;
    falsified_ += verdict.answer() == api::Answer::kFalsified;
    domains_ += settings_.verify_timeout_s > 0 ? domains : 0;
    return absl::OkStatus();
  }

  double verified_fraction() const { return Fraction(verified_); }

  void WriteTo(api::Measurement& measurement) const {
    measurement.verify_samples = count_;
    measurement.root_verified = Fraction(root_);
    measurement.verified = Fraction(verified_);
    measurement.falsified = Fraction(falsified_);
    measurement.undecided = Fraction(count_ - verified_ - falsified_);
    measurement.median_seconds = Median(seconds_);
    for (double s : seconds_) measurement.total_seconds += s;
    if (!seconds_.empty()) {
      measurement.mean_domains = static_cast<double>(domains_) / static_cast<double>(seconds_.size());
    }
  }

 private:
  double Fraction(int64_t part) const {
    return count_ == 0 ? 0 : static_cast<double>(part) / static_cast<double>(count_);
  }

  const Model& model_;
  const MeasureSettings& settings_;
  api::Options options_;
  int64_t count_ = 0, root_ = 0, verified_ = 0, falsified_ = 0, domains_ = 0;
  std::vector<double> seconds_;
};

}  // namespace

absl::StatusOr<api::Measurement> Measure(const Model& model, const Samples& chosen,
                                         const MeasureSettings& settings, backend::Backend& backend,
                                         const MeasureProgress& progress, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(model.impl().lowering_status);
  ESPALIER_RETURN_IF_ERROR(CheckOrder(chosen));
  const auto report = [&progress](const char* stage, int64_t done, int64_t total, double fraction) {
    api::TrainProgress line;
    line.stage = stage;
    line.done = done;
    line.total = total;
    line.accuracy = fraction;
    if (progress) progress(line);
  };
  const auto available = chosen.size();
  const int64_t verify_samples = std::clamp<int64_t>(settings.verify_samples, 0, available);
  int64_t samples = settings.samples < 0 ? available : std::min(settings.samples, available);
  samples = std::max(samples, verify_samples);  // which ones are correct is needed for each of them
  const Samples measured{chosen.data, {chosen.order.begin(), chosen.order.begin() + samples}};
  report("measure", 0, samples, 0);
  ESPALIER_ASSIGN_OR_RETURN(const train::Accuracy accuracy,
                            train::MeasureAccuracy(*model.impl().network, measured,
                                                   {.epsilon = settings.box.epsilon,
                                                    .low = settings.box.low,
                                                    .high = settings.box.high,
                                                    .steps = 20,
                                                    .seed = settings.seed},
                                                   backend, stop));
  api::Measurement measurement;
  measurement.samples = samples;
  const double denominator = static_cast<double>(std::max<int64_t>(samples, 1));
  measurement.clean_accuracy = static_cast<double>(accuracy.clean) / denominator;
  measurement.attacked_accuracy = static_cast<double>(accuracy.attacked) /
                                  static_cast<double>(std::max<int64_t>(accuracy.attack_samples, 1));
  report("measure", samples, samples, measurement.attacked_accuracy);
  Verifications verifications(model, settings);
  std::vector<float> sample(static_cast<size_t>(chosen.data->sample_size()));
  for (int64_t s = 0; s < verify_samples; ++s) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while samples were verified");
    const int64_t i = chosen.order[static_cast<size_t>(s)];
    chosen.data->CopySample(i, sample.data());
    ESPALIER_RETURN_IF_ERROR(verifications.Add(sample, chosen.data->labels[static_cast<size_t>(i)],
                                               accuracy.correct[static_cast<size_t>(s)], stop));
    report("verify", s + 1, verify_samples, verifications.verified_fraction());
  }
  verifications.WriteTo(measurement);
  return measurement;
}

}  // namespace espalier
