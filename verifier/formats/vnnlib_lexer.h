// Tokens of VNN-LIB (SMT-LIB s-expressions) with their place in the text.
//
//   VnnlibLexer lexer("(assert (<= X_0 1e-3)) ; comment");
//   for (Token t = lexer.Next(); t.kind != TokenKind::kEnd; t = lexer.Next()) ...
//
// Tokens are views into the text, which must outlive them. Nothing is copied and nothing recurses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace espalier::formats {

enum class TokenKind : uint8_t { kOpen, kClose, kWord, kString, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // kWord, kString: as written
  int64_t line = 1;       // 1-based; columns count bytes
  int64_t column = 1;
};

class VnnlibLexer {
 public:
  explicit VnnlibLexer(std::string_view text) : text_(text) {}

  // Skips blanks and ';' comments. After the last token: kEnd, placed behind the text, again and again.
  Token Next();

 private:
  std::string_view text_;
  size_t position_ = 0;
  size_t line_start_ = 0;
  int64_t line_ = 1;
};

// "line L, column C: what", INVALID_ARGUMENT unless another code is given.
absl::Status ErrorAt(const Token& token, std::string_view what,
                     absl::StatusCode code = absl::StatusCode::kInvalidArgument);

// The token for an error message: printable, at most 40 characters, in single quotes; "end of file" at the
// end.
std::string Quoted(const Token& token);

}  // namespace espalier::formats
