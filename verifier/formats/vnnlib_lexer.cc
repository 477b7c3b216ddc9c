#include "verifier/formats/vnnlib_lexer.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace espalier::formats {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

bool EndsWord(char c) {
  return IsBlank(c) || c == '(' || c == ')' || c == ';' || c == '"';
}

}  // namespace

Token VnnlibLexer::Next() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '\n') {
      ++line_;
      line_start_ = position_ + 1;
    } else if (c == ';') {
      const size_t end = text_.find('\n', position_);
      position_ = end == std::string_view::npos ? text_.size() : end;
      continue;
    } else if (!IsBlank(c)) {
      break;
    }
    ++position_;
  }
  Token token;
  token.line = line_;
  token.column = static_cast<int64_t>(position_ - line_start_) + 1;
  if (position_ >= text_.size()) return token;
  const size_t begin = position_++;
  if (text_[begin] == '(') {
    token.kind = TokenKind::kOpen;
  } else if (text_[begin] == ')') {
    token.kind = TokenKind::kClose;
  } else if (text_[begin] == '"') {
    token.kind = TokenKind::kString;
    for (; position_ < text_.size() && text_[position_] != '"'; ++position_) {
      if (text_[position_] != '\n') continue;
      ++line_;
      line_start_ = position_ + 1;
    }
    if (position_ < text_.size()) ++position_;
  } else {
    token.kind = TokenKind::kWord;
    while (position_ < text_.size() && !EndsWord(text_[position_])) ++position_;
  }
  token.text = text_.substr(begin, position_ - begin);
  return token;
}

absl::Status ErrorAt(const Token& token, std::string_view what, absl::StatusCode code) {
  return absl::Status(code, absl::StrCat("line ", token.line, ", column ", token.column, ": ",
                                         absl::string_view(what.data(), what.size())));
}

std::string Quoted(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "end of file";
  constexpr size_t kShown = 40;
  const std::string_view shown = token.text.substr(0, kShown);
  const std::string escaped = absl::CHexEscape(absl::string_view(shown.data(), shown.size()));
  return absl::StrCat("'", escaped, token.text.size() > kShown ? "..." : "", "'");
}

}  // namespace espalier::formats
