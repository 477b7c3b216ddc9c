#include "verifier/api/verdict.h"

namespace espalier::api {

const char* AnswerName(Answer answer) {
  switch (answer) {
    case Answer::kVerified:
      return "unsat";
    case Answer::kFalsified:
      return "sat";
    case Answer::kUnknown:
      return "unknown";
  }
  return "unknown";
}

const char* LimitName(Limit limit) {
  switch (limit) {
    case Limit::kNone:
      return "none";
    case Limit::kTime:
      return "time";
    case Limit::kMemory:
      return "memory";
    case Limit::kDomains:
      return "domains";
    case Limit::kCancelled:
      return "cancelled";
    case Limit::kNumerical:
      return "numerical";
    case Limit::kUnsupported:
      return "unsupported";
  }
  return "none";
}

}  // namespace espalier::api
