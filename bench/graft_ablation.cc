// What each choice in grafting buys: grafts and fine-tunes one network in many ways, one CSV line each.
//
//   graft_ablation BASE.onnx TRAIN TEST --eps E [--samples N] [--save FOLDER] NAME:OPTION=VALUE,... ...
//
// TRAIN and TEST are data files that hold their labels (CIFAR-10 binary or .npz). Options are rows of
// train_options.def and graft_options.def; ratio=0 fine-tunes without grafting (the control), epochs=0 does
// not fine-tune. The base is scored once. Columns: clean accuracy on all of TEST, under PGD with 20 steps on
// its first 1000 samples, the fraction of its first N (200) samples that CROWN certifies (float32, not
// rounded outward: an estimate of what `espalier graft` measures), unstable neurons a sample, seconds of
// fine-tuning.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "verifier/api/training.h"
#include "verifier/backend/backend.h"
#include "verifier/base/library_environment.h"
#include "verifier/base/status.h"
#include "verifier/formats/dataset_reader.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/graft/fit.h"
#include "verifier/graft/score.h"
#include "verifier/graft/select.h"
#include "verifier/ops/ops.h"
#include "verifier/train/accuracy.h"
#include "verifier/train/batch.h"
#include "verifier/train/trainer.h"

namespace espalier {
namespace {

struct Variant {
  std::string name;
  api::TrainOptions train;
  api::GraftOptions graft;
};

struct Arguments {
  std::string base, train, test, save;
  double epsilon = 0;
  int64_t samples = 200;
  std::vector<std::string> variants;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--eps" && has_value) {
      const std::vector<std::string> parts = absl::StrSplit(std::string(argv[++i]), '/');
      double denominator = 1;
      if (!absl::SimpleAtod(parts[0], &arguments.epsilon) ||
          (parts.size() > 1 && !absl::SimpleAtod(parts[1], &denominator))) {
        return absl::InvalidArgumentError("--eps: not a number");
      }
      arguments.epsilon /= denominator;
    } else if (word == "--samples" && has_value) {
      if (!absl::SimpleAtoi(argv[++i], &arguments.samples)) return absl::InvalidArgumentError("--samples");
    } else if (word == "--save" && has_value) {
      arguments.save = argv[++i];
    } else {
      words.push_back(word);
    }
  }
  if (words.size() < 3) return absl::InvalidArgumentError("usage: BASE.onnx TRAIN TEST --eps E VARIANT...");
  arguments.base = words[0];
  arguments.train = words[1];
  arguments.test = words[2];
  arguments.variants.assign(words.begin() + 3, words.end());
  return arguments;
}

absl::StatusOr<Variant> ParseVariant(const std::string& text, double epsilon) {
  Variant variant;
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  variant.name = parts.first;
  variant.train.epsilon = epsilon;
  variant.train.augment = 1;
  for (const std::string& assignment :
       std::vector<std::string>(absl::StrSplit(parts.second, ',', absl::SkipEmpty()))) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(assignment, absl::MaxSplits('=', 1));
    double value = 0;
    if (!absl::SimpleAtod(pair.second, &value)) return absl::InvalidArgumentError(assignment);
    absl::Status set = api::SetOption(variant.train, pair.first, value);
    if (absl::IsNotFound(set)) set = api::SetOption(variant.graft, pair.first, value);
    ESPALIER_RETURN_IF_ERROR(set);
  }
  return variant;
}

Samples FirstOf(const Dataset& data, int64_t count) {
  Samples samples{&data, std::vector<int64_t>(static_cast<size_t>(std::min(count, data.size())))};
  std::iota(samples.order.begin(), samples.order.end(), 0);
  return samples;
}

class Ablation {
 public:
  Ablation(const Arguments& arguments, const Dataset& train, const Dataset& test, backend::Backend& backend)
      : arguments_(arguments), train_(train), test_(test), backend_(backend) {}

  absl::Status Run(const ir::Network& base);

 private:
  absl::StatusOr<graft::Scores> Score(const ir::Network& network, const Samples& samples) {
    return graft::ComputeScores(network, samples, {.epsilon = arguments_.epsilon, .samples = samples.size()},
                                backend_, nullptr, StopToken());
  }
  absl::StatusOr<ir::Network> Grafted(const ir::Network& base, const Variant& variant) const;
  absl::Status Measure(const std::string& name, const ir::Network& network, double seconds);

  const Arguments& arguments_;
  const Dataset& train_;
  const Dataset& test_;
  backend::Backend& backend_;
  Samples scored_;
  graft::Scores scores_;
};

