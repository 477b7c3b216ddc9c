#include "verifier/train/batch.h"

#include <algorithm>
#include <utility>

namespace espalier::train {
namespace {

struct Move {
  int64_t down = 0, right = 0;
  bool flip = false;
};

Move MoveOf(const backend::RandomKey& key, int64_t position, int64_t h, int64_t w) {
  const auto number = [&](uint64_t k) {
    return backend::CounterUniform(key, 3 * static_cast<uint64_t>(position) + k);
  };
  const auto shift = [&](uint64_t k, int64_t side) {
    const int64_t reach = side / 8;
    return static_cast<int64_t>(number(k) * static_cast<float>(2 * reach + 1)) - reach;
  };
  return {shift(0, h), shift(1, w), number(2) < 0.5f};
}

// sample [c][h][w] -> moved
void MoveImage(const Shape& shape, const Move& move, const float* sample, float* moved) {
  const int64_t h = shape[1], w = shape[2];
  std::fill(moved, moved + shape[0] * h * w, 0.0f);
  for (int64_t line = 0; line < shape[0] * h; ++line) {
    const int64_t y = line % h, from_y = y - move.down;
    if (from_y < 0 || from_y >= h) continue;
    const float* from = sample + (line - y + from_y) * w;
    for (int64_t x = 0; x < w; ++x) {
      const int64_t shifted = x - move.right;
      if (shifted < 0 || shifted >= w) continue;
      moved[line * w + (move.flip ? w - 1 - x : x)] = from[shifted];
    }
  }
}

}  // namespace

std::vector<int64_t> Shuffled(std::vector<int64_t> order, const backend::RandomKey& key) {
  for (size_t i = order.size(); i-- > 1;) {
    const float u = backend::CounterUniform(key, 2 * i), v = backend::CounterUniform(key, 2 * i + 1);
    const double uniform = (static_cast<double>(u) + static_cast<double>(v) * 0x1.0p-24);
    std::swap(order[i], order[static_cast<size_t>(uniform * static_cast<double>(i + 1))]);
  }
  return order;
}

void BatchReader::Prepare(int64_t rows, Batch& batch) const {
  batch.rows = rows;
  batch.x.resize(static_cast<size_t>(rows * network_.input_size()));
  batch.label.resize(static_cast<size_t>(rows));
}

void BatchReader::Store(const float* sample, float* stored) const {
  for (size_t i = 0; i < network_.input_order.size(); ++i) stored[i] = sample[network_.input_order[i]];
}

void BatchReader::Read(const std::vector<int64_t>& order, int64_t begin, int64_t rows, Batch& batch) {
  Prepare(rows, batch);
  std::vector<float> sample(static_cast<size_t>(network_.input_size()));
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = order[static_cast<size_t>(begin + r)];
    data_.CopySample(i, sample.data());
    Store(sample.data(), batch.x.data() + r * network_.input_size());
    batch.label[static_cast<size_t>(r)] = data_.labels[static_cast<size_t>(i)];
  }
}

void BatchReader::ReadAugmented(const std::vector<int64_t>& order, int64_t begin, int64_t rows,
                                const backend::RandomKey& key, Batch& batch) {
  if (data_.shape.size() != 3) {
    Read(order, begin, rows, batch);
    return;
  }
  Prepare(rows, batch);
  std::vector<float> sample(static_cast<size_t>(network_.input_size())), moved(sample.size());
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = order[static_cast<size_t>(begin + r)];
    data_.CopySample(i, sample.data());
    MoveImage(data_.shape, MoveOf(key, begin + r, data_.shape[1], data_.shape[2]), sample.data(),
              moved.data());
    Store(moved.data(), batch.x.data() + r * network_.input_size());
    batch.label[static_cast<size_t>(r)] = data_.labels[static_cast<size_t>(i)];
  }
}

}  // namespace espalier::train
