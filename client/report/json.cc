// The reports as JSON. Numbers that JSON does not have (an infinite bound) become null.
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "client/report/batch_report.h"
#include "client/report/batch_sums.h"
#include "client/report/compare_report.h"
#include "client/report/graft_report.h"
#include "google/protobuf/descriptor.h"

namespace espalier::client::report {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

// Every number and text of a message under its field's name; messages within it likewise.
Json FieldsOf(const google::protobuf::Message& message);

Json ValueOf(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field,
             int index) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(repeated ? reflection.GetRepeatedDouble(message, field, index)
                             : reflection.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return repeated ? reflection.GetRepeatedInt64(message, field, index)
                      : reflection.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? reflection.GetRepeatedString(message, field, index)
                      : reflection.GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return FieldsOf(repeated ? reflection.GetRepeatedMessage(message, field, index)
                               : reflection.GetMessage(message, field));
    default:
      return nullptr;
  }
}

Json FieldsOf(const google::protobuf::Message& message) {
  Json json = Json::object();
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_repeated()) {
      Json list = Json::array();
      for (int k = 0; k < reflection.FieldSize(message, field); ++k)
        list.push_back(ValueOf(message, field, k));
      json[field->name()] = std::move(list);
    } else if (!field->has_presence() || reflection.HasField(message, field)) {
      json[field->name()] = ValueOf(message, field, -1);
    }
  }
  return json;
}

std::string Finish(Json json, const std::string& command_line, const FileList& files) {
  json["command_line"] = command_line;
  json["files"] = Json::array();
  for (const FileRecord& file : files) {
    json["files"].push_back({{"role", file.role}, {"path", file.path}, {"sha256", file.sha256}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string GraftJson(const GraftRun& run) {
  return Finish(FieldsOf(run.report), run.command_line, run.files);
}

std::string CompareJson(const CompareRun& run) {
  Json json = FieldsOf(run.report);
  json["numbers"] = FieldsOf(run.numbers);
  return Finish(std::move(json), run.command_line, run.files);
}

std::string BatchJson(const BatchRun& run) {
  const ResultCounts counts = SumsOf(run.records).all.counts;
  Json json = {{"list", run.list},
               {"instances", run.instances},
               {"counts",
                {{"unsat", counts.unsat},
                 {"sat", counts.sat},
                 {"unknown", counts.unknown},
                 {"timeout", counts.timeout},
                 {"error", counts.error}}},
               {"seconds", Number(run.seconds)},
               {"known_before", run.known},
               {"device", run.device},
               {"options", FieldsOf(run.options)}};
  Json records = Json::array();
  for (const InstanceRecord& record : run.records) {
    records.push_back(Json::parse(RecordLine(record)));
    records.back().erase("result_text");  // it has a file of its own
  }
  json["records"] = std::move(records);
  return Finish(std::move(json), run.command_line, {});
}

}  // namespace espalier::client::report
