// One ONNX TensorProto -> Tensor. Untrusted: sizes are checked before memory is reserved.
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"

namespace onnx {
class TensorProto;
}

namespace espalier::formats {

// Element type of a Tensor that holds ONNX data type `data_type`; kOther for those that widen to int64
// without being int32 or int64 (uint8, int8, ...), nullopt for those that are not read (strings, complex,
// bfloat16, ...). float16 widens to float32.
std::optional<ElementType> OnnxElementType(int data_type);

// raw_data or the typed fields. `name` is how errors call the tensor. `limit`: elements at most.
// INVALID_ARGUMENT (sizes that do not match, negative dimensions), UNIMPLEMENTED (external data, segments,
// element types that are not read), RESOURCE_EXHAUSTED (over the limit).
absl::StatusOr<Tensor> ReadTensor(const onnx::TensorProto& proto, std::string_view name, int64_t limit);

// A TensorProto's serialised bytes, as in the data sets of ONNX's own node tests.
absl::StatusOr<Tensor> ReadTensorBytes(std::string_view bytes, int64_t limit);

}  // namespace espalier::formats
