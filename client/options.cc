#include "client/options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace espalier::client {

absl::Status SetOption(const std::string& assignment, v1::Options& options) {
  using google::protobuf::FieldDescriptor;
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("option '", assignment, "': write NAME=VALUE"));
  }
  const std::string name = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  const google::protobuf::Descriptor& fields = *v1::Options::descriptor();
  const FieldDescriptor* field = fields.FindFieldByName(name);
  if (field == nullptr) {
    std::string known;
    for (int i = 0; i < fields.field_count(); ++i)
      absl::StrAppend(&known, i > 0 ? ", " : "", fields.field(i)->name());
    return absl::InvalidArgumentError(absl::StrCat("no option is called '", name, "'; there are ", known));
  }
  double number = 0;
  int64_t whole = 0;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE && absl::SimpleAtod(value, &number)) {
    options.GetReflection()->SetDouble(&options, field, number);
    return absl::OkStatus();
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 && absl::SimpleAtoi(value, &whole)) {
    options.GetReflection()->SetInt64(&options, field, whole);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("option ", name, ": '", value, "' is not a ",
                   field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 ? "whole " : "", "number"));
}

}  // namespace espalier::client
