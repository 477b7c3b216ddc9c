#include "verifier/train_checkpoint.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/npy_reader.h"
#include "verifier/formats/npy_zip.h"
#include "verifier/formats/npz_writer.h"

namespace espalier {
namespace {

using Arrays = std::vector<std::pair<std::string, Tensor>>;

constexpr uint64_t kLargestArray = uint64_t{4} << 30;

Tensor Vector(const std::vector<double>& values) {
  return Tensor::FromDoubles({static_cast<int64_t>(values.size())}, values);
}
Tensor Vector(const std::vector<float>& values) {
  return Tensor::FromFloats({static_cast<int64_t>(values.size())}, values);
}
Tensor Vector(const std::vector<int64_t>& values) {
  return Tensor::FromInts({static_cast<int64_t>(values.size())}, values);
}

// Bytes as whole numbers, the length first.
Tensor Bytes(const std::string& bytes) {
  std::vector<int64_t> packed(1 + (bytes.size() + 7) / 8, 0);
  packed[0] = static_cast<int64_t>(bytes.size());
  if (!bytes.empty()) std::memcpy(packed.data() + 1, bytes.data(), bytes.size());
  return Vector(packed);
}

std::vector<double> ToNumbers(const api::Measurement& m) {
  return {static_cast<double>(m.samples),
          m.clean_accuracy,
          m.attacked_accuracy,
          static_cast<double>(m.verify_samples),
          m.root_verified,
          m.verified,
          m.falsified,
          m.undecided,
          m.median_seconds,
          m.total_seconds,
          m.mean_domains};
}

constexpr size_t kMeasurementNumbers = 11;

api::Measurement ToMeasurement(const std::vector<double>& n) {
  return {.samples = static_cast<int64_t>(n[0]),
          .clean_accuracy = n[1],
          .attacked_accuracy = n[2],
          .verify_samples = static_cast<int64_t>(n[3]),
          .root_verified = n[4],
          .verified = n[5],
          .falsified = n[6],
          .undecided = n[7],
          .median_seconds = n[8],
          .total_seconds = n[9],
          .mean_domains = n[10]};
}

// The score arrays with their names in the file.
template <class Scores>
auto ScoreArrays(Scores& scores) {
  return std::vector{std::pair("instability", &scores.instability), std::pair("magnitude", &scores.magnitude),
                     std::pair("gradient", &scores.gradient), std::pair("cost", &scores.cost),
                     std::pair("looseness", &scores.looseness)};
}

void AppendScores(const graft::Scores& scores, Arrays& arrays) {
  for (const auto& [name, per_neuron] : ScoreArrays(scores)) {
    for (const std::vector<double>& layer : *per_neuron) {
      arrays.emplace_back(absl::StrCat("scores.", name), Vector(layer));
    }
  }
  arrays.emplace_back("scores.unstable", Vector(scores.unstable_per_layer));
  arrays.emplace_back("scores.summary",
                      Vector(std::vector{scores.certified, static_cast<double>(scores.samples)}));
}

// The arrays of a checkpoint in the order they were written in, names made unique by a number in front.
class Reader {
 public:
  static absl::StatusOr<Reader> Open(std::string_view bytes) {
    Reader reader;
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<formats::ZipEntry> entries, formats::ListZip(bytes));
    for (const formats::ZipEntry& entry : entries) {
      ESPALIER_ASSIGN_OR_RETURN(const std::string npy, formats::ExtractZip(bytes, entry, kLargestArray));
      ESPALIER_ASSIGN_OR_RETURN(Tensor tensor, formats::ReadNpy(npy));
      const size_t dash = entry.name.find('-');
      std::string name = dash == std::string::npos ? entry.name : entry.name.substr(dash + 1);
      if (absl::EndsWith(name, ".npy")) name.resize(name.size() - 4);
      reader.arrays_.emplace_back(std::move(name), std::move(tensor));
    }
    return reader;
  }

