#include "server/readiness.h"

#include <utility>

namespace espalier::server {

void Readiness::OnChange(std::function<void(bool)> change) {
  std::lock_guard<std::mutex> lock(mutex_);
  change_ = std::move(change);
  told_ = WhyNot().empty();
  if (change_ != nullptr) change_(told_);
}

void Readiness::Drain() {
  std::lock_guard<std::mutex> lock(mutex_);
  draining_ = true;
  Tell();
}

void Readiness::Ask(std::function<std::string()> trouble) {
  std::lock_guard<std::mutex> lock(mutex_);
  trouble_ = std::move(trouble);
  Tell();
}

void Readiness::AskAgain() {
  std::lock_guard<std::mutex> lock(mutex_);
  Tell();
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
  return trouble_ != nullptr ? trouble_() : "";
}

void Readiness::Tell() {
  const bool now = WhyNot().empty();
  if (now == std::exchange(told_, now)) return;
  if (change_ != nullptr) change_(now);
}

}  // namespace espalier::server
