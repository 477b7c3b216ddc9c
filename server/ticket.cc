#include "server/ticket.h"

#include "absl/strings/str_cat.h"
#include "verifier/verifier.h"

namespace espalier::server {

void Ticket::End(const Failure& failure, const LogFields& more) const {
  const absl::Duration length = absl::Now() - arrival;
  counters->CountCall(method, failure.status().code(), length);
  LogFields fields = {{"rpc", method},
                      {"client", client},
                      {"code", absl::StatusCodeToString(failure.status().code())},
                      {"seconds", absl::StrCat(absl::ToDoubleSeconds(length))}};
  if (!traceparent.empty()) fields.emplace_back("traceparent", traceparent);
  if (!client_version.empty() && client_version != Version())
    fields.emplace_back("client_version", client_version);
  fields.insert(fields.end(), more.begin(), more.end());
  if (!failure.ok()) fields.emplace_back("message", std::string(failure.status().message()));
  Log(failure.ok() ? LogLevel::kInfo : LogLevel::kWarning, fields);
}

}  // namespace espalier::server