  bool Next(std::string_view name) const { return next_ < arrays_.size() && arrays_[next_].first == name; }
  bool NextStarts(std::string_view prefix) const {
    return next_ < arrays_.size() && absl::StartsWith(arrays_[next_].first, std::string(prefix));
  }
  const std::string& name() const { return arrays_[next_].first; }
  absl::StatusOr<Tensor> Take(std::string_view name) {
    if (!Next(name)) {
      return absl::InvalidArgumentError(absl::StrCat("the checkpoint lacks '", std::string(name), "'"));
    }
    return arrays_[next_++].second;
  }
  absl::StatusOr<std::vector<double>> Numbers(std::string_view name, size_t count) {
    ESPALIER_ASSIGN_OR_RETURN(const Tensor tensor, Take(name));
    if (static_cast<size_t>(tensor.size()) != count) {
      return absl::InvalidArgumentError(absl::StrCat("the checkpoint's '", std::string(name), "' has ",
                                                     tensor.size(), " values instead of ", count));
    }
    return tensor.ToDoubles();
  }
  absl::StatusOr<std::vector<float>> Floats(std::string_view name) {
    ESPALIER_ASSIGN_OR_RETURN(Tensor tensor, Take(name));
    auto* floats = std::get_if<std::vector<float>>(&tensor.data);
    if (floats == nullptr) return absl::InvalidArgumentError("the checkpoint holds another type");
    return std::move(*floats);
  }

 private:
  Arrays arrays_;
  size_t next_ = 0;
};

absl::StatusOr<std::string> TakeBytes(Reader& reader, std::string_view name) {
  ESPALIER_ASSIGN_OR_RETURN(const Tensor tensor, reader.Take(name));
  const std::vector<int64_t> packed = tensor.ToInts();
  if (packed.empty() || packed[0] < 0 || static_cast<size_t>(packed[0]) > (packed.size() - 1) * 8) {
    return absl::InvalidArgumentError("the checkpoint's model is damaged");
  }
  std::string bytes(static_cast<size_t>(packed[0]), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), packed.data() + 1, bytes.size());
  return bytes;
}

absl::Status TakeTraining(Reader& reader, CheckpointState& state) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> epochs, reader.Numbers("training.epochs", 1));
  state.training.epochs_done = static_cast<int64_t>(epochs[0]);
  constexpr std::string_view kValue = "training.value.";
  while (reader.NextStarts(kValue)) {
    train::ParameterState parameter;
    parameter.name = reader.name().substr(kValue.size());
    ESPALIER_ASSIGN_OR_RETURN(parameter.value,
                              reader.Floats(absl::StrCat(std::string(kValue), parameter.name)));
    ESPALIER_ASSIGN_OR_RETURN(parameter.velocity,
                              reader.Floats(absl::StrCat("training.velocity.", parameter.name)));
    state.training.parameters.push_back(std::move(parameter));
  }
  return absl::OkStatus();
}

absl::Status TakeScores(Reader& reader, CheckpointState& state) {
  graft::Scores& scores = state.scores.emplace();
  for (const auto& [name, per_neuron] : ScoreArrays(scores)) {
    while (reader.Next(absl::StrCat("scores.", name))) {
      ESPALIER_ASSIGN_OR_RETURN(const Tensor layer, reader.Take(absl::StrCat("scores.", name)));
      per_neuron->push_back(layer.ToDoubles());
    }
  }
  ESPALIER_ASSIGN_OR_RETURN(const Tensor unstable, reader.Take("scores.unstable"));
  scores.unstable_per_layer = unstable.ToDoubles();
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> summary, reader.Numbers("scores.summary", 2));
  scores.certified = summary[0];
  scores.samples = static_cast<int64_t>(summary[1]);
  return absl::OkStatus();
}

absl::Status TakeCandidate(Reader& reader, CheckpointState& state) {
  GraftCandidate& candidate = state.finished.emplace_back();
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> ratio, reader.Numbers("finished.ratio", 1));
  candidate.ratio = ratio[0];
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> numbers,
                            reader.Numbers("finished.measurement", kMeasurementNumbers));
  candidate.measurement = ToMeasurement(numbers);
  ESPALIER_ASSIGN_OR_RETURN(const Tensor unstable, reader.Take("finished.unstable"));
  candidate.unstable = unstable.ToDoubles();
  ESPALIER_ASSIGN_OR_RETURN(candidate.onnx, TakeBytes(reader, "finished.onnx"));
  return absl::OkStatus();
}

}  // namespace

void Fingerprint::Add(std::string_view bytes) {
  // FNV-1a, eight bytes at a time: data sets are large, and nobody attacks a checkpoint of their own.
  constexpr uint64_t kPrime = 0x100000001B3ull;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    value_ = (value_ ^ word) * kPrime;
    value_ ^= value_ >> 29;
  }
  for (; i < bytes.size(); ++i) value_ = (value_ ^ static_cast<unsigned char>(bytes[i])) * kPrime;
  value_ = (value_ ^ bytes.size()) * kPrime;
}

