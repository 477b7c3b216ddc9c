#include "client/options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"

namespace espalier::client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status SetField(const std::string& value, const FieldDescriptor* field, Message& message) {
  double number = 0;
  int64_t whole = 0;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE && absl::SimpleAtod(value, &number)) {
    message.GetReflection()->SetDouble(&message, field, number);
    return absl::OkStatus();
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 && absl::SimpleAtoi(value, &whole)) {
    message.GetReflection()->SetInt64(&message, field, whole);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("option ", field->name(), ": '", value, "' is not a ",
                   field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 ? "whole " : "", "number"));
}

}  // namespace

absl::Status SetOption(const std::string& assignment, const std::vector<Message*>& messages) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("option '", assignment, "': write NAME=VALUE"));
  }
  const std::string name = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  std::string known;
  for (Message* message : messages) {
    const google::protobuf::Descriptor& fields = *message->GetDescriptor();
    if (const FieldDescriptor* field = fields.FindFieldByName(name)) return SetField(value, field, *message);
    for (int i = 0; i < fields.field_count(); ++i)
      absl::StrAppend(&known, known.empty() ? "" : ", ", fields.field(i)->name());
  }
  return absl::InvalidArgumentError(absl::StrCat("no option is called '", name, "'; there are ", known));
}

}  // namespace espalier::client
