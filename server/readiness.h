// Whether a server wants new work: it does until it drains, and unless what it works with says otherwise.
//
//   readiness.OnChange([&](bool ready) { health.SetServingStatus(kService, ready); });
//   readiness.Ask([&] { return cards.Trouble(); });   // "device failed: cuda:0", or nothing
//   readiness.AskAgain();                              // the answer may be another one
//   readiness.Drain();
//
// Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>

namespace espalier::server {

class Readiness {
 public:
  // `change` is called at once and with every change, one at a time; it must not call this object.
  void OnChange(std::function<void(bool ready)> change);
  void Drain();  // for good
  // `trouble` says in one sentence why there is no work to be done, or is empty; null: there is never
  // trouble. It must not call this object.
  void Ask(std::function<std::string()> trouble);
  void AskAgain();

  bool ready() const;
  // One sentence; empty when it is ready.
  std::string why_not() const;

 private:
  std::string WhyNot() const;  // requires mutex_
  void Tell();                 // requires mutex_

  mutable std::mutex mutex_;
  bool draining_ = false;
  bool told_ = true;
  std::function<std::string()> trouble_;
  std::function<void(bool)> change_;
};

}  // namespace espalier::server
