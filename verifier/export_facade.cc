// Models out, data in: Export and ReadDataset of verifier.h.
#include <string>

#include "verifier/base/status.h"
#include "verifier/formats/dataset_reader.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/model_impl.h"
#include "verifier/verifier.h"

namespace espalier {

absl::StatusOr<Dataset> ReadDataset(std::string_view data_bytes, std::string_view label_bytes) {
  return formats::ReadDataset(data_bytes, label_bytes);
}

absl::StatusOr<std::string> Export(const Model& model) {
  const Model::Impl& impl = model.impl();
  ESPALIER_RETURN_IF_ERROR(impl.lowering_status);
  const TensorInfo &input = impl.description.inputs.front(), &output = impl.description.outputs.front();
  return formats::WriteOnnx(*impl.network, {input.name, input.shape, output.name, output.shape,
                                            impl.description.name, std::string(Version())});
}

}  // namespace espalier
