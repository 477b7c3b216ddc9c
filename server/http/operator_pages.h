// What the HTTP port shows: /healthz (the process lives), /readyz (it wants work) and /metrics (Prometheus).
// None of them names a client, a model or a file.
#pragma once

#include <map>
#include <string>

#include "server/core.h"
#include "server/http/http_server.h"

namespace espalier::server {

// `core` outlives the pages.
std::map<std::string, HttpServer::Page> OperatorPages(Core& core);

// All metrics in Prometheus's text form.
std::string MetricsText(Core& core);

}  // namespace espalier::server
