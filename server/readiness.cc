#include "server/readiness.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace espalier::server {

void Readiness::OnChange(std::function<void(bool)> change) {
  std::lock_guard<std::mutex> lock(mutex_);
  change_ = std::move(change);
  Tell();
}

void Readiness::Drain() {
  std::lock_guard<std::mutex> lock(mutex_);
  draining_ = true;
  Tell();
}

void Readiness::ReportDevice(const std::string& device, bool works) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool changed = works ? broken_.erase(device) > 0 : broken_.insert(device).second;
  if (changed) Tell();
}

bool Readiness::ready() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return WhyNot().empty();
}

std::string Readiness::why_not() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return WhyNot();
}

std::string Readiness::WhyNot() const {
  if (draining_) return "the server is shutting down";
  if (!broken_.empty()) return absl::StrCat("device failed: ", absl::StrJoin(broken_, ", "));
  return "";
}

void Readiness::Tell() {
  if (change_ != nullptr) change_(WhyNot().empty());
}

}  // namespace espalier::server
