// Times every product and row primitive of one adversarial training step of CNN-B at batch 128, and the whole
// step, each against the matrix product rate of the same threads. Rounds are interleaved and the fastest of
// each counts, in wall time and in processor time per thread; the latter is what rates are computed from, so
// that other load on the machine cancels.
//
//   cmake --build <folder> --target train_step && <folder>/bench/train_step [threads] [seconds] [batch]
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "verifier/backend/backend.h"
#include "verifier/backend/training.h"
#include "verifier/base/library_environment.h"

namespace espalier::backend {
namespace {

template <class T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", std::string(value.status().message()).c_str());
  std::exit(1);
}

Buffer<float> Random(Backend& backend, int64_t count, float scale) {
  static std::mt19937 engine(1);
  Buffer<float> buffer = Must(Allocate<float>(backend, count));
  std::vector<float> values(static_cast<size_t>(count));
  std::uniform_real_distribution<float> uniform(-scale, scale);
  for (float& v : values) v = uniform(engine);
  backend.Upload(values.data(), count * 4, buffer.data());
  return buffer;
}

// A square convolution with stride 2 and one row and column of padding before the image.
ir::LinearMap Conv(int64_t size, int64_t channels, int64_t small_channels, int64_t kernel) {
  ir::ConvMap map;
  map.big_h = map.big_w = size, map.big_c = channels;
  map.small_h = map.small_w = size / 2, map.small_c = small_channels;
  map.kernel_h = map.kernel_w = kernel;
  map.stride_h = map.stride_w = 2;
  map.pad_top = map.pad_left = 1;
  map.kernel.assign(static_cast<size_t>(small_channels * kernel * kernel * channels), 0.01);
  return map;
}

// One affine layer, its bias and the activation behind it.
struct Layer {
  std::string name;
  double flops = 0;        // of one product with one row
  int64_t bias_size = 0;   // channels of an image, neurons otherwise
  bool activation = true;  // a hinge follows
  std::unique_ptr<TrainableMap> map;
  Buffer<float> bias, bias_gradient, bias_velocity, velocity, left, right, intercept;
  Buffer<float> z, y, g;  // outputs before and behind the activation, gradient of them

  int64_t out() const { return map->output_size(); }
};

class CnnB {
 public:
  CnnB(Backend& backend, int64_t rows) : backend_(backend), t_(backend.training()), rows_(rows) {
    Add("conv 3-32 k5", Conv(32, 3, 32, 5), 2.0 * 16 * 16 * 32 * 75, 32, true);
    Add("conv 32-128 k4", Conv(16, 32, 128, 4), 2.0 * 8 * 8 * 128 * 512, 128, true);
    Add("fc 8192-250", ir::DenseMap{250, 8192, std::vector<double>(250 * 8192, 0.01)}, 2.0 * 250 * 8192, 250,
        true);
    Add("fc 250-10", ir::DenseMap{10, 250, std::vector<double>(2500, 0.01)}, 2.0 * 2500, 10, false);
    const int64_t inputs = rows * 3072;
    for (Buffer<float>* buffer : {&x_, &x0_, &gx_, &lower_, &upper_}) *buffer = Random(backend, inputs, 1.0f);
    label_ = Must(Allocate<int32_t>(backend, rows));
    std::fill_n(label_.data(), rows, 3);
    loss_ = Random(backend, rows, 1.0f);
  }

  struct Timed {
    std::string name;
    double flops = 0;
    std::function<void()> run;
    double wall = std::numeric_limits<double>::infinity(), processor = wall;  // seconds
  };

