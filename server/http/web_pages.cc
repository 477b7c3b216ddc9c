#include "server/http/web_pages.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/http/web_files.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr int64_t kEvents = 2000;                         // of one answer
constexpr size_t kMaxQueryBytes = size_t{4} << 20;        // of a text that a browser is to read
constexpr size_t kMaxShapes = 256;                        // models whose shape is remembered
constexpr absl::Duration kLookLimit = absl::Seconds(30);  // of one look at a model
constexpr const char* kPolicy =
    "default-src 'none'; img-src data:; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri "
    "'none'; "
    "form-action 'none'; frame-ancestors 'none'";

// Input shapes of models. A model is looked at in the background, by the engine, like for every other client:
// a page must be quick, and a worker may die of it. Thread-safe; looks that are under way keep it alive.
class Shapes : public std::enable_shared_from_this<Shapes> {
 public:
  explicit Shapes(Core& core) : core_(core) {}

  // Empty: the model is no such thing, or its blob has gone. nullopt: not known yet, ask again.
  std::optional<std::vector<int64_t>> Find(const std::string& sha256) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = shapes_.find(sha256);
    if (found != shapes_.end()) return found->second;
    if (looking_) return std::nullopt;
    looking_ = true;
    const auto submitted =
        core_.lookups().Submit({.owner = this,
                                .run = [self = shared_from_this(), sha256] { self->Look(sha256); },
                                .abandon = [self = shared_from_this()](const absl::Status&) { self->Rest(); },
                                .client = "web page"});
    if (!submitted.ok()) looking_ = false;
    return std::nullopt;
  }

 private:
  void Look(const std::string& sha256) {
    v1::DescribeModelRequest request;
    request.mutable_model()->set_sha256(sha256);
    v1::DescribeModelResponse response;
    const StopSource stop(absl::Now() + kLookLimit);
    const Failure failure = core_.engine().Describe(request, stop.token(), response);
    std::vector<int64_t> shape;
    if (failure.ok() && response.description().inputs_size() == 1) {
      const auto& read = response.description().inputs(0).shape();
      shape.assign(read.begin(), read.end());
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (shapes_.size() >= kMaxShapes) shapes_.clear();
    shapes_[sha256] = std::move(shape);
    looking_ = false;
  }
  void Rest() {
    std::lock_guard<std::mutex> lock(mutex_);
    looking_ = false;
  }

  Core& core_;
  std::mutex mutex_;
  bool looking_ = false;  // one at a time
  std::map<std::string, std::vector<int64_t>> shapes_;
};

HttpAnswer Refusal(const absl::Status& status) {
  HttpAnswer answer{.status = 503, .body = std::string(status.message()) + "\n"};
  if (absl::IsUnauthenticated(status)) answer.status = 401;
  if (absl::IsPermissionDenied(status)) answer.status = 403;
  if (absl::IsNotFound(status)) answer.status = 404;
  if (absl::IsInvalidArgument(status)) answer.status = 400;
  return answer;
}

absl::StatusOr<std::string> Json(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok())
    return absl::DataLossError("a stored job cannot be shown as JSON");
  return text;
}

// A name in `Host` other than localhost can be a foreign site's that points here (DNS rebinding): then its
// script would read what the browser's user may read. A token, which such a script has not, is as good.
bool IsOwnHost(const std::string& host) {
  const std::string name = host.substr(0, host.rfind(':'));
  const bool numeric =
      !name.empty() && (name.front() == '[' || std::all_of(name.begin(), name.end(), [](char c) {
                          return c == '.' || std::isdigit(static_cast<unsigned char>(c)) != 0;
                        }));
  return numeric || name == "localhost";
}

class Pages {
 public:
  Pages(Core& core, const Gate& gate, JobStore& store)
      : core_(core), gate_(gate), store_(store), shapes_(std::make_shared<Shapes>(core)) {}

  absl::StatusOr<std::string> Jobs(const HttpRequest& asked, const Gate::Caller& caller) {
    v1::ListJobsRequest request;
    request.set_page_token(HttpServer::Parameter(asked, "page"));
    ESPALIER_ASSIGN_OR_RETURN(const v1::ListJobsResponse page,
                              store_.List(request, caller.admin ? "" : caller.client));
    return Json(page);
  }

