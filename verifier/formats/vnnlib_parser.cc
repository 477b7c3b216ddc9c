#include "verifier/formats/vnnlib_parser.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/vnnlib_lexer.h"
#include "verifier/formats/vnnlib_linear.h"

namespace espalier::formats {
namespace {

constexpr size_t kMaxDepth = 10'000;
constexpr int64_t kMaxTermSteps = int64_t{1} << 30;

enum class Operator : uint8_t { kAnd, kOr, kLess, kGreater, kEqual, kSum, kDifference, kProduct, kQuotient };

struct OperatorRow {
  std::string_view name;
  Operator op;
  bool strict;
};
constexpr OperatorRow kOperators[] = {
    {"<=", Operator::kLess, false},   {">=", Operator::kGreater, false}, {"and", Operator::kAnd, false},
    {"or", Operator::kOr, false},     {"<", Operator::kLess, true},      {">", Operator::kGreater, true},
    {"=", Operator::kEqual, false},   {"+", Operator::kSum, false},      {"-", Operator::kDifference, false},
    {"*", Operator::kProduct, false}, {"/", Operator::kQuotient, false},
};

const OperatorRow* FindOperator(std::string_view name) {
  for (const OperatorRow& row : kOperators) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

bool IsConnective(Operator op) {
  return op == Operator::kAnd || op == Operator::kOr;
}
bool IsComparison(Operator op) {
  return op == Operator::kLess || op == Operator::kGreater || op == Operator::kEqual;
}

// The nearest double of a decimal; nullopt when the text is no decimal or overflows.
std::optional<double> ParseDecimal(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const size_t first = !text.empty() && text.front() == '-' ? 1 : 0;
  if (first >= text.size() || (text[first] != '.' && (text[first] < '0' || text[first] > '9')))
    return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  // Out of range is overflow or underflow; strtod tells them apart.
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

// An expression whose closing parenthesis has not been read yet.
struct Frame {
  Operator op = Operator::kAnd;
  bool strict = false;
  Token token;             // the operator
  int32_t node = kNoNode;  // connectives: their node and its last child so far
  int32_t last_child = kNoNode;
  int64_t count = 0;            // operands so far
  LinearExpression expression;  // comparisons: left minus right
};

class Parser {
 public:
  Parser(std::string_view text, int64_t input_size, int64_t output_size)
      : lexer_(text), input_size_(input_size), output_size_(output_size) {
    declared_.resize(static_cast<size_t>(input_size + output_size), false);
    // An upper bound for what real files need; pages that stay unused cost nothing.
    formula_.nodes.reserve(text.size() / 12 + 8);
  }

  absl::StatusOr<Formula> Run();

 private:
  absl::Status Command(const Token& open);
  absl::Status Declare(bool function);
  absl::Status SkipCommand(const Token& open);
  absl::Status Assert();
  absl::Status Open(const Token& open);
  absl::Status Close(const Token& close);
  absl::Status Word(const Token& token);
  absl::Status Operand(Frame& frame, LinearExpression operand, const Token& token);
  absl::Status EmitComparison(Frame& frame);
  absl::Status EmitLessEqual(LinearExpression expression, bool strict, Frame& parent, const Token& token);
  int32_t Attach(FormulaNode node, Frame& parent);
  absl::StatusOr<int32_t> Variable(const Token& token);
  absl::Status Expect(TokenKind kind, std::string_view what);
  absl::Status Finish();

  VnnlibLexer lexer_;
  const int64_t input_size_;
  const int64_t output_size_;
  Formula formula_;
  std::vector<bool> declared_;
  int64_t declared_inputs_ = 0;
  int64_t declared_outputs_ = 0;
  std::vector<Frame> stack_;  // [0] is the conjunction of all asserts
  int64_t term_steps_ = 0;
  int64_t strict_count_ = 0;
  Token first_strict_;
};

absl::StatusOr<Formula> Parser::Run() {
  formula_.nodes.push_back({});
  stack_.push_back({});
  stack_.front().node = 0;
  for (Token token = lexer_.Next(); token.kind != TokenKind::kEnd; token = lexer_.Next()) {
    if (token.kind != TokenKind::kOpen) {
      return ErrorAt(token, absl::StrCat("expected a command such as (assert ...), found ", Quoted(token)));
    }
    ESPALIER_RETURN_IF_ERROR(Command(token));
  }
  ESPALIER_RETURN_IF_ERROR(Finish());
  return std::move(formula_);
}

absl::Status Parser::Command(const Token& open) {
  const Token name = lexer_.Next();
  if (name.text == "assert") return Assert();
  if (name.text == "declare-const") return Declare(false);
  if (name.text == "declare-fun") return Declare(true);
  if (name.text == "vnnlib-version" || name.text == "declare-network") {
    return ErrorAt(name, "this is VNN-LIB 2; VNN-LIB 1 is what can be read",
                   absl::StatusCode::kUnimplemented);
  }
  // Commands of SMT-LIB scripts that say nothing about the query.
  for (const char* ignored : {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}) {
    if (name.text == ignored) return SkipCommand(open);
  }
  return ErrorAt(name, absl::StrCat("unknown command ", Quoted(name)));
}

absl::Status Parser::SkipCommand(const Token& open) {
  for (int64_t depth = 1; depth > 0;) {
    const Token token = lexer_.Next();
    if (token.kind == TokenKind::kEnd) return ErrorAt(open, "this parenthesis is never closed");
    if (token.kind == TokenKind::kOpen) ++depth;
    if (token.kind == TokenKind::kClose) --depth;
  }
  return absl::OkStatus();
}

absl::Status Parser::Expect(TokenKind kind, std::string_view what) {
  const Token token = lexer_.Next();
  if (token.kind == kind) return absl::OkStatus();
  return ErrorAt(token, absl::StrCat("expected ", absl::string_view(what.data(), what.size()), ", found ",
                                     Quoted(token)));
}

absl::Status Parser::Declare(bool function) {
  const Token name = lexer_.Next();
  ESPALIER_ASSIGN_OR_RETURN(const int32_t variable, Variable(name));
  if (function) {
    ESPALIER_RETURN_IF_ERROR(Expect(TokenKind::kOpen, "()"));
    ESPALIER_RETURN_IF_ERROR(Expect(TokenKind::kClose, "() (functions with arguments have no meaning here)"));
  }
  const Token sort = lexer_.Next();
  if (sort.text != "Real") return ErrorAt(sort, absl::StrCat("expected the sort Real, found ", Quoted(sort)));
  if (declared_[static_cast<size_t>(variable)]) return ErrorAt(name, Quoted(name) + " is declared twice");
  declared_[static_cast<size_t>(variable)] = true;
  ++(variable < input_size_ ? declared_inputs_ : declared_outputs_);
  return Expect(TokenKind::kClose, "')'");
}

absl::StatusOr<int32_t> Parser::Variable(const Token& token) {
  const std::string_view text = token.text;
  const bool shaped = token.kind == TokenKind::kWord && text.size() > 2 &&
                      (text[0] == 'X' || text[0] == 'Y') && text[1] == '_' &&
                      (text[2] != '0' || text.size() == 3);
  int64_t index = 0;
  const char* end = text.data() + text.size();
  const auto parsed = shaped ? std::from_chars(text.data() + 2, end, index) : std::from_chars_result{};
  if (!shaped || text[2] == '-' || parsed.ptr != end) {
    return ErrorAt(token, absl::StrCat("unknown variable ", Quoted(token), " (X_i and Y_i are known)"));
  }
  const bool input = text[0] == 'X';
  const int64_t size = input ? input_size_ : output_size_;
  if (parsed.ec != std::errc() || index >= size) {
    return ErrorAt(token, absl::StrCat(Quoted(token), " is outside the network, which has ", size,
                                       input ? " inputs" : " outputs"));
  }
  return static_cast<int32_t>(input ? index : input_size_ + index);
}

absl::Status Parser::Assert() {
  const size_t floor = stack_.size();
  do {
    const Token token = lexer_.Next();
    switch (token.kind) {
      case TokenKind::kOpen:
        ESPALIER_RETURN_IF_ERROR(Open(token));
        break;
      case TokenKind::kClose:
        ESPALIER_RETURN_IF_ERROR(Close(token));
        break;
      case TokenKind::kWord:
        ESPALIER_RETURN_IF_ERROR(Word(token));
        break;
      case TokenKind::kString:
        return ErrorAt(token, "a string has no meaning here");
      case TokenKind::kEnd:
        return ErrorAt(token, absl::StrCat("the file ends inside an assert; the expression of line ",
                                           stack_.back().token.line, " is not closed"));
    }
  } while (stack_.size() > floor);
  return Expect(TokenKind::kClose, "')' at the end of the assert");
}

absl::Status Parser::Open(const Token& open) {
  const Token name = lexer_.Next();
  const OperatorRow* row = name.kind == TokenKind::kWord ? FindOperator(name.text) : nullptr;
  if (row == nullptr) {
    for (const char* logic : {"not", "=>", "xor", "ite", "let", "forall", "exists", "distinct"}) {
      if (name.text != logic) continue;
      return ErrorAt(name, Quoted(name) + " is not supported; write the query with and, or, <=, >=",
                     absl::StatusCode::kUnimplemented);
    }
    return ErrorAt(name, absl::StrCat("expected an operator, found ", Quoted(name)));
  }
  Frame& parent = stack_.back();
  const bool wants_formula = IsConnective(parent.op);
  if (wants_formula != (IsConnective(row->op) || IsComparison(row->op))) {
    return ErrorAt(name,
                   absl::StrCat("expected ", wants_formula ? "and, or or a comparison" : "a linear term",
                                ", found ", Quoted(name)));
  }
  if (stack_.size() >= kMaxDepth) {
    return ErrorAt(open, absl::StrCat("parentheses nest deeper than ", kMaxDepth));
  }
  Frame frame;
  frame.op = row->op;
  frame.strict = row->strict;
  frame.token = name;
  if (IsConnective(row->op)) {
    FormulaNode node;
    node.kind = row->op == Operator::kAnd ? FormulaKind::kAnd : FormulaKind::kOr;
    frame.node = Attach(node, parent);
  }
  if (row->strict && strict_count_++ == 0) first_strict_ = name;
  stack_.push_back(std::move(frame));
  return absl::OkStatus();
}

absl::Status Parser::Close(const Token& close) {
  if (stack_.size() == 1) return ErrorAt(close, "expected a formula, found ')'");
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  if (IsConnective(frame.op)) return absl::OkStatus();
  if (IsComparison(frame.op)) {
    if (frame.count != 2) {
      return ErrorAt(frame.token,
                     absl::StrCat(Quoted(frame.token), " takes two terms, here are ", frame.count));
    }
    return EmitComparison(frame);
  }
  if (frame.count == 0 || (frame.op == Operator::kQuotient && frame.count == 1)) {
    return ErrorAt(frame.token, Quoted(frame.token) + " lacks operands");
  }
  if (frame.op == Operator::kDifference && frame.count == 1) frame.expression.Scale(-1);
  return Operand(stack_.back(), std::move(frame.expression), frame.token);
}

absl::Status Parser::Word(const Token& token) {
  Frame& frame = stack_.back();
  if (IsConnective(frame.op)) {
    if (token.text != "true" && token.text != "false") {
      return ErrorAt(token, absl::StrCat("expected a formula, found ", Quoted(token)));
    }
    FormulaNode node;
    node.kind = token.text == "true" ? FormulaKind::kAnd : FormulaKind::kOr;
    Attach(node, frame);
    return absl::OkStatus();
  }
  LinearExpression operand;
  const char first = token.text.front();
  if ((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z')) {
    ESPALIER_ASSIGN_OR_RETURN(const int32_t variable, Variable(token));
    if (!declared_[static_cast<size_t>(variable)]) return ErrorAt(token, Quoted(token) + " is not declared");
    operand.terms.emplace_back(variable, 1.0);
  } else {
    const std::optional<double> value = ParseDecimal(token.text);
    if (!value)
      return ErrorAt(token, absl::StrCat("expected a finite decimal or a variable, found ", Quoted(token)));
    operand.constant = *value;
  }
  return Operand(frame, std::move(operand), token);
}

absl::Status Parser::Operand(Frame& frame, LinearExpression operand, const Token& token) {
  LinearExpression& sum = frame.expression;
  term_steps_ += static_cast<int64_t>(operand.terms.size() + 1);
  if (frame.op == Operator::kProduct) term_steps_ += static_cast<int64_t>(sum.terms.size());
  if (term_steps_ > kMaxTermSteps) {
    return ErrorAt(token, "the linear terms take too much arithmetic", absl::StatusCode::kResourceExhausted);
  }
  if (frame.count++ == 0) {
    sum = std::move(operand);
    return absl::OkStatus();
  }
  switch (frame.op) {
    case Operator::kProduct:
      if (!sum.IsConstant() && !operand.IsConstant()) {
        return ErrorAt(token, "a product of two variables is not linear");
      }
      if (sum.IsConstant()) std::swap(sum, operand);
      sum.Scale(operand.constant);
      return absl::OkStatus();
    case Operator::kQuotient:
      if (!operand.IsConstant()) return ErrorAt(token, "division by a variable is not linear");
      if (operand.constant == 0) return ErrorAt(token, "division by zero");
      sum.Divide(operand.constant);
      return absl::OkStatus();
    case Operator::kSum:
      sum.Add(std::move(operand));
      return absl::OkStatus();
    default:  // differences and comparisons
      operand.Scale(-1);
      sum.Add(std::move(operand));
      return absl::OkStatus();
  }
}

int32_t Parser::Attach(FormulaNode node, Frame& parent) {
  const int32_t index = static_cast<int32_t>(formula_.nodes.size());
  formula_.nodes.push_back(node);
  FormulaNode& owner = formula_.nodes[static_cast<size_t>(parent.node)];
  if (parent.last_child == kNoNode) {
    owner.link = index;
  } else {
    formula_.nodes[static_cast<size_t>(parent.last_child)].next = index;
  }
  parent.last_child = index;
  return index;
}

absl::Status Parser::EmitComparison(Frame& frame) {
  Frame& parent = stack_.back();
  frame.expression.Normalise();
  if (!frame.expression.IsFinite()) return ErrorAt(frame.token, "a coefficient or constant is not finite");
  if (frame.op == Operator::kLess) {
    return EmitLessEqual(std::move(frame.expression), frame.strict, parent, frame.token);
  }
  LinearExpression negated = frame.expression;
  negated.Scale(-1);
  if (frame.op == Operator::kGreater)
    return EmitLessEqual(std::move(negated), frame.strict, parent, frame.token);
  Frame both;
  both.node = Attach(FormulaNode{}, parent);
  ESPALIER_RETURN_IF_ERROR(EmitLessEqual(std::move(frame.expression), false, both, frame.token));
  return EmitLessEqual(std::move(negated), false, both, frame.token);
}

// expression <= 0 becomes a truth value, a bound on an input or a row.
absl::Status Parser::EmitLessEqual(LinearExpression expression, bool strict, Frame& parent,
                                   const Token& token) {
  FormulaNode node;
  node.strict = strict;
  if (expression.IsConstant()) {
    const bool holds = strict ? expression.constant < 0 : expression.constant <= 0;
    node.kind = holds ? FormulaKind::kAnd : FormulaKind::kOr;
  } else if (expression.terms.size() == 1 && expression.terms[0].first < input_size_) {
    const auto [variable, coefficient] = expression.terms[0];
    node.kind = coefficient > 0 ? FormulaKind::kUpper : FormulaKind::kLower;
    node.link = variable;
    node.value = -expression.constant / coefficient + 0.0;  // + 0.0 turns -0 into 0
    if (!std::isfinite(node.value)) return ErrorAt(token, "the bound is not finite");
  } else {
    node.kind = FormulaKind::kRow;
    node.link = static_cast<int32_t>(formula_.rows.size());
    FormulaRow row;
    row.terms.assign(expression.terms.begin(), expression.terms.end());
    row.rhs = -expression.constant + 0.0;
    row.strict = strict;
    formula_.rows.push_back(std::move(row));
  }
  Attach(node, parent);
  return absl::OkStatus();
}

absl::Status Parser::Finish() {
  const Token end = lexer_.Next();
  if (declared_inputs_ != input_size_ || declared_outputs_ != output_size_) {
    return ErrorAt(end,
                   absl::StrCat("the query declares ", declared_inputs_, " inputs and ", declared_outputs_,
                                " outputs, the network has ", input_size_, " and ", output_size_));
  }
  if (strict_count_ > 0) {
    formula_.warnings.push_back(absl::StrCat(
        strict_count_, " strict comparisons (the first at line ", first_strict_.line, ", column ",
        first_strict_.column, "): unsat is shown for <= and >=, a counterexample satisfies < and >"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Formula> ParseVnnlib(std::string_view text, int64_t input_size, int64_t output_size) {
  if (input_size < 0 || output_size < 0 || input_size > INT32_MAX - output_size) {
    return absl::InvalidArgumentError(absl::StrCat("a network with ", input_size, " inputs and ", output_size,
                                                   " outputs is too large for a query"));
  }
  return Parser(text, input_size, output_size).Run();
}

}  // namespace espalier::formats
