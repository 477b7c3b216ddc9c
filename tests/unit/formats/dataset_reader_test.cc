#include "verifier/formats/dataset_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "verifier/formats/npy_header.h"
#include "verifier/formats/npy_reader.h"
#include "verifier/formats/npz_writer.h"

namespace espalier::formats {
namespace {

using ::testing::HasSubstr;

template <typename T>
std::string Npy(const char* descr, const Shape& shape, const std::vector<T>& values) {
  std::string bytes = FormatNpyHeader(descr, shape);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

std::string BigEndian(std::initializer_list<uint32_t> numbers) {
  std::string bytes;
  for (const uint32_t n : numbers) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift & 0xff);
  }
  return bytes;
}

// Record i has the label i mod 10 and pixel j has the value (i + j) mod 256.
std::string Cifar(int records) {
  std::string bytes;
  for (int i = 0; i < records; ++i) {
    bytes += static_cast<char>(i % 10);
    for (int j = 0; j < 3072; ++j) bytes += static_cast<char>((i + j) % 256);
  }
  return bytes;
}

void ExpectInvalid(const absl::StatusOr<Dataset>& data, const std::string& named) {
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument) << data.status();
  EXPECT_THAT(std::string(data.status().message()), HasSubstr(named));
}

std::vector<float> Sample(const Dataset& data, int64_t i) {
  std::vector<float> x(static_cast<size_t>(data.sample_size()));
  data.CopySample(i, x.data());
  return x;
}

const std::string kLabels = Npy<int64_t>("<i8", {2}, {1, 0});

TEST(DatasetReader, FloatArraysAreTakenAsTheyStand) {
  const auto data = ReadDataset(Npy<float>("<f4", {2, 1, 1, 2}, {0.25F, 0.5F, 0.75F, 1}), kLabels);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->shape, (Shape{1, 1, 2}));
  EXPECT_EQ(data->labels, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(Sample(*data, 1), (std::vector<float>{0.75F, 1}));
  EXPECT_TRUE(data->sha256.empty());
}

TEST(DatasetReader, DoublesAreRoundedToFloat) {
  const auto data = ReadDataset(Npy<double>("<f8", {2, 2}, {0.1, 0.2, 0.3, 0.4}), kLabels);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(Sample(*data, 0), (std::vector<float>{0.1F, 0.2F}));
}

TEST(DatasetReader, BytesStayBytes) {
  const auto data = ReadDataset(Npy<uint8_t>("|u1", {2, 1, 3}, {0, 51, 255, 1, 2, 3}), kLabels);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(std::get<std::vector<uint8_t>>(data->values), (std::vector<uint8_t>{0, 51, 255, 1, 2, 3}));
  EXPECT_EQ(Sample(*data, 0), (std::vector<float>{0, 0.2F, 1}));
}

TEST(DatasetReader, FortranOrderIsUndone) {
  std::string bytes = Npy<uint8_t>("|u1", {2, 2}, {1, 3, 2, 4});
  bytes.replace(bytes.find("False"), 5, "True ");
  const auto data = ReadDataset(bytes, kLabels);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(std::get<std::vector<uint8_t>>(data->values), (std::vector<uint8_t>{1, 2, 3, 4}));
}

TEST(DatasetReader, LabelsOfEveryIntegerType) {
  const std::string samples = Npy<float>("<f4", {2, 1}, {0, 1});
  const std::vector<int32_t> expected{1, 0};
  for (const std::string& labels :
       {Npy<uint8_t>("|u1", {2}, {1, 0}), Npy<int8_t>("|i1", {2}, {1, 0}), Npy<uint16_t>("<u2", {2}, {1, 0}),
        Npy<int16_t>("<i2", {2}, {1, 0}), Npy<uint32_t>("<u4", {2}, {1, 0}),
        Npy<int32_t>("<i4", {2, 1}, {1, 0}), Npy<uint64_t>("<u8", {2}, {1, 0}), kLabels,
        BigEndian({0x801, 2}) + std::string("\1\0", 2)}) {
    const auto data = ReadDataset(samples, labels);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->labels, expected);
  }
}

TEST(DatasetReader, NpzHoldsDataAndLabels) {
  for (const char* name : {"data", "x", "images", "X"}) {
    for (const char* labels : {"labels", "y", "Y"}) {
      const auto bytes = WriteNpz({{"other", Tensor::FromInts({1}, {9})},
                                   {labels, Tensor::FromInts({2}, {3, 4})},
                                   {name, Tensor::FromFloats({2, 1}, {0.5F, 0.25F})}});
      const auto data = ReadDataset(*bytes, "");
      ASSERT_TRUE(data.ok()) << data.status();
      EXPECT_EQ(data->labels, (std::vector<int32_t>{3, 4}));
      EXPECT_EQ(Sample(*data, 1), std::vector<float>{0.25F});
    }
  }
}