void Fingerprint::Add(double value) {
  const auto bits = std::bit_cast<uint64_t>(value);
  Add(std::string_view(reinterpret_cast<const char*>(&bits), sizeof bits));
}

void Fingerprint::Add(const std::vector<double>& values) {
  Add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)));
}

void Fingerprint::Add(const ir::Network& network) {
  for (const ir::NetworkNode& node : network.nodes) {
    Add(node.bias);
    for (const std::vector<double>* part : {&node.hinge.left, &node.hinge.right, &node.hinge.intercept}) {
      Add(*part);
    }
    for (const ir::AffineTerm& term : node.terms) {
      Add(static_cast<double>(term.map->index()));
      if (const auto* dense = std::get_if<ir::DenseMap>(term.map.get())) Add(dense->weights);
      if (const auto* conv = std::get_if<ir::ConvMap>(term.map.get())) Add(conv->kernel);
      if (const auto* scale = std::get_if<ir::ScaleMap>(term.map.get())) Add(scale->scale);
    }
  }
}

void Fingerprint::Add(const Dataset& data) {
  std::visit(
      [this](const auto& values) {
        Add(std::string_view(reinterpret_cast<const char*>(values.data()),
                             values.size() * sizeof(values[0])));
      },
      data.values);
  Add(std::string_view(reinterpret_cast<const char*>(data.labels.data()),
                       data.labels.size() * sizeof(int32_t)));
}

absl::StatusOr<std::string> WriteCheckpoint(const CheckpointState& state) {
  Arrays arrays;
  arrays.emplace_back("fingerprint", Vector(std::vector{static_cast<int64_t>(state.fingerprint)}));
  arrays.emplace_back("seconds", Vector(std::vector{state.seconds}));
  if (state.training.epochs_done > 0) {
    arrays.emplace_back("training.epochs", Vector(std::vector{state.training.epochs_done}));
    for (const train::ParameterState& parameter : state.training.parameters) {
      arrays.emplace_back(absl::StrCat("training.value.", parameter.name), Vector(parameter.value));
      arrays.emplace_back(absl::StrCat("training.velocity.", parameter.name), Vector(parameter.velocity));
    }
  }
  if (state.scores) AppendScores(*state.scores, arrays);
  if (state.base) arrays.emplace_back("base", Vector(ToNumbers(*state.base)));
  for (const GraftCandidate& candidate : state.finished) {
    arrays.emplace_back("finished.ratio", Vector(std::vector{candidate.ratio}));
    arrays.emplace_back("finished.measurement", Vector(ToNumbers(candidate.measurement)));
    arrays.emplace_back("finished.unstable", Vector(candidate.unstable));
    arrays.emplace_back("finished.onnx", Bytes(candidate.onnx));
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    arrays[i].first = absl::StrCat(absl::Dec(i, absl::kZeroPad4), "-", arrays[i].first);
  }
  return formats::WriteNpz(arrays);
}

absl::StatusOr<CheckpointState> ReadCheckpoint(std::string_view bytes, uint64_t fingerprint) {
  ESPALIER_ASSIGN_OR_RETURN(Reader reader, Reader::Open(bytes));
  CheckpointState state;
  ESPALIER_ASSIGN_OR_RETURN(const Tensor written, reader.Take("fingerprint"));
  if (written.size() != 1 || static_cast<uint64_t>(written.AsInt(0)) != fingerprint) {
    return absl::InvalidArgumentError(
        "the checkpoint belongs to another call: model, data or options differ; start over without it");
  }
  state.fingerprint = fingerprint;
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> seconds, reader.Numbers("seconds", 1));
  state.seconds = seconds[0];
  if (reader.Next("training.epochs")) ESPALIER_RETURN_IF_ERROR(TakeTraining(reader, state));
  if (reader.NextStarts("scores.")) ESPALIER_RETURN_IF_ERROR(TakeScores(reader, state));
  if (reader.Next("base")) {
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> base, reader.Numbers("base", kMeasurementNumbers));
    state.base = ToMeasurement(base);
  }
  while (reader.Next("finished.ratio")) ESPALIER_RETURN_IF_ERROR(TakeCandidate(reader, state));
  return state;
}

}  // namespace espalier
