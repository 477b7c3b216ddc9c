#include "verifier/search/domain.h"

#include "verifier/base/discard.h"

namespace espalier::search {

Domain Stripped(const Domain& domain) {
  Domain copy;
  copy.target = domain.target;
  copy.bound = domain.bound;
  copy.splits = domain.splits;
  return copy;
}

DomainQueue::~DomainQueue() {
  if (size() > kManyDomains) base::DiscardBehind(std::move(open_));
}

void DomainQueue::Push(Domain domain) {
  bytes_ += domain.Bytes();
  const double bound = domain.bound;
  open_.emplace(bound, std::make_unique<Domain>(std::move(domain)));
}

std::vector<Domain> DomainQueue::Pop(int64_t count) {
  std::vector<Domain> taken;
  while (static_cast<int64_t>(taken.size()) < count && !open_.empty()) {
    auto it = bytes_ > budget_ ? std::prev(open_.end()) : open_.begin();
    bytes_ -= it->second->Bytes();
    taken.push_back(std::move(*it->second));
    open_.erase(it);
  }
  return taken;
}

}  // namespace espalier::search
