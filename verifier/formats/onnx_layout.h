// How a network node's neurons stand in an ONNX file: images as [N, C, H, W], everything else as [N, size].
//
//   FileValue x{"conv_1", {.h = 16, .w = 16, .c = 8}};
//   FileValue flat = Convert(builder, x, kFlat);  // in stored order (h, w, c): Transpose, Flatten
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "verifier/formats/onnx_builder.h"
#include "verifier/ir/network.h"

namespace espalier::formats {

inline constexpr ir::ImageShape kFlat{};

// A value of the file whose neurons are those of a network node: flat values (form.c == 0) in the node's
// stored order, images with the channels in front.
struct FileValue {
  std::string name;
  ir::ImageShape form;
};

bool SameForm(const ir::ImageShape& a, const ir::ImageShape& b);

// Whether [C, H, W] and (h, w, c) list the neurons in the same order.
bool KeepsStoredOrder(const ir::ImageShape& form);

// The stored neuron at every position of the file's value, flattened.
std::vector<int64_t> StoredOfFile(const ir::ImageShape& form, int64_t size);

// The same neurons, in the same stored order, under another form of the same size.
FileValue Convert(OnnxBuilder& builder, const FileValue& x, const ir::ImageShape& form);

std::vector<float> RoundToFloat(const std::vector<double>& values);

// A constant that broadcasts against a value of this form; `values` in stored order. As small as it can be:
// one number, one per channel, or all.
std::string AddConstant(OnnxBuilder& builder, std::string_view role, const std::vector<double>& values,
                        const ir::ImageShape& form);

// Whether values[i] is a function of i mod channels: one number per channel of a channels-last image.
bool IsPerChannel(const std::vector<double>& values, int64_t channels);

}  // namespace espalier::formats
