#include "verifier/formats/npy_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/test_files.h"

namespace espalier::formats {
namespace {

using test_support::ReadFile;

// Arrays that numpy wrote.
std::string Seed(const std::string& name) {
  return ReadFile(test_support::SourceFolder() / "tests/fuzz/corpus/npy" / name);
}

Tensor Read(const std::string& bytes) {
  absl::StatusOr<Tensor> tensor = ReadNpy(bytes);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return tensor.ok() ? *std::move(tensor) : Tensor{};
}

// A version 1.0 file with the given dictionary and data.
std::string File(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  file += static_cast<char>(dictionary.size() & 0xff);
  file += static_cast<char>(dictionary.size() >> 8);
  if (version > 1) file.append(2, '\0');
  return file + dictionary + data;
}

std::string Dictionary(const std::string& descr, const std::string& shape) {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': ", shape, ", }");
}

TEST(NpyReaderTest, ReadsWhatNumpyWrote) {
  const Tensor f4 = Read(Seed("f4.npy"));
  EXPECT_EQ(f4.type, ElementType::kFloat32);
  EXPECT_EQ(f4.shape, (Shape{2, 3}));
  EXPECT_EQ(f4.ToDoubles(), (std::vector<double>{1, 2.5, -3, 4, 5, 6}));
  const Tensor f8 = Read(Seed("f8.npy"));
  EXPECT_EQ(f8.type, ElementType::kFloat64);
  EXPECT_EQ(f8.shape, Shape{});
  EXPECT_EQ(f8.AsDouble(0), 0.1);
  const Tensor i4 = Read(Seed("i4.npy"));
  EXPECT_EQ(i4.type, ElementType::kInt32);
  EXPECT_EQ(i4.ToInts(), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(Read(Seed("i8.npy")).ToInts(), (std::vector<int64_t>{int64_t{1} << 40}));
  EXPECT_EQ(Read(Seed("u1.npy")).ToInts(), (std::vector<int64_t>{0, 255}));
  const Tensor b1 = Read(Seed("b1.npy"));
  EXPECT_EQ(b1.type, ElementType::kBool);
  EXPECT_EQ(b1.ToInts(), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(Read(Seed("empty.npy")).shape, (Shape{3, 0}));
}

TEST(NpyReaderTest, FortranOrderBecomesRowMajor) {
  const Tensor tensor = Read(Seed("fortran.npy"));
  EXPECT_NE(Seed("fortran.npy").find("'fortran_order': True"), std::string::npos);
  EXPECT_EQ(tensor.shape, (Shape{2, 3, 4}));
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(tensor.AsDouble(i), static_cast<double>(i));
}

TEST(NpyReaderTest, Versions2And3) {
  const std::string data(8, '\0');
  for (const int version : {2, 3}) {
    EXPECT_EQ(Read(File(Dictionary("<f4", "(2,)"), data, version)).shape, Shape{2});
  }
  EXPECT_EQ(ReadNpy(File(Dictionary("<f4", "(2,)"), data, 4)).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(NpyReaderTest, DictionaryInAnyOrderAndSpelling) {
  const std::string text = "{\"shape\": (2 , 1L), 'fortran_order':False,'descr' : '|u1'}  \n";
  EXPECT_EQ(Read(File(text, "ab")).shape, (Shape{2, 1}));
  EXPECT_EQ(Read(File(Dictionary("<u1", "(1,)"), "a")).AsInt(0), 'a');
}

TEST(NpyReaderTest, BooleansAreZeroOrOne) {
  EXPECT_EQ(Read(File(Dictionary("|b1", "(3,)"), std::string("\0\1\7", 3))).ToInts(),
            (std::vector<int64_t>{0, 1, 1}));
}

TEST(NpyReaderTest, OtherElementTypesAreUnimplemented) {
  for (const char* descr : {">f4", "<f2", "<c8", "|S5", "<U3", "|O", "<M8[ns]", "|f4x", "=f4", ""}) {
    const absl::Status status = ReadNpy(File(Dictionary(descr, "(0,)"), "")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << descr << " " << status;
  }
  const std::string records = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
  EXPECT_EQ(ReadNpy(File(records, "abcd")).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(NpyReaderTest, DamagedHeaders) {
  const std::vector<std::string> dictionaries = {
      "",
      "{",
      "{}",
      "{'descr'}",
      "{'descr': }",
      "{'descr': '<f4",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
      "{'descr': '<f4', 'fortran_order': Maybe, 'shape': ()}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (}",
      Dictionary("<f4", "(-1,)"),
      Dictionary("<f4", "(1 2)"),
      Dictionary("<f4", "(99999999999999999999,)"),
      Dictionary("<f4", "3"),
      Dictionary("<f4", "(x,)"),
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}"};
  for (const std::string& text : dictionaries) {
    EXPECT_EQ(ReadNpy(File(text, "abcd")).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(NpyReaderTest, EveryTruncationIsAnError) {
  const std::string whole = Seed("f4.npy");
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(ReadNpy(whole.substr(0, length)).status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
}

TEST(NpyReaderTest, SizesAreCheckedBeforeTheyAreUsed) {
  for (const char* shape : {"(1000000000000,)", "(4294967296, 4294967296)", "(9223372036854775807, 2)"}) {
    EXPECT_EQ(ReadNpy(File(Dictionary("<f4", shape), "abcd")).status().code(),
              absl::StatusCode::kResourceExhausted)
        << shape;
  }
  EXPECT_EQ(ReadNpy(File(Dictionary("<f4", "(2,)"), "abcd")).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::string many = "(";
  for (int i = 0; i < 100; ++i) many += "1, ";
  EXPECT_EQ(ReadNpy(File(Dictionary("<f4", many + ")"), "abcd")).status().code(),
            absl::StatusCode::kResourceExhausted);
  NpyLimits limits;
  limits.elements = 1;
  EXPECT_EQ(ReadNpy(File(Dictionary("<f4", "(2,)"), "abcdefgh"), limits).status().code(),
            absl::StatusCode::kResourceExhausted);
  const std::string zero_among_huge =
      "{'descr': '<f4', 'fortran_order': True, 'shape': (0, 4611686018427387904, 4611686018427387904)}";
  EXPECT_TRUE(ReadNpy(File(zero_among_huge, "")).ok());
}

TEST(NpyReaderTest, NanAndInfinityAreKept) {
  const std::vector<double> values = {std::nan(""), std::numeric_limits<double>::infinity(), -0.0};
  const Tensor tensor = Read(*WriteNpy(Tensor::FromDoubles({3}, values)));
  EXPECT_TRUE(std::isnan(tensor.AsDouble(0)));
  EXPECT_EQ(tensor.AsDouble(1), values[1]);
  EXPECT_TRUE(std::signbit(tensor.AsDouble(2)));
}

TEST(NpyWriterTest, WritesTheBytesThatNumpyWrites) {
  for (const char* name : {"f4.npy", "f8.npy", "i4.npy", "i8.npy", "b1.npy", "empty.npy"}) {
    const std::string bytes = Seed(name);
    const absl::StatusOr<std::string> written = WriteNpy(Read(bytes));
    ASSERT_TRUE(written.ok()) << name;
    EXPECT_EQ(*written, bytes) << name;
  }
}

TEST(NpyWriterTest, RefusesTensorsThatContradictThemselves) {
  EXPECT_EQ(WriteNpy(Tensor::FromFloats({3}, {1, 2})).status().code(), absl::StatusCode::kInvalidArgument);
  Tensor tensor = Tensor::FromFloats({1}, {1});
  tensor.type = ElementType::kInt64;
  EXPECT_EQ(WriteNpy(tensor).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace espalier::formats