absl::StatusOr<ir::Network> Ablation::Grafted(const ir::Network& base, const Variant& variant) const {
  if (variant.graft.ratio == 0) return base;
  const graft::Mask mask =
      graft::SelectNeurons(base, scores_,
                           {.ratio = variant.graft.ratio,
                            .significance = static_cast<graft::Significance>(variant.graft.significance),
                            .rule = static_cast<graft::SelectionRule>(variant.graft.selection),
                            .instability_weight = variant.graft.instability_weight,
                            .seed = static_cast<uint64_t>(variant.train.seed)});
  return graft::FitLines(base, mask, scored_,
                         {.start = static_cast<graft::LineStart>(variant.graft.line_start)}, backend_,
                         StopToken());
}

absl::Status Ablation::Measure(const std::string& name, const ir::Network& network, double seconds) {
  ESPALIER_ASSIGN_OR_RETURN(const train::Accuracy accuracy,
                            train::MeasureAccuracy(network, FirstOf(test_, test_.size()),
                                                   {.epsilon = arguments_.epsilon}, backend_, StopToken()));
  ESPALIER_ASSIGN_OR_RETURN(const graft::Scores scores, Score(network, FirstOf(test_, arguments_.samples)));
  const double unstable =
      std::accumulate(scores.unstable_per_layer.begin(), scores.unstable_per_layer.end(), 0.0);
  std::printf("%s,%.2f,%.1f,%.1f,%.0f,%.0f\n", name.c_str(),
              100.0 * static_cast<double>(accuracy.clean) / static_cast<double>(accuracy.samples),
              100.0 * static_cast<double>(accuracy.attacked) / static_cast<double>(accuracy.attack_samples),
              100.0 * scores.certified, unstable, seconds);
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status Ablation::Run(const ir::Network& base) {
  scored_ = FirstOf(train_, train_.size());
  scored_.order = train::Shuffled(scored_.order, {0, 1});
  scored_.order.resize(std::min<size_t>(scored_.order.size(), 1000));
  ESPALIER_ASSIGN_OR_RETURN(scores_, Score(base, scored_));
  std::puts("name,clean,pgd,crown,unstable,seconds");
  ESPALIER_RETURN_IF_ERROR(Measure("base", base, 0));
  for (const std::string& text : arguments_.variants) {
    ESPALIER_ASSIGN_OR_RETURN(const Variant variant, ParseVariant(text, arguments_.epsilon));
    ESPALIER_ASSIGN_OR_RETURN(ir::Network network, Grafted(base, variant));
    const absl::Time start = absl::Now();
    if (variant.train.epochs > 0) {
      train::TrainHooks hooks;
      hooks.teacher = &base;
      ESPALIER_ASSIGN_OR_RETURN(network, train::Train(network, FirstOf(train_, train_.size()), variant.train,
                                                      backend_, hooks, StopToken()));
    }
    ESPALIER_RETURN_IF_ERROR(Measure(variant.name, network, absl::ToDoubleSeconds(absl::Now() - start)));
    if (arguments_.save.empty()) continue;
    Shape shape = train_.shape;
    shape.insert(shape.begin(), 1);
    ESPALIER_ASSIGN_OR_RETURN(const std::string onnx, formats::WriteOnnx(network, {.input_shape = shape}));
    std::ofstream(absl::StrCat(arguments_.save, "/", variant.name, ".onnx"), std::ios::binary) << onnx;
  }
  return absl::OkStatus();
}

absl::Status Main(int argc, char** argv) {
  ESPALIER_ASSIGN_OR_RETURN(const Arguments arguments, Parse(argc, argv));
  ESPALIER_ASSIGN_OR_RETURN(ir::Graph graph, formats::ReadOnnx(ReadFile(arguments.base)));
  ESPALIER_RETURN_IF_ERROR(ops::Prepare(graph).status());
  ESPALIER_ASSIGN_OR_RETURN(const ir::Network base, ops::Lower(graph, ops::LowerFor::kTraining));
  ESPALIER_ASSIGN_OR_RETURN(const Dataset train, formats::ReadDataset(ReadFile(arguments.train), ""));
  ESPALIER_ASSIGN_OR_RETURN(const Dataset test, formats::ReadDataset(ReadFile(arguments.test), ""));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<backend::Backend> backend, backend::MakeCpuBackend({}));
  return Ablation(arguments, train, test, *backend).Run(base);
}

}  // namespace
}  // namespace espalier

int main(int argc, char** argv) {
  espalier::base::StartInLibraryEnvironment(argv);
  const absl::Status status = espalier::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
