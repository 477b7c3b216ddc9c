// Which of several servers a command talks to. All are asked at once, so one that is away costs no more than
// kProbeLimit.
//
//   auto connection = OpenLeastLoaded({"a:50551", "b:50551"}, settings);     // verify, submit, bounds, ...
//   auto owner = OpenOwner({"a:50551", "b:50551"}, settings, job_id);        // watch, cancel, one job
//
// Errors name every address and what it said. One address is not asked at all: its own errors say more.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/connection.h"

namespace espalier::client {

inline constexpr absl::Duration kProbeLimit = absl::Seconds(5);

// The server with the fewest calls and jobs waiting and running among those that take work; of equal ones the
// first named. One that shuts down or has lost its device is taken when there is no other. UNAVAILABLE: none
// answers. `addresses` replace settings.server.
absl::StatusOr<std::unique_ptr<Connection>> OpenLeastLoaded(const std::vector<std::string>& addresses,
                                                            const ConnectionSettings& settings);

// The server that holds the job. NOT_FOUND: all answer and none holds it; UNAVAILABLE: none of those that
// answer holds it, and some do not answer.
absl::StatusOr<std::unique_ptr<Connection>> OpenOwner(const std::vector<std::string>& addresses,
                                                      const ConnectionSettings& settings,
                                                      const std::string& job_id);

}  // namespace espalier::client