  std::vector<Timed> Parts() {
    std::vector<Timed> parts;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const double flops = layers_[i].flops * static_cast<double>(rows_);
      const std::string& name = layers_[i].name;
      parts.push_back({name + " forward", flops,
                       [this, i] { t_.Forward(*layers_[i].map, rows_, In(i), layers_[i].z.data()); }});
      parts.push_back({name + " backward", flops,
                       [this, i] { t_.Backward(*layers_[i].map, rows_, layers_[i].g.data(), GIn(i)); }});
      parts.push_back({name + " weights", flops,
                       [this, i] { t_.WeightGradient(*layers_[i].map, rows_, In(i), layers_[i].g.data()); }});
      parts.push_back({name + " bias", 0, [this, i] { AddBias(i); }});
      parts.push_back({name + " bias gradient", 0, [this, i] { BiasGradient(i); }});
      parts.push_back({name + " descend", 0, [this, i] { Descend(i); }});
      if (!layers_[i].activation) continue;
      parts.push_back({name + " hinge", 0, [this, i] { Hinge(i); }});
      parts.push_back({name + " hinge back", 0, [this, i] { HingeBack(i); }});
    }
    parts.push_back({"loss", 0, [this] { Loss(); }});
    parts.push_back({"box, random start", 0, [this] { Start(); }});
    parts.push_back({"sign step", 0, [this] { Move(); }});
    double flops = 0;
    for (const Layer& layer : layers_) flops += 5 * layer.flops;  // two forward, two backward, one of weights
    flops -= layers_[0].flops;                                    // the last backward ends at the first layer
    parts.push_back({"whole step", flops * static_cast<double>(rows_), [this] { Step(); }});
    return parts;
  }

 private:
  void Add(std::string name, const ir::LinearMap& map, double flops, int64_t bias_size, bool activation) {
    Layer layer;
    layer.name = std::move(name), layer.flops = flops, layer.bias_size = bias_size,
    layer.activation = activation;
    layer.map = Must(t_.MakeTrainable(map));
    const int64_t n = layer.out();
    std::vector<float> weights(static_cast<size_t>(layer.map->weight_count()));
    layer.velocity = Random(backend_, layer.map->weight_count(), 0.0f);
    const Buffer<float> start = Random(backend_, layer.map->weight_count(), 0.02f);
    backend_.Upload(start.data(), layer.map->weight_count() * 4, layer.map->weights());
    t_.WeightsChanged(*layer.map);
    for (Buffer<float>* buffer : {&layer.bias, &layer.bias_gradient, &layer.bias_velocity}) {
      *buffer = Random(backend_, bias_size, 0.01f);
    }
    for (Buffer<float>* buffer : {&layer.left, &layer.right, &layer.intercept})
      *buffer = Random(backend_, n, 0.0f);
    std::fill_n(layer.right.data(), n, 1.0f);
    for (Buffer<float>* buffer : {&layer.z, &layer.y, &layer.g}) *buffer = Random(backend_, rows_ * n, 1.0f);
    layers_.push_back(std::move(layer));
  }

  const float* In(size_t i) { return i == 0 ? x_.data() : layers_[i - 1].y.data(); }
  float* GIn(size_t i) { return i == 0 ? gx_.data() : layers_[i - 1].g.data(); }

  void AddBias(size_t i) {
    Layer& l = layers_[i];
    t_.AddRows(rows_ * l.out() / l.bias_size, l.bias_size, l.bias.data(), l.z.data());
  }
  void BiasGradient(size_t i) {
    Layer& l = layers_[i];
    t_.ColumnSums(rows_ * l.out() / l.bias_size, l.bias_size, l.g.data(), l.bias_gradient.data());
  }
  void Hinge(size_t i) {
    Layer& l = layers_[i];
    t_.HingeForward(rows_, l.out(), {l.left.data(), l.right.data(), l.intercept.data()}, l.z.data(),
                    l.y.data());
  }
  void HingeBack(size_t i) {
    Layer& l = layers_[i];
    t_.HingeBackward(rows_, l.out(), {l.left.data(), l.right.data(), nullptr}, l.z.data(), l.g.data());
  }
  void Descend(size_t i) {
    Layer& l = layers_[i];
    const DescentStep step{.rate = 1e-5f, .momentum = 0.9f, .decay = 5e-4f};
    t_.Descend(l.map->weight_count(), step, l.map->gradient(), l.velocity.data(), l.map->weights());
    t_.Descend(l.bias_size, step, l.bias_gradient.data(), l.bias_velocity.data(), l.bias.data());
    t_.WeightsChanged(*l.map);
  }
  void Loss() {
    t_.CrossEntropy(rows_, 10, layers_.back().z.data(), {.label = label_.data()},
                    {.gradient = layers_.back().g.data(), .loss = loss_.data()});
  }
  void Start() {
    t_.BoxAround(rows_ * 3072, x0_.data(), {.epsilon = 0.01f, .low = -1, .high = 1}, lower_.data(),
                 upper_.data());
    t_.UniformInBox(rows_ * 3072, {1, 2}, lower_.data(), upper_.data(), x_.data());
  }
  void Move() { t_.SignStep(rows_ * 3072, 0.01f, gx_.data(), lower_.data(), upper_.data(), x_.data()); }

