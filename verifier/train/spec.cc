#include "verifier/train/spec.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "verifier/base/status.h"
#include "verifier/train/network_builder.h"

namespace espalier::train {
namespace {

// Widths beyond these are typing errors, and would only fail later for want of memory.
constexpr int64_t kMaxSide = 4096, kMaxWidth = 1 << 20;

absl::Status Fault(std::string_view layer, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("network spec, layer '", std::string(layer), "': ", std::string(what)));
}

std::vector<std::string> Words(std::string_view text) {
  return absl::StrSplit(std::string(text), absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
}

absl::StatusOr<std::vector<int64_t>> Integers(std::string_view layer, std::string_view text, char separator,
                                              int64_t largest) {
  std::vector<int64_t> numbers;
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(std::string(text), separator))) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(word, &number) || number < 0 || number > largest) {
      return Fault(layer, absl::StrCat("'", word, "' is not a whole number from 0 to ", largest));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<std::vector<double>> Decimals(std::string_view layer, std::string_view text) {
  std::vector<double> numbers;
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(std::string(text), ','))) {
    double number = 0;
    if (!absl::SimpleAtod(word, &number) || !std::isfinite(number)) {
      return Fault(layer, absl::StrCat("'", word, "' is not a number"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::Status AddInput(std::string_view layer, const std::vector<std::string>& words,
                      NetworkBuilder& builder) {
  if (words.size() != 2) return Fault(layer, "expected 'input CxHxW' or 'input N'");
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> sides, Integers(layer, words[1], 'x', kMaxWidth));
  const bool image = sides.size() == 3;
  if (!image && sides.size() != 1) return Fault(layer, "expected one or three sides");
  for (int64_t side : sides) {
    if (side < 1 || (image && side > kMaxSide)) return Fault(layer, "a side is out of range");
  }
  builder.Input(sides);
  return absl::OkStatus();
}

absl::Status AddNormalise(std::string_view layer, NetworkBuilder& builder) {
  const size_t word = layer.find("normalise") + std::string_view("normalise").size();
  std::string rest(layer.substr(word));
  std::erase(rest, ' ');
  const std::vector<std::string> halves = absl::StrSplit(rest, '/');
  if (halves.size() != 2) return Fault(layer, "expected 'normalise MEANS / DEVIATIONS'");
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> mean, Decimals(layer, halves[0]));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> deviation, Decimals(layer, halves[1]));
  const auto channels = static_cast<size_t>(builder.channels());
  if (mean.size() != channels || deviation.size() != channels) {
    return Fault(layer, absl::StrCat("expected ", channels, " means and as many deviations"));
  }
  for (double d : deviation) {
    if (!(d > 0)) return Fault(layer, "a deviation is not positive");
  }
  builder.Normalise(mean, deviation);
  return absl::OkStatus();
}

// Reads `conv C kK sS pP` and `block C sS`.
absl::StatusOr<ConvSpec> ReadConv(std::string_view layer, const std::vector<std::string>& words) {
  ConvSpec conv;
  if (words.size() < 2) return Fault(layer, "expected a number of channels");
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> channels, Integers(layer, words[1], ',', kMaxSide));
  conv.channels = channels[0];
  for (size_t i = 2; i < words.size(); ++i) {
    const char kind = words[i][0];
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes,
                              Integers(layer, words[i].substr(1), ',', kMaxSide));
    if (kind == 'p' && (sizes.size() == 1 || sizes.size() == 4)) {
      for (size_t side = 0; side < 4; ++side) conv.padding[side] = sizes.size() == 1 ? sizes[0] : sizes[side];
    } else if (kind == 'k' && sizes.size() == 1) {
      conv.kernel = sizes[0];
    } else if (kind == 's' && sizes.size() == 1) {
      conv.stride = sizes[0];
    } else {
      return Fault(layer, absl::StrCat("'", words[i], "' is not kK, sS, pP or pT,L,B,R"));
    }
  }
  if (conv.channels < 1 || conv.kernel < 1 || conv.stride < 1) return Fault(layer, "a size is zero");
  return conv;
}

absl::Status AddConv(std::string_view layer, const std::vector<std::string>& words, NetworkBuilder& builder) {
  if (!builder.is_image()) return Fault(layer, "a convolution needs an image, not a vector");
  ESPALIER_ASSIGN_OR_RETURN(const ConvSpec conv, ReadConv(layer, words));
  if (words[0] == "block") {
    builder.Block(conv.channels, conv.stride);
  } else if (!builder.Fits(conv)) {
    return Fault(layer, "the kernel is larger than the padded image");
  } else {
    builder.Conv(conv);
  }
  return absl::OkStatus();
}

