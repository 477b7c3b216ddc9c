#include "verifier/formats/npy_header.h"

#include <charconv>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/npy_bytes.h"

namespace espalier::formats {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("npy: ", what));
}

// Reads the dictionary from front to back; every method leaves the position behind what it read.
class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text) : text_(text) {}

  bool Accept(char wanted) {
    SkipBlanks();
    if (position_ >= text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }

  absl::StatusOr<std::string> Quoted() {
    SkipBlanks();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') return Invalid("the header holds no quoted string where one is due");
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return Invalid("the header ends inside a string");
    const std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return value;
  }

  absl::StatusOr<bool> Boolean() {
    SkipBlanks();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      return value;
    }
    return Invalid("fortran_order is neither True nor False");
  }

  absl::StatusOr<Shape> Dimensions() {
    if (!Accept('(')) return Invalid("the shape is no tuple");
    Shape shape;
    while (!Accept(')')) {
      SkipBlanks();
      int64_t dimension = 0;
      const char* begin = text_.data() + position_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), dimension);
      if (error != std::errc() || dimension < 0) return Invalid("the shape holds something else than sizes");
      position_ += static_cast<size_t>(end - begin);
      Accept('L');  // Python 2 wrote 3L
      shape.push_back(dimension);
      if (Accept(',')) continue;
      if (!Accept(')')) return Invalid("the shape is not closed");
      break;
    }
    return shape;
  }

 private:
  void SkipBlanks() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }

  std::string_view text_;
  size_t position_ = 0;
};

absl::Status ParseDictionary(std::string_view text, NpyHeader& header) {
  DictionaryReader reader(text);
  if (!reader.Accept('{')) return Invalid("the header is no dictionary");
  bool descr = false, order = false, shape = false;
  while (!reader.Accept('}')) {
    ESPALIER_ASSIGN_OR_RETURN(const std::string key, reader.Quoted());
    if (!reader.Accept(':')) return Invalid("the header lacks a colon");
    if (key == "descr" && !descr) {
      if (reader.Accept('[')) return absl::UnimplementedError("npy: arrays of records are not supported");
      ESPALIER_ASSIGN_OR_RETURN(header.descr, reader.Quoted());
      descr = true;
    } else if (key == "fortran_order" && !order) {
      ESPALIER_ASSIGN_OR_RETURN(header.fortran_order, reader.Boolean());
      order = true;
    } else if (key == "shape" && !shape) {
      ESPALIER_ASSIGN_OR_RETURN(header.shape, reader.Dimensions());
      shape = true;
    } else {
      return Invalid("the header holds an unknown or repeated key");
    }
    if (reader.Accept(',')) continue;
    if (!reader.Accept('}')) return Invalid("the header's dictionary is not closed");
    break;
  }
  if (!descr || !order || !shape) return Invalid("the header lacks descr, fortran_order or shape");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view bytes) {
  constexpr size_t kVersionEnd = 8;
  if (bytes.size() < kVersionEnd + 2 || bytes.substr(0, kMagic.size()) != kMagic) {
    return Invalid("the bytes are no .npy file");
  }
  const int major = static_cast<unsigned char>(bytes[kMagic.size()]);
  if (major < 1 || major > 3) return absl::UnimplementedError(absl::StrCat("npy: format version ", major));
  const size_t length_bytes = major == 1 ? 2 : 4;
  if (bytes.size() < kVersionEnd + length_bytes) return Invalid("the file ends inside its header");
  const size_t length =
      major == 1 ? LoadLittle<uint16_t>(bytes, kVersionEnd) : LoadLittle<uint32_t>(bytes, kVersionEnd);
  NpyHeader header;
  header.data_offset = kVersionEnd + length_bytes + length;
  if (header.data_offset > bytes.size()) return Invalid("the file ends inside its header");
  ESPALIER_RETURN_IF_ERROR(ParseDictionary(bytes.substr(kVersionEnd + length_bytes, length), header));
  return header;
}

std::string FormatNpyHeader(std::string_view descr, const Shape& shape) {
  std::string dimensions;
  for (const int64_t d : shape) absl::StrAppend(&dimensions, d, ", ");
  if (shape.size() > 1) dimensions.resize(dimensions.size() - 2);  // (3,) but (3, 4)
  if (shape.size() == 1) dimensions.pop_back();
  std::string dictionary = absl::StrCat("{'descr': '", absl::string_view(descr.data(), descr.size()),
                                        "', 'fortran_order': False, 'shape': (", dimensions, "), }");
  constexpr size_t kPrefix = 10, kAlignment = 64;
  const size_t unpadded = kPrefix + dictionary.size() + 1;
  dictionary.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  dictionary.push_back('\n');
  std::string header(kMagic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8 & 0xff);
  return header + dictionary;
}

}  // namespace espalier::formats
