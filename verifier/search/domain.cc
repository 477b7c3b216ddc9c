#include "verifier/search/domain.h"

namespace espalier::search {

void DomainQueue::Push(Domain domain) {
  bytes_ += domain.Bytes();
  const double bound = domain.bound;
  open_.emplace(bound, std::move(domain));
}

std::vector<Domain> DomainQueue::Pop(int64_t count) {
  std::vector<Domain> taken;
  while (static_cast<int64_t>(taken.size()) < count && !open_.empty()) {
    auto it = bytes_ > budget_ ? std::prev(open_.end()) : open_.begin();
    bytes_ -= it->second.Bytes();
    taken.push_back(std::move(it->second));
    open_.erase(it);
  }
  return taken;
}

}  // namespace espalier::search