absl::Status AddDense(std::string_view layer, const std::vector<std::string>& words,
                      NetworkBuilder& builder) {
  if (words.size() < 2 || words.size() > 3) return Fault(layer, "expected 'fc N' or 'fc N xG'");
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> width, Integers(layer, words[1], ',', kMaxWidth));
  if (width.size() != 1 || width[0] < 1) return Fault(layer, "expected 'fc N'");
  double gain = 1;
  if (words.size() == 3) {
    if (words[2][0] != 'x') return Fault(layer, absl::StrCat("'", words[2], "' is not xG"));
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> gains, Decimals(layer, words[2].substr(1)));
    gain = gains[0];
    if (gains.size() != 1 || !(gain > 0)) return Fault(layer, "a gain is not positive");
  }
  builder.Dense(width[0], gain);
  return absl::OkStatus();
}

absl::Status AddLayer(std::string_view layer, NetworkBuilder& builder) {
  const std::vector<std::string> words = Words(layer);
  if (words[0] == "input") {
    return builder.started() ? Fault(layer, "there is an input already") : AddInput(layer, words, builder);
  }
  if (!builder.started()) return Fault(layer, "the first layer must be 'input'");
  if (words[0] == "normalise") return AddNormalise(layer, builder);
  if (words[0] == "conv" || words[0] == "block") return AddConv(layer, words, builder);
  if (words[0] == "relu" && words.size() == 1) {
    return builder.Relu() ? absl::OkStatus() : Fault(layer, "a relu must follow a conv, fc or normalise");
  }
  if (words[0] == "fc") return AddDense(layer, words, builder);
  return Fault(layer, "not one of input, normalise, conv, relu, fc, block");
}

}  // namespace

const std::vector<NamedSpec>& NamedSpecs() {
  static const std::string cifar = "input 3x32x32; normalise 0.4914,0.4822,0.4465 / 0.2023,0.1994,0.2010; ";
  static const auto* specs = new std::vector<NamedSpec>{
      {"cnn-b", cifar + "conv 32 k5 s2 p1,1,2,2; relu; conv 128 k4 s2 p1; relu; fc 250; relu; fc 10",
       "CIFAR-10, 16 634 ReLUs, 2.1 M parameters"},
      {"conv-big",
       cifar + "conv 32 k3 s1 p1; relu; conv 32 k4 s2 p1; relu; conv 64 k3 s1 p1; relu; conv 64 k4 s2 p1; "
               "relu; fc 512; relu; fc 512; relu; fc 10 x0.1",
       "CIFAR-10, 62 464 ReLUs"},
      {"resnet-4b",
       cifar + "conv 16 k3 s2 p1; relu; block 32 s2; block 32; block 32 s2; block 32; fc 100; relu; fc 10",
       "CIFAR-10, four residual blocks without batch normalisation"},
      {"cnn-17m",
       cifar + "conv 64 k3 p1; relu; conv 64 k3 p1; relu; conv 128 k4 s2 p1; relu; conv 128 k3 p1; relu; "
               "conv 128 k3 p1; relu; fc 512; relu; fc 10",
       "CIFAR-10, 17 M parameters"},
      {"mnist-8x200",
       "input 784; fc 200; relu; fc 200; relu; fc 200; relu; fc 200; relu; fc 200; relu; fc 200; relu; "
       "fc 200; relu; fc 200; relu; fc 10",
       "MNIST, eight dense layers of 200"},
  };
  return *specs;
}

absl::StatusOr<BuiltNetwork> BuildNetwork(std::string_view spec, uint64_t seed) {
  std::string text(spec);
  for (const NamedSpec& named : NamedSpecs()) {
    if (named.name == spec) text = named.layers;
  }
  NetworkBuilder builder(seed);
  for (const std::string& layer : std::vector<std::string>(absl::StrSplit(text, ';'))) {
    if (Words(layer).empty()) continue;
    ESPALIER_RETURN_IF_ERROR(AddLayer(layer, builder));
  }
  if (!builder.started()) return Fault(text, "no such architecture, and no layers either");
  return std::move(builder).Finish();
}

}  // namespace espalier::train
