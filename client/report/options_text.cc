#include "client/report/options_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.h"

namespace espalier::client::report {

std::string ShortNumber(double value) {
  return absl::StrFormat("%.6g", value);
}

std::vector<std::pair<std::string, std::string>> OptionsText(const google::protobuf::Message& options) {
  using google::protobuf::FieldDescriptor;
  std::vector<std::pair<std::string, std::string>> text;
  const google::protobuf::Reflection& reflection = *options.GetReflection();
  for (int i = 0; i < options.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = options.GetDescriptor()->field(i);
    if (field->is_repeated() || field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->has_presence() && !reflection.HasField(options, field)) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      text.emplace_back(field->name(), ShortNumber(reflection.GetDouble(options, field)));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      text.emplace_back(field->name(), absl::StrCat(reflection.GetInt64(options, field)));
    }
  }
  return text;
}

}  // namespace espalier::client::report
