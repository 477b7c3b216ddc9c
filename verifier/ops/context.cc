#include "absl/strings/str_cat.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {
namespace {

const ir::Attribute* Find(const ir::GraphNode& node, std::string_view name) {
  const auto it = node.attributes.find(std::string(name));
  return it == node.attributes.end() ? nullptr : &it->second;
}

// The attribute as T, `fallback` when the node does not have it, an error when it has another type.
template <class T>
absl::StatusOr<T> Read(const OpContext& context, std::string_view name, T fallback, const char* expected) {
  const ir::Attribute* attribute = Find(context.node(), name);
  if (attribute == nullptr) return fallback;
  const T* value = std::get_if<T>(attribute);
  if (value == nullptr) {
    return context.Invalid(absl::StrCat("attribute '", std::string(name), "' is not ", expected));
  }
  return *value;
}

std::string Describe(const ir::GraphNode& node, std::string_view what) {
  return absl::StrCat("node '", node.name, "' (", node.op, "): ", std::string(what));
}

}  // namespace

absl::StatusOr<int64_t> OpContext::Int(std::string_view name, int64_t fallback) const {
  return Read<int64_t>(*this, name, fallback, "an integer");
}

absl::StatusOr<double> OpContext::Float(std::string_view name, double fallback) const {
  return Read<double>(*this, name, fallback, "a float");
}

absl::StatusOr<std::string> OpContext::String(std::string_view name, std::string fallback) const {
  return Read<std::string>(*this, name, std::move(fallback), "a string");
}

absl::StatusOr<std::vector<int64_t>> OpContext::Ints(std::string_view name,
                                                     std::vector<int64_t> fallback) const {
  return Read<std::vector<int64_t>>(*this, name, std::move(fallback), "a list of integers");
}

bool OpContext::Has(std::string_view name) const {
  return Find(node_, name) != nullptr;
}

bool OpContext::HasInput(int i) const {
  return i >= 0 && i < input_count() && node_.inputs[static_cast<size_t>(i)] != ir::kNoValue;
}

const Tensor* OpContext::Constant(int i) const {
  if (!HasInput(i)) return nullptr;
  const auto& constant = graph_.values[static_cast<size_t>(node_.inputs[static_cast<size_t>(i)])].constant;
  return constant.has_value() ? &*constant : nullptr;
}

const Shape& OpContext::InputShape(int i) const {
  return *graph_.values[static_cast<size_t>(node_.inputs[static_cast<size_t>(i)])].shape;
}

ElementType OpContext::InputType(int i) const {
  return graph_.values[static_cast<size_t>(node_.inputs[static_cast<size_t>(i)])].type;
}

absl::Status OpContext::Invalid(std::string_view what) const {
  return absl::InvalidArgumentError(Describe(node_, what));
}

absl::Status OpContext::Unsupported(std::string_view what) const {
  return absl::UnimplementedError(Describe(node_, what));
}

}  // namespace espalier::ops
