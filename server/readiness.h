// Whether a server wants new work: it does until it drains, and not while a device is known to be broken.
//
//   readiness.OnChange([&](bool ready) { health.SetServingStatus(kService, ready); });
//   readiness.ReportDevice("cuda:0", false);   // a run on it failed for the device's own sake
//   readiness.Drain();
//
// Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace espalier::server {

class Readiness {
 public:
  // `change` is called at once and with every change, one at a time; it must not call this object.
  void OnChange(std::function<void(bool ready)> change);
  void Drain();  // for good
  // A device that failed counts as broken until a run on it goes well.
  void ReportDevice(const std::string& device, bool works);

  bool ready() const;
  // One sentence; empty when it is ready.
  std::string why_not() const;

 private:
  std::string WhyNot() const;  // requires mutex_
  void Tell();                 // requires mutex_

  mutable std::mutex mutex_;
  bool draining_ = false;
  std::set<std::string> broken_;
  std::function<void(bool)> change_;
};

}  // namespace espalier::server
