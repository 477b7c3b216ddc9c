#include "verifier/formats/onnx_tensor.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_proto.h"

namespace espalier::formats {
namespace {

using onnx::TensorProto;

constexpr int kMaxNesting = 64;

// IEEE 754 half precision, every value of which float32 holds exactly.
float FromHalf(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else if (exponent > 0) {
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

class TensorReader {
 public:
  TensorReader(const TensorProto& proto, std::string_view name) : proto_(proto), name_(name) {}

  absl::StatusOr<Tensor> Read(int64_t limit) {
    ESPALIER_RETURN_IF_ERROR(CheckForm());
    ESPALIER_RETURN_IF_ERROR(ReadShape(limit));
    switch (proto_.data_type()) {
      case TensorProto::FLOAT:
        return Typed<float, float>(proto_.float_data());
      case TensorProto::DOUBLE:
        return Typed<double, double>(proto_.double_data());
      case TensorProto::INT64:
        return Typed<int64_t, int64_t>(proto_.int64_data());
      case TensorProto::INT32:
        return Typed<int64_t, int32_t>(proto_.int32_data());
      case TensorProto::INT16:
        return Typed<int64_t, int16_t>(proto_.int32_data());
      case TensorProto::INT8:
        return Typed<int64_t, int8_t>(proto_.int32_data());
      case TensorProto::UINT8:
        return Typed<int64_t, uint8_t>(proto_.int32_data());
      case TensorProto::UINT16:
        return Typed<int64_t, uint16_t>(proto_.int32_data());
      case TensorProto::UINT32:
        return Typed<int64_t, uint32_t>(proto_.uint64_data());
      case TensorProto::BOOL:
        return Typed<uint8_t, uint8_t>(proto_.int32_data());
      case TensorProto::FLOAT16:
        return Half();
      default:
        return Error(absl::StatusCode::kUnimplemented, "its element type is not supported");
    }
  }

 private:
  absl::Status Error(absl::StatusCode code, const std::string& what) const {
    return absl::Status(code, absl::StrCat("tensor '", name_, "': ", what));
  }

  absl::Status CheckForm() const {
    if (proto_.data_location() == TensorProto::EXTERNAL || proto_.external_data_size() > 0) {
      return Error(absl::StatusCode::kUnimplemented, "external data is not read");
    }
    if (proto_.has_segment()) return Error(absl::StatusCode::kUnimplemented, "segmented data is not read");
    return absl::OkStatus();
  }

  absl::Status ReadShape(int64_t limit) {
    tensor_.shape.assign(proto_.dims().begin(), proto_.dims().end());
    for (int64_t extent : tensor_.shape) {
      if (extent < 0) return Error(absl::StatusCode::kInvalidArgument, "it has a negative dimension");
    }
    const auto count = ElementCount(tensor_.shape, limit);
    if (!count.has_value()) {
      return Error(absl::StatusCode::kResourceExhausted, "it has more elements than are accepted");
    }
    count_ = static_cast<size_t>(*count);
    tensor_.type = OnnxElementType(proto_.data_type()).value_or(ElementType::kOther);
    return absl::OkStatus();
  }

  absl::Status Mismatch(size_t found) const {
    return Error(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("its shape ", ShapeToString(tensor_.shape), " does not match its ", found, " elements"));
  }

  // Elements of stored type Source, from raw_data or else from the typed field, as type Storage.
  template <class Storage, class Source, class Field>
  absl::StatusOr<Tensor> Typed(const Field& field) {
    std::vector<Storage> values;
    if (proto_.has_raw_data()) {
      const std::string& raw = proto_.raw_data();
      if (raw.size() % sizeof(Source) != 0 || raw.size() / sizeof(Source) != count_) {
        return Mismatch(raw.size() / sizeof(Source));
      }
      values.resize(count_);
      for (size_t i = 0; i < count_; ++i) {
        Source value;
        std::memcpy(&value, raw.data() + i * sizeof(Source), sizeof(Source));
        values[i] = static_cast<Storage>(value);
      }
    } else {
      if (static_cast<size_t>(field.size()) != count_) return Mismatch(static_cast<size_t>(field.size()));
      values.reserve(count_);
      for (const auto value : field) values.push_back(static_cast<Storage>(static_cast<Source>(value)));
    }
    if constexpr (std::is_same_v<Source, uint8_t> && std::is_same_v<Storage, uint8_t>) {
      for (Storage& value : values) value = value != 0;
    }
    tensor_.data = std::move(values);
    return std::move(tensor_);
  }

  absl::StatusOr<Tensor> Half() {
    ESPALIER_ASSIGN_OR_RETURN(Tensor bits, (Typed<int64_t, uint16_t>(proto_.int32_data())));
    std::vector<float> values;
    values.reserve(count_);
    for (int64_t half : std::get<std::vector<int64_t>>(bits.data)) {
      values.push_back(FromHalf(static_cast<uint16_t>(half)));
    }
    bits.data = std::move(values);
    return bits;
  }

  const TensorProto& proto_;
  const std::string name_;
  Tensor tensor_;
  size_t count_ = 0;
};

}  // namespace

bool ParseOnnxMessage(std::string_view bytes, google::protobuf::MessageLite& message) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return false;
  const google::protobuf::LogSilencer silence;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxNesting);
  return message.ParsePartialFromCodedStream(&stream) && stream.ConsumedEntireMessage() &&
         message.IsInitialized();
}

std::optional<ElementType> OnnxElementType(int data_type) {
  switch (data_type) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
      return ElementType::kFloat32;
    case TensorProto::DOUBLE:
      return ElementType::kFloat64;
    case TensorProto::INT64:
      return ElementType::kInt64;
    case TensorProto::INT32:
      return ElementType::kInt32;
    case TensorProto::BOOL:
      return ElementType::kBool;
    case TensorProto::INT8:
    case TensorProto::INT16:
    case TensorProto::UINT8:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
      return ElementType::kOther;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<Tensor> ReadTensor(const onnx::TensorProto& proto, std::string_view name, int64_t limit) {
  return TensorReader(proto, name).Read(limit);
}

absl::StatusOr<Tensor> ReadTensorBytes(std::string_view bytes, int64_t limit) {
  TensorProto proto;
  if (!ParseOnnxMessage(bytes, proto)) return absl::InvalidArgumentError("these bytes are no ONNX tensor");
  return ReadTensor(proto, proto.name(), limit);
}

}  // namespace espalier::formats
