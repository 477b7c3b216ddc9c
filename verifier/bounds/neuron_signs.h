// What is known of each activation neuron's side in one domain, two bits a neuron.
//
//   NeuronSigns signs(plan.activation_neurons());
//   signs.Set(plan.activation_begin(a) + i, +1);   // pre-activation i of layer a is >= 0 in this domain
#pragma once

#include <cstdint>
#include <vector>

namespace espalier::bounds {

class NeuronSigns {
 public:
  NeuronSigns() = default;  // nothing known of any neuron
  explicit NeuronSigns(int64_t neurons) : bits_(static_cast<size_t>((neurons + 3) / 4), 0) {}

  // +1: >= 0, -1: <= 0, 0: may be either.
  int At(int64_t neuron) const {
    if (bits_.empty()) return 0;
    const int bits = bits_[static_cast<size_t>(neuron / 4)] >> (neuron % 4 * 2) & 3;
    return bits == 2 ? -1 : bits;
  }
  void Set(int64_t neuron, int sign) {
    uint8_t& byte = bits_[static_cast<size_t>(neuron / 4)];
    const auto shift = static_cast<unsigned>(neuron % 4 * 2);
    const unsigned bits = sign > 0 ? 1u : sign < 0 ? 2u : 0u;
    byte = static_cast<uint8_t>((byte & ~(3u << shift)) | bits << shift);
  }
  int64_t bytes() const { return static_cast<int64_t>(bits_.capacity()); }

 private:
  std::vector<uint8_t> bits_;
};

}  // namespace espalier::bounds