  absl::StatusOr<std::string> Job(const HttpRequest& asked, const Gate::Caller& caller) {
    ESPALIER_ASSIGN_OR_RETURN(const v1::Job job, Own(asked, caller));
    int64_t from = 1;
    const std::string given = HttpServer::Parameter(asked, "from");
    if (!given.empty() && !absl::SimpleAtoi(given, &from))
      return absl::InvalidArgumentError("from: no number");
    ESPALIER_ASSIGN_OR_RETURN(std::vector<v1::JobEvent> events, store_.Events(job.job_id(), from, kEvents));
    std::vector<std::string> texts;
    for (v1::JobEvent& event : events) {
      if (event.has_finished()) event.mutable_finished()->clear_result();  // stands in the job
      ESPALIER_ASSIGN_OR_RETURN(texts.emplace_back(), Json(event));
    }
    ESPALIER_ASSIGN_OR_RETURN(const std::string shown, Json(job));
    // Only a witness is drawn.
    std::string shape = "null";
    if (job.result().has_witness()) {
      const auto found = shapes_->Find(job.verify().model().sha256());
      shape = found ? absl::StrCat("[", absl::StrJoin(*found, ","), "]") : "null";
    }
    return absl::StrCat("{\"job\":", shown, ",\"events\":[", absl::StrJoin(texts, ","),
                        "],\"inputShape\":", shape, "}");
  }

  absl::StatusOr<std::string> Query(const HttpRequest& asked, const Gate::Caller& caller) {
    ESPALIER_ASSIGN_OR_RETURN(const v1::Job job, Own(asked, caller));
    const BlobPtr blob = core_.FindBlob(job.verify().query().sha256());
    if (blob == nullptr) return absl::NotFoundError("the query is not kept any more");
    if (blob->bytes.size() > kMaxQueryBytes) return absl::NotFoundError("the query is too long to be shown");
    return blob->bytes;
  }

  using Content = absl::StatusOr<std::string> (Pages::*)(const HttpRequest&, const Gate::Caller&);
  HttpAnswer Answer(const HttpRequest& asked, Content content, const char* type) {
    const absl::StatusOr<Gate::Caller> caller = gate_.AdmitPlain(asked.authorization);
    if (!caller.ok()) return Refusal(caller.status());
    if (!gate_.has_tokens() && !IsOwnHost(asked.host))
      return Refusal(
          absl::PermissionDeniedError("without tokens, call this port by its number or as localhost"));
    absl::StatusOr<std::string> body = (this->*content)(asked, *caller);
    if (!body.ok()) return Refusal(body.status());
    return {.type = type, .body = *std::move(body)};
  }

 private:
  // The job, when the caller may see it. Somebody else's is as unknown as one that never was.
  absl::StatusOr<v1::Job> Own(const HttpRequest& asked, const Gate::Caller& caller) {
    ESPALIER_ASSIGN_OR_RETURN(v1::Job job, store_.Get(HttpServer::Parameter(asked, "id")));
    if (!caller.admin && job.client() != caller.client) return absl::NotFoundError("no such job is held");
    return job;
  }

  Core& core_;
  const Gate& gate_;
  JobStore& store_;
  const std::shared_ptr<Shapes> shapes_;
};

HttpServer::Page Fixed(const char* type, const char* text) {
  return
      [type, text](const HttpRequest&) { return HttpAnswer{.type = type, .body = text, .policy = kPolicy}; };
}

}  // namespace

std::map<std::string, HttpServer::Page> WebPages(Core& core, const Gate& gate, JobStore& store) {
  const auto pages = std::make_shared<Pages>(core, gate, store);
  const auto content = [&pages](Pages::Content which, const char* type) -> HttpServer::Page {
    return [pages, which, type](const HttpRequest& asked) { return pages->Answer(asked, which, type); };
  };
  return {
      {"/web", Fixed("text/html; charset=utf-8", kPageHtml)},
      {"/web/page.css", Fixed("text/css; charset=utf-8", kPageCss)},
      {"/web/page.js", Fixed("text/javascript; charset=utf-8", kPageJs)},
      {"/web/jobs", content(&Pages::Jobs, "application/json")},
      {"/web/job", content(&Pages::Job, "application/json")},
      {"/web/query", content(&Pages::Query, "text/plain; charset=utf-8")},
  };
}

}  // namespace espalier::server
