// Batches of samples: order, augmentation, and the network's stored input order.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/backend/training.h"
#include "verifier/base/dataset.h"
#include "verifier/ir/network.h"

namespace espalier::train {

// A permutation of `order` for one epoch (Fisher and Yates on the key's numbers).
std::vector<int64_t> Shuffled(std::vector<int64_t> order, const backend::RandomKey& key);

struct Batch {
  int64_t rows = 0;
  std::vector<float> x;        // [rows][inputs] stored order
  std::vector<int32_t> label;  // [rows]
};

class BatchReader {
 public:
  BatchReader(const ir::Network& network, const Dataset& data) : network_(network), data_(data) {}

  // Samples order[begin .. begin+rows).
  void Read(const std::vector<int64_t>& order, int64_t begin, int64_t rows, Batch& batch);
  // The same, each image shifted by up to an eighth of its sides (zeros come in) and flipped left to right
  // with probability one half. Data that are no images [C,H,W] stay as they are.
  void ReadAugmented(const std::vector<int64_t>& order, int64_t begin, int64_t rows,
                     const backend::RandomKey& key, Batch& batch);

 private:
  void Prepare(int64_t rows, Batch& batch) const;
  void Store(const float* sample, float* stored) const;

  const ir::Network& network_;
  const Dataset& data_;
};

}  // namespace espalier::train
