// Files with labelled samples -> Dataset. The format is told by the bytes:
//
//   auto data = formats::ReadDataset(cifar_batches, "");          // labels are in the records
//   auto data = formats::ReadDataset(images_npy, labels_npy);
//   auto data = formats::ReadDataset(train_images_idx, train_labels_idx);
//
// Data:   .npy of u1, f4 or f8, samples first: [N,F], [N,H,W], [N,C,H,W], ... Arrays are taken as they stand,
//         in ONNX order; images with the channels last have to be transposed before.
//         .npz with such an array called data, x, images or X (the first that there is).
//         CIFAR-10's binary form: records of one label and 3x32x32 bytes; several files one after the other
//         are more records.
//         MNIST's IDX images (0x00000803): [N, rows, columns] bytes, samples of shape [1, rows, columns].
// Labels: .npy of any integer type, [N] or [N,1]; IDX (0x00000801); .npz with labels, y or Y, also the one
//         that holds the data. None beside CIFAR-10.
//
// Bytes stay bytes (value / 255 when read). Dataset::sha256 is left empty: the caller knows the files' digest
// or can compute it. Untrusted input: every size is checked before it is used and nothing aborts.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/base/dataset.h"

namespace espalier::formats {

// INVALID_ARGUMENT naming sample, record or size: no known format, compressed files, truncated records, other
// element types, NaN or infinite values, labels that are missing, negative or more or fewer than the samples,
// no samples at all. RESOURCE_EXHAUSTED over the array limits of npy_reader.h.
absl::StatusOr<Dataset> ReadDataset(std::string_view data, std::string_view labels);

}  // namespace espalier::formats
