// Samples of a data set as a network reads them: batches of rows in its stored input order, and the forward
// pass of one node over a batch.
//
//   ESPALIER_ASSIGN_OR_RETURN(SampleReader reader, SampleReader::Make(network, data, order, 1000));
//   for (int64_t begin = 0; begin < reader.count(); begin += kSampleBatch) {
//     const std::vector<float> x = reader.Rows(begin, std::min(begin + kSampleBatch, reader.count()));
//   }
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/dataset.h"
#include "verifier/bounds/plan.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

inline constexpr int64_t kSampleBatch = 128;

class SampleReader {
 public:
  // The first `samples` of `order` (all of it when it is shorter). INVALID_ARGUMENT when the samples do not
  // have the network's input size, when an index or a label is out of range, and when there is no sample.
  // `network`, `data` and `order` outlive the reader.
  static absl::StatusOr<SampleReader> Make(const ir::Network& network, const Dataset& data,
                                           const std::vector<int64_t>& order, int64_t samples);

  int64_t count() const { return count_; }
  int32_t label(int64_t sample) const { return data_->labels[static_cast<size_t>(Index(sample))]; }
  // [end - begin][inputs], stored order.
  std::vector<float> Rows(int64_t begin, int64_t end) const;

 private:
  int64_t Index(int64_t sample) const { return (*order_)[static_cast<size_t>(sample)]; }

  const ir::Network* network_ = nullptr;
  const Dataset* data_ = nullptr;
  const std::vector<int64_t>* order_ = nullptr;
  int64_t count_ = 0;
};

// values[rows][size] of the affine node from those of its predecessors (device; indexed by node).
void ForwardAffine(const bounds::Plan& plan, ir::NodeId id, int64_t rows,
                   const std::vector<const float*>& predecessor_values, float* values);

// Activations of a network, in topological order: indices into Network::nodes.
std::vector<size_t> ActivationNodes(const ir::Network& network);

}  // namespace espalier::graft
