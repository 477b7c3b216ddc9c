#include "client/report/verifier_comparison.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace espalier::client::report {
namespace {

// A clock's resolution; shorter times would make ratios meaningless.
constexpr double kLeastSeconds = 1e-3;

// The result as it counts within the limit.
VerifierResult Limited(VerifierResult result, double limit_s) {
  if (limit_s > 0 && result.solved() && result.seconds > limit_s) result.result = "timeout";
  return result;
}

void MarkWrong(ComparedInstance& instance) {
  std::set<std::string> answers;
  for (const VerifierResult& result : instance.results) {
    if (result.solved() && !result.false_witness) answers.insert(result.result);
  }
  const bool contradiction = instance.known.empty() && answers.size() > 1;
  for (const VerifierResult& result : instance.results) {
    const bool against_known = !instance.known.empty() && result.result != instance.known;
    instance.wrong.push_back(result.solved() && (result.false_witness || contradiction || against_known));
  }
}

}  // namespace

bool Comparison::AnyWrong() const {
  return std::any_of(instances.begin(), instances.end(), [](const ComparedInstance& instance) {
    return std::find(instance.wrong.begin(), instance.wrong.end(), true) != instance.wrong.end();
  });
}

Comparison Compare(const std::vector<VerifierResults>& verifiers, const ComparisonSettings& settings) {
  Comparison comparison{.names = {}, .instances = {}, .limit_s = settings.limit_s};
  std::map<InstanceKey, ComparedInstance> instances;
  for (size_t v = 0; v < verifiers.size(); ++v) {
    comparison.names.push_back(verifiers[v].name);
    for (const auto& [key, result] : verifiers[v].results) {
      ComparedInstance& instance = instances[key];
      instance.key = key;
      instance.results.resize(verifiers.size());
      instance.results[v] = Limited(result, settings.limit_s);
    }
  }
  double longest = 0;
  for (const VerifierResults& verifier : verifiers) {
    for (const auto& [key, known] : verifier.known) {
      if (const auto found = instances.find(key); found != instances.end()) found->second.known = known;
    }
    for (const auto& [key, limit] : verifier.limits) {
      if (instances.contains(key)) longest = std::max(longest, limit);
    }
  }
  for (auto& [key, instance] : instances) {
    MarkWrong(instance);
    for (const VerifierResult& result : instance.results) {
      if (result.solved() && settings.limit_s <= 0) longest = std::max(longest, result.seconds);
    }
    comparison.instances.push_back(std::move(instance));
  }
  if (comparison.limit_s <= 0) comparison.limit_s = std::max(longest, kLeastSeconds);
  return comparison;
}

TimeRatio TimeRatioOf(const std::vector<const ComparedInstance*>& instances, size_t first, size_t second) {
  TimeRatio ratio;
  double sum = 0;
  for (const ComparedInstance* instance : instances) {
    if (!instance->Solved(first) || !instance->Solved(second)) continue;
    sum += std::log(std::max(instance->results[first].seconds, kLeastSeconds) /
                    std::max(instance->results[second].seconds, kLeastSeconds));
    ++ratio.instances;
  }
  if (ratio.instances > 0) ratio.mean = std::exp(sum / ratio.instances);
  return ratio;
}

}  // namespace espalier::client::report
