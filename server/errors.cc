#include "server/errors.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace espalier::server {
namespace {

// The number that follows `word` in `text`; 0 when there is none.
int32_t NumberAfter(absl::string_view text, absl::string_view word) {
  const size_t at = text.find(word);
  if (at == absl::string_view::npos) return 0;
  const absl::string_view rest = text.substr(at + word.size());
  int32_t number = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find_first_not_of("0123456789")), &number)) return 0;
  return number;
}

}  // namespace

v1::StatusDetails ToDetails(const absl::Status& status, const ErrorContext& context) {
  const std::string message(status.message());
  v1::ErrorDetail detail;
  detail.set_reason(context.reason);
  detail.set_field(context.field);
  detail.set_line(NumberAfter(message, "line "));
  detail.set_column(NumberAfter(message, "column "));
  detail.set_retry_delay_s(context.retry_delay_s);
  for (const UnsupportedInfo& info : context.unsupported) {
    v1::UnsupportedNode& node = *detail.add_unsupported();
    node.set_node(info.node);
    node.set_op(info.op);
    node.set_reason(info.reason);
  }
  v1::StatusDetails details;
  details.set_code(static_cast<int32_t>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(detail);
  return details;
}

grpc::Status ToGrpc(const absl::Status& status, const ErrorContext& context) {
  if (status.ok()) return grpc::Status::OK;
  const v1::StatusDetails details = ToDetails(status, context);
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()), details.message(),
                      details.SerializeAsString());
}

Failure FromDetails(const v1::StatusDetails& details) {
  ErrorContext context;
  v1::ErrorDetail detail;
  if (details.details_size() > 0 && details.details(0).UnpackTo(&detail)) {
    context.reason = detail.reason();
    context.field = detail.field();
    context.retry_delay_s = detail.retry_delay_s();
    for (const v1::UnsupportedNode& node : detail.unsupported())
      context.unsupported.push_back({node.node(), node.op(), node.reason()});
  }
  return {absl::Status(static_cast<absl::StatusCode>(details.code()), details.message()), std::move(context)};
}

Failure NotAdmitted(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kResourceExhausted)
    return {status, {.reason = "QUEUE_FULL", .retry_delay_s = kRetryDelaySeconds}};
  return {status, {.reason = "SHUTTING_DOWN"}};
}

}  // namespace espalier::server