  void ForwardAll() {
    for (size_t i = 0; i < layers_.size(); ++i) {
      t_.Forward(*layers_[i].map, rows_, In(i), layers_[i].z.data());
      AddBias(i);
      if (layers_[i].activation) Hinge(i);
    }
    Loss();
  }
  void BackwardAll(bool weights, bool input) {
    for (size_t i = layers_.size(); i-- > 0;) {
      if (layers_[i].activation) HingeBack(i);
      if (weights) {
        t_.WeightGradient(*layers_[i].map, rows_, In(i), layers_[i].g.data());
        BiasGradient(i);
      }
      if (i > 0 || input) t_.Backward(*layers_[i].map, rows_, layers_[i].g.data(), GIn(i));
    }
  }
  void Step() {
    Start();
    ForwardAll();
    BackwardAll(false, true);
    Move();
    ForwardAll();
    BackwardAll(true, false);
    for (size_t i = 0; i < layers_.size(); ++i) Descend(i);
  }

  Backend& backend_;
  Training& t_;
  int64_t rows_;
  std::vector<Layer> layers_;
  Buffer<float> x_, x0_, gx_, lower_, upper_, loss_;
  Buffer<int32_t> label_;
};

// The rate that counts as the peak: a square product that fits the second-level cache.
CnnB::Timed Peak(Backend& backend) {
  const int64_t n = 768;
  auto map = std::shared_ptr<TrainableMap>(Must(backend.training().MakeTrainable(
      ir::DenseMap{n, n, std::vector<double>(static_cast<size_t>(n * n), 0.1)})));
  auto x = std::make_shared<Buffer<float>>(Random(backend, n * n, 1.0f));
  auto y = std::make_shared<Buffer<float>>(Random(backend, n * n, 1.0f));
  return {"matrix product 768", 2.0 * static_cast<double>(n * n * n),
          [map, x, y, n, &backend] { backend.training().Backward(*map, n, x->data(), y->data()); }};
}

double Seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measure(std::vector<CnnB::Timed>& parts, double seconds, int64_t threads) {
  for (CnnB::Timed& part : parts) part.run();
  const double end = Seconds(CLOCK_MONOTONIC) + seconds;
  while (Seconds(CLOCK_MONOTONIC) < end) {
    for (CnnB::Timed& part : parts) {
      part.run();
      const double wall = Seconds(CLOCK_MONOTONIC), processor = Seconds(CLOCK_PROCESS_CPUTIME_ID);
      part.run();
      part.processor = std::min(
          part.processor, (Seconds(CLOCK_PROCESS_CPUTIME_ID) - processor) / static_cast<double>(threads));
      part.wall = std::min(part.wall, Seconds(CLOCK_MONOTONIC) - wall);
    }
  }
}

int Main(int argc, char** argv) {
  const int64_t threads = argc > 1 ? std::atoi(argv[1]) : 1, rows = argc > 3 ? std::atoi(argv[3]) : 128;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 10;
  const std::unique_ptr<Backend> backend = Must(MakeCpuBackend({.threads = threads, .memory_bytes = 0}));
  CnnB net(*backend, rows);
  std::vector<CnnB::Timed> parts = net.Parts();
  parts.insert(parts.begin(), Peak(*backend));
  Measure(parts, seconds, threads);
  if (const absl::Status status = backend->Synchronise(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  const double peak = parts[0].flops / parts[0].processor;
  std::printf("%-30s %10s %10s %10s %8s   threads %lld, batch %lld\n", "", "wall ms", "cpu ms", "GFLOP/s",
              "of peak", static_cast<long long>(threads), static_cast<long long>(rows));
  for (const CnnB::Timed& part : parts) {
    std::printf("%-30s %10.3f %10.3f", part.name.c_str(), part.wall * 1e3, part.processor * 1e3);
    if (part.flops > 0) {
      const double rate = part.flops / part.processor;
      std::printf(" %10.1f %7.0f%%", rate * 1e-9, 100 * rate / peak);
    }
    std::printf("\n");
  }
  return 0;
}

}  // namespace
}  // namespace espalier::backend

int main(int argc, char** argv) {
  espalier::base::StartInLibraryEnvironment(argv);
  return espalier::backend::Main(argc, argv);
}
