#include "proto/convert_training.h"

#include <string>

#include "verifier/base/status.h"

namespace espalier::proto {

absl::StatusOr<api::TrainOptions> TrainOptionsFromProto(const v1::TrainOptions& message) {
  api::TrainOptions options;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  if (message.has_##name()) options.name = message.name();
#include "verifier/api/train_options.def"
#undef ESPALIER_OPTION
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(options));
  return options;
}

absl::StatusOr<api::GraftOptions> GraftOptionsFromProto(const v1::GraftOptions& message) {
  api::GraftOptions options;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  if (message.has_##name()) options.name = message.name();
#include "verifier/api/graft_options.def"
#undef ESPALIER_OPTION
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(options));
  return options;
}

v1::TrainOptions ToProto(const api::TrainOptions& options) {
  v1::TrainOptions message;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  message.set_##name(options.name);
#include "verifier/api/train_options.def"
#undef ESPALIER_OPTION
  return message;
}

v1::GraftOptions ToProto(const api::GraftOptions& options) {
  v1::GraftOptions message;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  message.set_##name(options.name);
#include "verifier/api/graft_options.def"
#undef ESPALIER_OPTION
  return message;
}

v1::TrainProgress ToProto(const api::TrainProgress& progress) {
  v1::TrainProgress message;
  message.set_stage(progress.stage);
  message.set_done(progress.done);
  message.set_total(progress.total);
  message.set_epoch(progress.epoch);
  message.set_seconds(progress.seconds);
  message.set_loss(progress.loss);
  message.set_accuracy(progress.accuracy);
  message.set_message(progress.message);
  return message;
}

v1::Measurement ToProto(const api::Measurement& measurement) {
  v1::Measurement message;
  message.set_samples(measurement.samples);
  message.set_clean_accuracy(measurement.clean_accuracy);
  message.set_attacked_accuracy(measurement.attacked_accuracy);
  message.set_verify_samples(measurement.verify_samples);
  message.set_root_verified(measurement.root_verified);
  message.set_verified(measurement.verified);
  message.set_falsified(measurement.falsified);
  message.set_undecided(measurement.undecided);
  message.set_median_seconds(measurement.median_seconds);
  message.set_total_seconds(measurement.total_seconds);
  message.set_mean_domains(measurement.mean_domains);
  return message;
}

v1::GraftReport ToProto(const api::GraftReport& report) {
  v1::GraftReport message;
  *message.mutable_train() = ToProto(report.train);
  *message.mutable_graft() = ToProto(report.graft);
  message.set_version(report.version);
  message.set_processor(report.processor);
  message.set_data_sha256(report.data_sha256);
  message.set_evaluation_sha256(report.evaluation_sha256);
  message.set_model_sha256(report.model_sha256);
  for (const api::LayerGraftCounts& counts : report.layers) {
    v1::LayerGraftCounts& layer = *message.add_layers();
    layer.set_name(counts.name);
    layer.set_neurons(counts.neurons);
    layer.set_grafted_before(counts.grafted_before);
    layer.set_grafted_after(counts.grafted_after);
    layer.set_unstable_before(counts.unstable_before);
    layer.set_unstable_after(counts.unstable_after);
  }
  *message.mutable_base() = ToProto(report.base);
  for (const api::GraftPoint& tried : report.points) {
    v1::GraftPoint& point = *message.add_points();
    point.set_ratio(tried.ratio);
    *point.mutable_measurement() = ToProto(tried.measurement);
  }
  message.set_seconds(report.seconds);
  for (const std::string& warning : report.warnings) message.add_warnings(warning);
  return message;
}

v1::DifferenceReport ToProto(const api::DifferenceBounds& bounds) {
  v1::DifferenceReport message;
  message.mutable_bound()->Add(bounds.bound.begin(), bounds.bound.end());
  message.mutable_found()->Add(bounds.found.begin(), bounds.found.end());
  message.set_disagreement(bounds.disagreement);
  *message.mutable_base() = ToProto(bounds.base);
  *message.mutable_other() = ToProto(bounds.other);
  message.set_samples(bounds.samples);
  return message;
}

}  // namespace espalier::proto
