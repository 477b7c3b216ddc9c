#include "client/training_cli.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/options.h"
#include "client/radius.h"

namespace espalier::client {
namespace {

using google::protobuf::Message;
using Words = std::map<std::string, int>;  // values of an option that have names

// Errors of values become usage errors of CLI11.
void Set(const std::string& assignment, const std::vector<Message*>& messages) {
  const absl::Status set = SetOption(assignment, messages);
  if (!set.ok()) throw CLI::ValidationError(std::string(set.message()));
}

// A flag that sets one field of a message of options.
CLI::Option* AddField(CLI::App& command, const std::string& flag, Message& message, const std::string& field,
                      const std::string& help) {
  return command
      .add_option_function<std::string>(
          flag, [&message, field](const std::string& value) { Set(field + "=" + value, {&message}); }, help)
      ->take_last()
      ->type_name("X");
}

// The same for a field whose numbers have names.
void AddNamed(CLI::App& command, const std::string& flag, Message& message, const std::string& field,
              const Words& words, const std::string& help) {
  std::string names;
  for (const auto& [word, number] : words) absl::StrAppend(&names, names.empty() ? "" : ", ", word);
  command
      .add_option_function<std::string>(
          flag,
          [&message, field, words, flag, names](const std::string& word) {
            const auto found = words.find(word);
            if (found == words.end())
              throw CLI::ValidationError(absl::StrCat(flag, ": '", word, "' is not one of ", names));
            Set(absl::StrCat(field, "=", found->second), {&message});
          },
          absl::StrCat(help, ": ", names))
      ->type_name("NAME");
}

void AddRadius(CLI::App& command, Message& message) {
  command
      .add_option_function<std::string>(
          "--eps",
          [&message](const std::string& text) {
            const absl::StatusOr<double> radius = ParseRadius(text);
            if (!radius.ok()) throw CLI::ValidationError(absl::StrCat("--eps: ", radius.status().message()));
            const auto* field = message.GetDescriptor()->FindFieldByName("epsilon");
            message.GetReflection()->SetDouble(&message, field, *radius);
          },
          "radius of the box around a sample, in input units: 0.01 or 2/255")
      ->type_name("X")
      ->required();
}

void AddData(CLI::App& command, DataArguments& data, bool evaluation) {
  command
      .add_option("--data", data.data,
                  "samples: .npy or .npz (samples first), CIFAR-10 binary, MNIST IDX; may be gzip-compressed")
      ->required()
      ->type_name("FILE");
  command.add_option("--labels", data.labels, "class numbers, where the data do not hold them")
      ->type_name("FILE");
  if (!evaluation) return;
  CLI::Option* samples = command.add_option("--eval-data", data.eval_data,
                                            "samples to measure on; default: the last tenth of --data");
  samples->type_name("FILE");
  command.add_option("--eval-labels", data.eval_labels, "labels of --eval-data")
      ->type_name("FILE")
      ->needs(samples);
}

// What train and the fine-tuning of graft have in common.
void AddTrainOptions(CLI::App& command, v1::TrainOptions& options) {
  AddRadius(command, options);
  const std::string note =
      options.has_epochs() ? absl::StrCat("; here ", options.epochs(), " unless given") : "; default 40";
  AddField(command, "--epochs", options, "epochs", "passes over the data" + note);
  AddField(command, "--batch", options, "batch", "samples of one step; default 128");
  AddField(command, "--lr", options, "learning_rate",
           absl::StrCat("peak learning rate",
                        options.has_learning_rate()
                            ? absl::StrCat("; here ", options.learning_rate(), " unless given")
                            : "; default 0.05"));
  AddField(command, "--attack-steps", options, "attack_steps",
           "0 none, 1 one step from a random start, n PGD with n steps; default 1");
  command.add_flag_callback(
      "--augment", [&options] { options.set_augment(1); }, "shift and flip images at random");
  AddField(command, "--seed", options, "seed", "same seed and threads: same network; default 0");
  AddField(command, "--threads", options, "threads", "worker threads; 0: all");
}

void AddRun(CLI::App& command, std::string& output, bool& no_resume, bool& quiet) {
  command
      .add_option("-o,--output", output,
                  "ONNX file to write; beside it stands OUTPUT.checkpoint until the run is complete")
      ->required()
      ->type_name("FILE");
  command.add_flag("--no-resume", no_resume, "start over although there is a checkpoint");
  command.add_flag("--quiet", quiet, "no progress on stderr");
}

void AddTrain(CLI::App& app, TrainArguments& train) {
  CLI::App& command = *app.add_subcommand("train", "train a network against an adversary");
  command
      .add_option(
          "network", train.spec,
          "cnn-b, conv-big, resnet-4b, cnn-17m, mnist-8x200, layers like 'input 1x8x8; conv 8 k3 s2 p1; "
          "relu; fc 10', a file that holds such layers, or an ONNX file to train further")
      ->required();
  AddData(command, train.data, /*evaluation=*/true);
  AddTrainOptions(command, train.options);
  command
      .add_option_function<std::vector<std::string>>(
          "--option",
          [&train](const std::vector<std::string>& assignments) {
            for (const std::string& assignment : assignments) Set(assignment, {&train.options});
          },
          "NAME=VALUE: any other option (see supports --train-options)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  AddRun(command, train.output, train.no_resume, train.quiet);
  command.add_flag("--json", train.json, "the measurements as JSON");
}

// "verified=0.5,seconds=10".
void SetTarget(const std::string& target, v1::GraftOptions& graft) {
  for (const absl::string_view part : absl::StrSplit(target, ',')) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (pair.first == "verified") {
      Set("target_verified=" + pair.second, {&graft});
    } else if (pair.first == "seconds") {
      Set("verify_timeout_s=" + pair.second, {&graft});
    } else {
      throw CLI::ValidationError(
          absl::StrCat("--target: '", pair.first, "' is neither verified=FRACTION nor seconds=S"));
    }
  }
  if (!graft.has_target_verified()) throw CLI::ValidationError("--target: verified=FRACTION is missing");
}

void AddMethod(CLI::App& command, v1::GraftOptions& graft) {
  AddNamed(command, "--significance", graft, "significance",
           {{"magnitude", 0}, {"gradient", 1}, {"margin", 2}, {"cost", 3}},
           "what a graft is weighed by; default margin");
  AddNamed(command, "--selection", graft, "selection",
           {{"ranks", 0}, {"decaying", 1}, {"instability", 2}, {"significance", 3}, {"random", 4}},
           "how neurons are chosen");
  AddNamed(command, "--line-start", graft, "line_start",
           {{"least-squares", 0}, {"constant", 1}, {"pruned", 2}}, "how lines start");
  AddField(command, "--score-samples", graft, "score_samples",
           "training samples that are scored; default 1000");
  AddField(command, "--measure-samples", graft, "measure_samples",
           "samples on which the verified fraction is measured; default 100");
  AddField(command, "--verify-timeout", graft, "verify_timeout_s",
           "seconds of a complete verification of one sample; default 0: bounds at the root only");
}

void AddGraft(CLI::App& app, GraftArguments& graft) {
  // Few epochs, because the lines start as least-squares fits of a network that works already, and attacks a
  // little beyond epsilon, which pays more in verified samples than it costs (docs/grafting.md).
  graft.train.set_epochs(6);
  graft.train.set_learning_rate(0.03);
  graft.train.set_attack_scale(1.25);
  CLI::App& command = *app.add_subcommand(
      "graft", "replace neurons that hinder verification by lines, fine-tune, measure, report");
  command.add_option("network", graft.network, "ONNX file")->required();
  AddData(command, graft.data, /*evaluation=*/true);
  CLI::Option* ratio = AddField(command, "--ratio", graft.graft, "ratio",
                                "fraction of all ReLU neurons to graft; default 0.5");
  command
      .add_option_function<std::string>(
          "--target", [&graft](const std::string& text) { SetTarget(text, graft.graft); },
          "verified=FRACTION[,seconds=S]: graft until this fraction is verified, within S seconds a sample")
      ->excludes(ratio)
      ->type_name("TARGET");
  command
      .add_option("--curve", graft.curve, "further ratios to graft and measure for the report: 0.2,0.4,0.6")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("LIST");
  AddMethod(command, graft.graft);
  AddTrainOptions(command, graft.train);
  AddField(command, "--distil", graft.train, "distil",
           "share of the loss that follows the starting network's outputs; default 0");
  command
      .add_option_function<std::vector<std::string>>(
          "--option",
          [&graft](const std::vector<std::string>& assignments) {
            for (const std::string& assignment : assignments) Set(assignment, {&graft.graft, &graft.train});
          },
          "NAME=VALUE: any other option (see supports --graft-options and --train-options)")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  AddRun(command, graft.output, graft.no_resume, graft.quiet);
  command.add_flag("--json", graft.json, "what was made and measured as JSON");
  command
      .add_option("--report", graft.report,
                  "HTML report, with a .json beside it; default: the output's name with .html")
      ->type_name("FILE");
}

void AddCompare(CLI::App& app, CompareArguments& compare) {
  CLI::App& command = *app.add_subcommand(
      "compare",
      "how far two networks' outputs can differ around samples, and their accuracies side by side");
  command.add_option("base", compare.base, "ONNX file")->required();
  command.add_option("other", compare.other, "ONNX file")->required();
  AddData(command, compare.data, /*evaluation=*/false);
  v1::CompareRequest& numbers = compare.numbers;
  AddRadius(command, numbers);
  AddField(command, "--low", numbers, "low", "least value of an input; default 0");
  AddField(command, "--high", numbers, "high", "largest value of an input; default 1");
  AddField(command, "--samples", numbers, "samples", "samples whose boxes are bounded; default 100");
  AddField(command, "--verify-timeout", numbers, "verify_timeout_s",
           "seconds of a complete verification of one sample; default 0: bounds at the root only");
  AddField(command, "--threads", numbers, "threads", "worker threads; 0: all");
  command.add_option_function<std::string>(
      "--device", [&numbers](const std::string& name) { numbers.set_device(name); }, "auto, cpu or cuda:N");
  command.add_flag("--json", compare.json, "as JSON");
  command.add_option("--report", compare.report, "also write an HTML report")->type_name("FILE");
  command.add_flag("--quiet", compare.quiet, "no progress on stderr");
}

}  // namespace

void AddTraining(CLI::App& app, CommandLine& line) {
  AddTrain(app, line.train);
  AddGraft(app, line.graft);
  AddCompare(app, line.compare);
}

std::string QuotedCommandLine(int argc, char** argv) {
  std::string text = "espalier";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_=./,:+@%") == std::string::npos;
    absl::StrAppend(&text, " ", plain ? word : "");
    if (plain) continue;
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
}

}  // namespace espalier::client
