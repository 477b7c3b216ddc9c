// The arrays that training changes, on the device: value, gradient, velocity.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/training.h"
#include "verifier/base/status.h"

namespace espalier::train {

// A device array with its gradient and velocity (zero at first).
class Parameter {
 public:
  static absl::StatusOr<Parameter> Make(backend::Backend& backend, const std::vector<float>& start) {
    Parameter p;
    p.size_ = static_cast<int64_t>(start.size());
    for (backend::Buffer<float>* buffer : {&p.value_, &p.gradient_, &p.velocity_}) {
      ESPALIER_ASSIGN_OR_RETURN(*buffer, backend::Allocate<float>(backend, p.size_));
      backend.f32().Fill(p.size_, 0.0f, buffer->data());
    }
    backend.Upload(start.data(), p.bytes(), p.value_.data());
    return p;
  }

  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(float)); }
  float* value() const { return value_.data(); }
  float* gradient() const { return gradient_.data(); }
  float* velocity() const { return velocity_.data(); }
  void Descend(backend::Training& training, const backend::DescentStep& step) {
    training.Descend(size_, step, gradient(), velocity(), value());
  }

 private:
  int64_t size_ = 0;
  backend::Buffer<float> value_, gradient_, velocity_;
};

inline std::vector<float> Download(backend::Backend& backend, const float* from, int64_t count) {
  std::vector<float> host(static_cast<size_t>(count));
  backend.Download(from, count * static_cast<int64_t>(sizeof(float)), host.data());
  return host;
}

}  // namespace espalier::train
