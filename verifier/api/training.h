// Options and results of training, grafting and comparing. Every option is one row of train_options.def or
// graft_options.def: default, range, unit and meaning stand there.
//
//   TrainOptions train;  train.epsilon = 2.0 / 255;
//   absl::Status ok = CheckOptions(train);   // INVALID_ARGUMENT naming the field and its range
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "verifier/api/options.h"

namespace espalier::api {

struct TrainOptions {
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) type name = default_value;
#include "verifier/api/train_options.def"
#undef ESPALIER_OPTION
};

struct GraftOptions {
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) type name = default_value;
#include "verifier/api/graft_options.def"
#undef ESPALIER_OPTION
};

const std::vector<OptionRow>& TrainOptionTable();
const std::vector<OptionRow>& GraftOptionTable();
absl::Status CheckOptions(const TrainOptions& options);
absl::Status CheckOptions(const GraftOptions& options);
// As SetOption and GetOption of options.h.
absl::Status SetOption(TrainOptions& options, const std::string& name, double value);
absl::Status SetOption(GraftOptions& options, const std::string& name, double value);
double GetOption(const TrainOptions& options, const std::string& name);
double GetOption(const GraftOptions& options, const std::string& name);

// One line of progress of a long training call.
struct TrainProgress {
  std::string stage;    // "train", "score", "select", "fit", "fine-tune", "measure", "verify", "export"
  int64_t done = 0;     // of the stage: steps, samples
  int64_t total = 0;    // 0: not known
  int64_t epoch = 0;    // from 1; 0: not an epoch
  double seconds = 0;   // since the call began
  double loss = 0;      // mean over the epoch so far (training stages)
  double accuracy = 0;  // on the attacked training samples of the epoch so far; verified fraction in "verify"
  std::string message;  // what a person wants to read; empty: nothing to say
};

// Everything that a report shows about one network on the evaluation data.
struct Measurement {
  int64_t samples = 0;           // for accuracy
  double clean_accuracy = 0;     // fraction of samples
  double attacked_accuracy = 0;  // under projected gradient descent with 20 steps; of the first 1000
  int64_t verify_samples = 0;    // for the fields below; fractions are of all of them
  double root_verified = 0;      // correct and certified by bounds at the root
  double verified = 0;   // correct and certified within the limit (equal to the former without search)
  double falsified = 0;  // wrong, or a counterexample was found
  double undecided = 0;
  double median_seconds = 0, total_seconds = 0;  // of correctly classified samples
  double mean_domains = 0;
};

struct LayerGraftCounts {
  std::string name;
  int64_t neurons = 0;
  int64_t grafted_before = 0, grafted_after = 0;
  double unstable_before = 0, unstable_after = 0;  // mean number of unstable neurons over the scored samples
};

// One point of the trade-off curve.
struct GraftPoint {
  double ratio = 0;
  Measurement measurement;
};

struct GraftReport {
  TrainOptions train;
  GraftOptions graft;
  std::string version, processor;
  std::string data_sha256, evaluation_sha256, model_sha256;
  std::vector<LayerGraftCounts> layers;
  Measurement base;
  std::vector<GraftPoint> points;  // in the order tried; the last one is the network that is returned
  double seconds = 0;
  std::vector<std::string> warnings;
};

// How far two networks' outputs differ over boxes around samples.
struct DifferenceBounds {
  int64_t samples = 0;
  // Per sample: certified max over the box and over outputs of |other - base| (an upper bound; +infinity when
  // it cannot be bounded).
  std::vector<double> bound;
  // Per sample: the largest difference that a search by gradient found (a lower bound of the true maximum).
  std::vector<double> found;
  double disagreement = 0;  // fraction of samples whose predicted classes differ at the sample itself
  Measurement base, other;
};

}  // namespace espalier::api
