// Verdict: what is claimed, apart from why the run stopped. An error is never a verdict (it is an
// absl::Status) and a verdict is never an error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace espalier::api {

enum class Answer { kVerified /* unsat */, kFalsified /* sat */, kUnknown };
enum class Limit { kNone, kTime, kMemory, kDomains, kCancelled, kNumerical, kUnsupported };

const char* AnswerName(Answer answer);  // "unsat", "sat", "unknown"
const char* LimitName(Limit limit);     // "none", "time", ...

// A point of the unsafe set, replayed on the original graph in double and in float32.
struct Witness {
  std::vector<double> input;   // ONNX order, inside the exact box in double
  std::vector<double> output;  // of the model in its own element type (float32 evaluation)
  bool rounded = false;        // an input interval holds no float32 value; the nearest one was replayed
};

struct Statistics {
  int64_t domains = 0;  // subproblems bounded in branch and bound
  int64_t splits = 0;
  int64_t max_open = 0;
  double root_bound = 0;  // worst certified bound over open disjuncts after the root; +inf when all refuted
  std::map<std::string, double> seconds;  // by phase: "load", "attack", "root", "search", "certify", ...
  std::map<std::string, int64_t> counters;
};

// Counters of what was done in smaller pieces for want of memory: blocks of rows, batches of domains and
// groups of them on a card that were halved, and networks that were not listed for a card.
inline constexpr const char* kShortageCounters[] = {"rows_halved", "batch_halved", "cuda_lanes_halved",
                                                    "listing_refused"};

class Verdict {
 public:
  static Verdict Verified() { return Verdict(Answer::kVerified, Limit::kNone); }
  // Only from a witness that a WitnessJudge has replayed.
  static Verdict Falsified(Witness witness) {
    Verdict v(Answer::kFalsified, Limit::kNone);
    v.witness_ = std::move(witness);
    return v;
  }
  static Verdict Unknown(Limit limit, std::string reason) {
    Verdict v(Answer::kUnknown, limit);
    v.reason_ = std::move(reason);
    return v;
  }
  Answer answer() const { return answer_; }
  Limit limit() const { return limit_; }
  const std::string& reason() const { return reason_; }
  const std::optional<Witness>& witness() const { return witness_; }

  Statistics statistics;
  std::vector<std::string> explanation;  // what was chosen and why, one sentence each
  std::vector<std::string> warnings;

 private:
  Verdict(Answer answer, Limit limit) : answer_(answer), limit_(limit) {}
  Answer answer_;
  Limit limit_;
  std::string reason_;
  std::optional<Witness> witness_;
};

}  // namespace espalier::api
