// Times every product and row primitive of one adversarial training step of CNN-B at batch 128, and the whole
// step, each against the matrix product rate of the same threads. Rounds are interleaved and the fastest of
// each counts, so that other load on the machine cancels.
//
//   cmake --build <folder> --target train_step && <folder>/bench/train_step [threads] [seconds] [batch]
#include <algorithm>
#include <chrono>
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

ir::LinearMap Conv(ir::ConvMap map) {
  map.kernel.assign(static_cast<size_t>(map.small_c * map.kernel_h * map.kernel_w * map.big_c), 0.01);
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
    ir::ConvMap first{.big_h = 32, .big_w = 32, .big_c = 3, .small_h = 16, .small_w = 16, .small_c = 32};
    first.kernel_h = first.kernel_w = 5, first.stride_h = first.stride_w = 2,
    first.pad_top = first.pad_left = 1;
    ir::ConvMap second{.big_h = 16, .big_w = 16, .big_c = 32, .small_h = 8, .small_w = 8, .small_c = 128};
    second.kernel_h = second.kernel_w = 4, second.stride_h = second.stride_w = 2;
    second.pad_top = second.pad_left = 1;
    Add("conv 3-32 k5", Conv(first), 2.0 * 16 * 16 * 32 * 75, 32, true);
    Add("conv 32-128 k4", Conv(second), 2.0 * 8 * 8 * 128 * 512, 128, true);
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
    double best = std::numeric_limits<double>::infinity();
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

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Measure(std::vector<CnnB::Timed>& parts, double seconds) {
  for (CnnB::Timed& part : parts) part.run();
  const double end = Seconds() + seconds;
  while (Seconds() < end) {
    for (CnnB::Timed& part : parts) {
      part.run();
      const double begin = Seconds();
      part.run();
      part.best = std::min(part.best, Seconds() - begin);
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
  Measure(parts, seconds);
  if (const absl::Status status = backend->Synchronise(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  const double peak = parts[0].flops / parts[0].best;
  std::printf("%-30s %10s %10s %8s   threads %lld, batch %lld\n", "", "ms", "GFLOP/s", "of peak",
              static_cast<long long>(threads), static_cast<long long>(rows));
  for (const CnnB::Timed& part : parts) {
    std::printf("%-30s %10.3f", part.name.c_str(), part.best * 1e3);
    if (part.flops > 0) {
      std::printf(" %10.1f %7.0f%%", part.flops / part.best * 1e-9, 100 * part.flops / part.best / peak);
    }
    std::printf("\n");
  }
  return 0;
}

}  // namespace
}  // namespace espalier::backend

int main(int argc, char** argv) {
  return espalier::backend::Main(argc, argv);
}
