// Pages on jobs for people, under /web of the HTTP port: one page of HTML, and the JSON that it shows.
//
//   /web, /web/page.css, /web/page.js     the page itself: holds nothing of any client
//   /web/jobs?page=TOKEN                  {"jobs": [...], "nextPageToken": ...}, as ListJobs
//   /web/job?id=ID&from=N                 {"job": ..., "events": [...], "inputShape": [...] or null}
//   /web/query?id=ID                      the job's VNN-LIB text, of which the page draws the input box
//
// JSON is that of the protocol's messages (protobuf's own form). Reading only. Where the server has tokens,
// everything but the page itself asks for `Authorization: Bearer TOKEN` and shows a client its own jobs, an
// administrator all of them.
#pragma once

#include <map>
#include <string>

#include "server/core.h"
#include "server/http/http_server.h"
#include "server/jobs/job_store.h"
#include "server/security/gate.h"

namespace espalier::server {

// All of them outlive the pages; the core's queues too, which look at models.
std::map<std::string, HttpServer::Page> WebPages(Core& core, const Gate& gate, JobStore& store);

}  // namespace espalier::server
