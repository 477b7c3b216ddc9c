#include "verifier/formats/onnx_tensor.h"

#include <cmath>
#include <cstring>

#include "onnx_model.h"

namespace espalier::formats {
namespace {

using onnx::TensorProto;
using testing::ElementsAre;

constexpr int64_t kLimit = 100;

template <class T>
TensorProto Raw(int type, const std::vector<T>& values) {
  TensorProto proto;
  proto.set_data_type(type);
  proto.add_dims(static_cast<int64_t>(values.size()));
  proto.set_raw_data(std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
  return proto;
}

std::vector<double> Numbers(const TensorProto& proto, ElementType type) {
  const auto tensor = ReadTensor(proto, "t", kLimit);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  if (!tensor.ok()) return {};
  EXPECT_EQ(tensor->type, type);
  return tensor->ToDoubles();
}

TEST(OnnxTensor, ReadsRawDataOfEveryType) {
  EXPECT_THAT(Numbers(Raw<float>(TensorProto::FLOAT, {1.5F, -2}), ElementType::kFloat32),
              ElementsAre(1.5, -2));
  EXPECT_THAT(Numbers(Raw<double>(TensorProto::DOUBLE, {0.1}), ElementType::kFloat64), ElementsAre(0.1));
  EXPECT_THAT(Numbers(Raw<int64_t>(TensorProto::INT64, {-5}), ElementType::kInt64), ElementsAre(-5));
  EXPECT_THAT(Numbers(Raw<int32_t>(TensorProto::INT32, {-5}), ElementType::kInt32), ElementsAre(-5));
  EXPECT_THAT(Numbers(Raw<uint8_t>(TensorProto::UINT8, {255}), ElementType::kOther), ElementsAre(255));
  EXPECT_THAT(Numbers(Raw<int8_t>(TensorProto::INT8, {-1}), ElementType::kOther), ElementsAre(-1));
  EXPECT_THAT(Numbers(Raw<uint8_t>(TensorProto::BOOL, {0, 7}), ElementType::kBool), ElementsAre(0, 1));
}

TEST(OnnxTensor, WidensHalfPrecisionExactly) {
  // 1, -2, the largest, the smallest subnormal, the smallest normal.
  const std::vector<uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400};
  EXPECT_THAT(Numbers(Raw(TensorProto::FLOAT16, halves), ElementType::kFloat32),
              ElementsAre(1, -2, 65504, std::ldexp(1, -24), std::ldexp(1, -14)));
  TensorProto typed;
  typed.set_data_type(TensorProto::FLOAT16);
  typed.add_int32_data(0x3800);
  EXPECT_THAT(Numbers(typed, ElementType::kFloat32), ElementsAre(0.5));
}

TEST(OnnxTensor, ReadsTypedFields) {
  TensorProto proto;
  proto.set_data_type(TensorProto::INT32);
  proto.add_dims(2);
  proto.add_int32_data(3);
  proto.add_int32_data(-4);
  EXPECT_THAT(Numbers(proto, ElementType::kInt32), ElementsAre(3, -4));
}

TEST(OnnxTensor, RefusesSizesThatDoNotMatch) {
  TensorProto proto = Raw<float>(TensorProto::FLOAT, {1, 2});
  proto.set_dims(0, 3);
  EXPECT_EQ(ReadTensor(proto, "t", kLimit).status().code(), absl::StatusCode::kInvalidArgument);
  proto.set_dims(0, -1);
  EXPECT_EQ(ReadTensor(proto, "t", kLimit).status().code(), absl::StatusCode::kInvalidArgument);
  proto.set_dims(0, int64_t{1} << 62);
  proto.add_dims(int64_t{1} << 62);
  EXPECT_EQ(ReadTensor(proto, "t", kLimit).status().code(), absl::StatusCode::kResourceExhausted);
  TensorProto ragged = Raw<uint8_t>(TensorProto::FLOAT, {1, 2, 3});
  ragged.set_dims(0, 0);
  EXPECT_EQ(ReadTensor(ragged, "t", kLimit).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OnnxTensor, RefusesTypesItCannotHold) {
  for (const int type : {0, 8, 13, 14, 16, 17, 99}) {
    TensorProto proto;
    proto.set_data_type(type);
    EXPECT_EQ(ReadTensor(proto, "t", kLimit).status().code(), absl::StatusCode::kUnimplemented) << type;
  }
}

}  // namespace
}  // namespace espalier::formats