TEST(DatasetReader, LabelsBesideAnNpzWin) {
  const Tensor x = Tensor::FromFloats({2, 1}, {0.5F, 0.25F});
  const auto both = WriteNpz({{"x", x}, {"y", Tensor::FromInts({2}, {3, 4})}});
  EXPECT_EQ(ReadDataset(*both, kLabels)->labels, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(ReadDataset(*WriteNpz({{"x", x}}), *both)->labels, (std::vector<int32_t>{3, 4}));
}

TEST(DatasetReader, CifarFilesMayFollowOneAnother) {
  const auto data = ReadDataset(Cifar(3) + Cifar(2), "");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->shape, (Shape{3, 32, 32}));
  EXPECT_EQ(data->labels, (std::vector<int32_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(Sample(*data, 4)[1], 2.0F / 255.0F);
}

TEST(DatasetReader, ACifarFileMayBeginLikeIdx) {
  std::string bytes = Cifar(1);
  bytes.replace(0, 4, std::string("\0\0\x08\x03", 4));
  const auto data = ReadDataset(bytes, "");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->shape, (Shape{3, 32, 32}));
}

TEST(DatasetReader, IdxFilesAsLongAsCifarRecords) {
  const std::string images = BigEndian({0x803, 3057, 1, 1}) + std::string(3057, 'a');
  const std::string labels = BigEndian({0x801, 3057}) + std::string(3057, '\2');
  const auto data = ReadDataset(images, labels);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->size(), 3057);
  const std::string record = BigEndian({0x801, 3065}) + std::string(3065, '\2');
  ExpectInvalid(ReadDataset(images, record), "3065 labels for 3057 samples");
}

TEST(DatasetReader, IdxImages) {
  const std::string images = BigEndian({0x803, 2, 1, 2}) + std::string("\0\xff\1\2", 4);
  const auto data = ReadDataset(images, BigEndian({0x801, 2}) + std::string("\7\3", 2));
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->shape, (Shape{1, 1, 2}));
  EXPECT_EQ(data->labels, (std::vector<int32_t>{7, 3}));
  EXPECT_EQ(Sample(*data, 0), (std::vector<float>{0, 1}));
}

TEST(DatasetReader, ErrorsNameWhatIsWrong) {
  const float nan = std::nanf("");
  const auto floats = [](const std::vector<float>& values) { return Npy<float>("<f4", {2, 2}, values); };
  ExpectInvalid(ReadDataset(floats({0, 1, nan, 0}), kLabels), "element 0 of sample 1 is not a number");
  const float infinity = std::numeric_limits<float>::infinity();
  ExpectInvalid(ReadDataset(floats({0, 1, 0, infinity}), kLabels), "element 1 of sample 1 is infinite");
  ExpectInvalid(ReadDataset(Npy<double>("<f8", {2, 1}, {0, 1e39}), kLabels),
                "sample 1 is infinite in float32");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), ""), "labels");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<int64_t>("<i8", {3}, {1, 2, 3})),
                "3 labels for 2 samples of shape [2]");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<int64_t>("<i8", {2}, {1, -2})), "sample 1 is -2");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<uint64_t>("<u8", {2}, {uint64_t{1} << 63, 0})),
                "sample 0 is 9223372036854775808");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<float>("<f4", {2}, {0, 1})), "labels are integers");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<int64_t>("<i8", {2, 2}, {0, 1, 1, 0})), "[2,2]");
  ExpectInvalid(ReadDataset(floats({0, 1, 2, 3}), Npy<int64_t>("<i8", {2}, {0})), "2 labels of 8 bytes");
  ExpectInvalid(ReadDataset(floats({0, 1, 2}), kLabels), "needs 16 bytes");
  ExpectInvalid(ReadDataset(Npy<uint8_t>("|u1", {2, 3}, {0, 1}), kLabels), "[2,3]");
  ExpectInvalid(ReadDataset(Npy<float>("<f4", {2}, {0, 1}), kLabels), "[N, ...]");
  ExpectInvalid(ReadDataset(Npy<float>("<f4", {0, 2}, {}), kLabels), "no samples");
  ExpectInvalid(ReadDataset(Npy<int64_t>("<i8", {1, 1}, {0}), kLabels), "'<i8'");
  ExpectInvalid(ReadDataset(*WriteNpz({{"z", Tensor::FromInts({1}, {9})}}), kLabels), "data, x, images, X");
}

TEST(DatasetReader, ErrorsOfBinaryFiles) {
  ExpectInvalid(ReadDataset("", ""), "empty");
  ExpectInvalid(ReadDataset("\x1f\x8b and so on", ""), "decompress it first");
  ExpectInvalid(ReadDataset(Cifar(2).substr(0, 4000), ""), "1 records of 3073 and 927 bytes more");
  std::string cifar = Cifar(2);
  cifar[3073] = 11;
  ExpectInvalid(ReadDataset(cifar, ""), "record 1 has the label 11");
  ExpectInvalid(ReadDataset(Cifar(2), kLabels), "CIFAR-10 hold their own");
  const std::string images = BigEndian({0x803, 2, 1, 2}) + "abcd";
  ExpectInvalid(ReadDataset(images, ""), "labels");
  ExpectInvalid(ReadDataset(images.substr(0, 19), kLabels), "[2,1,2] does not have 3 bytes");
  ExpectInvalid(ReadDataset(images.substr(0, 9), kLabels), "inside its header");
  ExpectInvalid(ReadDataset(BigEndian({0x803, 0, 28, 28}), kLabels), "no samples");
  ExpectInvalid(ReadDataset(BigEndian({0x803, 0xffffffff, 0xffffffff, 0xffffffff}), kLabels),
                "does not have 0");
  ExpectInvalid(ReadDataset(images, images), "0x00000801");
}

}  // namespace
}  // namespace espalier::formats
