#include "verifier/training_memory.h"

#include <variant>

#include "absl/strings/str_cat.h"

namespace espalier {
namespace {

// What a coefficient becomes on the host, beside the backend: doubles of the network before and after, its
// values and velocities of a checkpoint and their bytes, the written file, and the file read again for
// measuring. docs/operations.md says how this was measured.
constexpr int64_t kBytesPerCoefficient = 64;
constexpr int64_t kBytesPerNeuron = 128;
constexpr int64_t kLeast = int64_t{8} << 20;  // of the backend

int64_t Coefficients(const ir::LinearMap& map) {
  if (const auto* dense = std::get_if<ir::DenseMap>(&map)) return static_cast<int64_t>(dense->weights.size());
  if (const auto* conv = std::get_if<ir::ConvMap>(&map)) return static_cast<int64_t>(conv->kernel.size());
  if (const auto* sparse = std::get_if<ir::SparseMap>(&map))
    return static_cast<int64_t>(sparse->value.size());
  if (const auto* scale = std::get_if<ir::ScaleMap>(&map)) return static_cast<int64_t>(scale->scale.size());
  return 0;
}

int64_t HostBytes(const ir::Network& network) {
  int64_t bytes = 0;
  for (const ir::NetworkNode& node : network.nodes) {
    bytes += kBytesPerNeuron * node.size;
    for (const ir::AffineTerm& term : node.terms) bytes += kBytesPerCoefficient * Coefficients(*term.map);
  }
  return bytes;
}

int64_t HostBytes(const Dataset& data) {
  const int64_t values = std::visit(
      [](const auto& array) { return static_cast<int64_t>(array.size() * sizeof(array[0])); }, data.values);
  return values + static_cast<int64_t>(data.labels.size() * (sizeof(int32_t) + 2 * sizeof(int64_t)));
}

}  // namespace

absl::StatusOr<MemoryShares> DivideMemory(int64_t memory_bytes, const MemoryUse& use) {
  if (memory_bytes == 0) return MemoryShares{};
  int64_t host = 0;
  for (const ir::Network* network : use.networks) host += HostBytes(*network);
  for (const Dataset* data : use.data) host += data == nullptr ? 0 : HostBytes(*data);
  const int64_t parts = use.verifies ? 2 : 1;
  if (memory_bytes - host < parts * kLeast) {
    return absl::ResourceExhaustedError(absl::StrCat("the data and the network need about ",
                                                     host + parts * kLeast,
                                                     " bytes of memory; this call may use ", memory_bytes));
  }
  MemoryShares shares;
  shares.backend = (memory_bytes - host) / parts;
  shares.verification = use.verifies ? shares.backend : 0;
  return shares;
}

}  // namespace espalier
