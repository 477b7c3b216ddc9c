// The generated ONNX message classes, configured the way Debian's library was built.
#pragma once

#ifndef ONNX_ML
#define ONNX_ML 1
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include <string_view>

namespace espalier::formats {

// Parses with bounded nesting and without protobuf's log lines; false when the bytes are no such message.
bool ParseOnnxMessage(std::string_view bytes, google::protobuf::MessageLite& message);

}  // namespace espalier::formats
