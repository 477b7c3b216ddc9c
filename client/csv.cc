#include "client/csv.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace espalier::client {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {
    constexpr char kByteOrderMark[] = "\xef\xbb\xbf";
    if (text_.rfind(kByteOrderMark, 0) == 0) at_ = 3;
  }

  absl::StatusOr<std::vector<CsvRow>> Parse() {
    while (at_ < text_.size()) {
      CsvRow row{.line = line_, .cells = {}};
      bool more = true;
      while (more) {
        std::string cell;
        if (absl::Status status = Cell(cell); !status.ok()) return status;
        row.cells.push_back(std::move(cell));
        more = at_ < text_.size() && text_[at_] == ',';
        if (more) ++at_;
      }
      EndLine();
      if (row.cells.size() > 1 || !row.cells.front().empty()) rows_.push_back(std::move(row));
    }
    return std::move(rows_);
  }

 private:
  bool AtCellEnd() const {
    return at_ >= text_.size() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r';
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  absl::Status Cell(std::string& cell) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != '"') {
      while (!AtCellEnd()) cell += text_[at_++];
      cell = std::string(absl::StripAsciiWhitespace(cell));
      return absl::OkStatus();
    }
    const int begun = line_;
    ++at_;
    while (true) {
      if (at_ >= text_.size())
        return absl::InvalidArgumentError(absl::StrCat("line ", begun, ": a quote does not end"));
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        cell += c;
      } else if (at_ < text_.size() && text_[at_] == '"') {
        cell += text_[at_++];
      } else {
        break;
      }
    }
    SkipBlanks();
    if (AtCellEnd()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": text after a quoted cell"));
  }

  void EndLine() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  const std::string& text_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<CsvRow> rows_;
};

}  // namespace

absl::StatusOr<std::vector<CsvRow>> ParseCsv(const std::string& text) {
  return Parser(text).Parse();
}

std::string CsvLine(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    const std::string& cell = cells[i];
    const bool blank_ends = !cell.empty() && (cell.front() == ' ' || cell.back() == ' ');
    if (cell.find_first_of(",\"\r\n") == std::string::npos && !blank_ends) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line + "\n";
}

}  // namespace espalier::client
