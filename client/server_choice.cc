#include "client/server_choice.h"

#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::client {
namespace {

constexpr int64_t kNotReady = std::numeric_limits<int64_t>::max();  // of `load`

struct Candidate {
  std::string address;
  std::unique_ptr<Connection> connection;
  grpc::Status status;
  std::string why_not;  // empty: it answered
  int64_t load = 0;
};

using Question = std::function<grpc::Status(Connection&, grpc::ClientContext&)>;

// What the server said about its load; one of an earlier version says nothing, and counts as idle.
int64_t LoadOf(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerInitialMetadata();
  const auto found = metadata.find("espalier-load");
  if (found == metadata.end()) return 0;
  int64_t load = 0;
  const std::string text(found->second.data(), found->second.size());
  return absl::SimpleAtoi(text, &load) ? load : kNotReady;
}

void Ask(Candidate& candidate, ConnectionSettings settings, const Question& question) {
  settings.server = candidate.address;
  absl::StatusOr<std::unique_ptr<Connection>> opened = Connection::Open(settings);
  if (!opened.ok()) {
    candidate.status = {grpc::StatusCode::UNAVAILABLE, std::string(opened.status().message())};
    candidate.why_not = candidate.status.error_message();
    return;
  }
  candidate.connection = *std::move(opened);
  grpc::ClientContext context;
  candidate.connection->Prepare(context, absl::Now() + kProbeLimit);
  candidate.status = question(*candidate.connection, context);
  if (!candidate.status.ok()) candidate.why_not = candidate.status.error_message();
  if (candidate.status.ok()) candidate.load = LoadOf(context);
}

std::vector<Candidate> AskAll(const std::vector<std::string>& addresses, const ConnectionSettings& settings,
                              const Question& question) {
  std::vector<Candidate> candidates(addresses.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < addresses.size(); ++i) {
    candidates[i].address = addresses[i];
    threads.emplace_back(Ask, std::ref(candidates[i]), settings, question);
  }
  for (std::thread& thread : threads) thread.join();
  return candidates;
}

std::string Words(const std::vector<Candidate>& candidates) {
  std::string words;
  for (const Candidate& candidate : candidates)
    absl::StrAppend(&words, words.empty() ? "" : "; ", candidate.address, ": ", candidate.why_not);
  return words;
}

absl::StatusOr<std::unique_ptr<Connection>> OpenOnly(const std::string& address,
                                                     ConnectionSettings settings) {
  settings.server = address;
  return Connection::Open(settings);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> OpenLeastLoaded(const std::vector<std::string>& addresses,
                                                            const ConnectionSettings& settings) {
  if (addresses.size() == 1) return OpenOnly(addresses.front(), settings);
  std::vector<Candidate> candidates =
      AskAll(addresses, settings, [](Connection& connection, grpc::ClientContext& context) {
        v1::GetCapabilitiesResponse ignored;
        return connection.stub().GetCapabilities(&context, {}, &ignored);
      });
  Candidate* best = nullptr;
  for (Candidate& candidate : candidates) {
    if (candidate.status.ok() && (best == nullptr || candidate.load < best->load)) best = &candidate;
  }
  if (best == nullptr) return absl::UnavailableError(absl::StrCat("no server answers: ", Words(candidates)));
  return std::move(best->connection);
}

absl::StatusOr<std::unique_ptr<Connection>> OpenOwner(const std::vector<std::string>& addresses,
                                                      const ConnectionSettings& settings,
                                                      const std::string& job_id) {
  if (addresses.size() == 1) return OpenOnly(addresses.front(), settings);
  std::vector<Candidate> candidates =
      AskAll(addresses, settings, [&job_id](Connection& connection, grpc::ClientContext& context) {
        v1::GetJobRequest request;
        request.set_job_id(job_id);
        v1::Job ignored;
        return connection.stub().GetJob(&context, request, &ignored);
      });
  bool all_answer = true;
  for (Candidate& candidate : candidates) {
    // Somebody else's job: the command itself will be told.
    if (candidate.status.ok() || candidate.status.error_code() == grpc::StatusCode::PERMISSION_DENIED)
      return std::move(candidate.connection);
    all_answer = all_answer && (candidate.status.error_code() == grpc::StatusCode::NOT_FOUND ||
                                candidate.status.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  }
  const std::string words = absl::StrCat("no server shows the job: ", Words(candidates));
  return all_answer ? absl::NotFoundError(words) : absl::UnavailableError(words);
}

}  // namespace espalier::client
