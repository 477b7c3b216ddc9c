// Checkpoints of a verification: what is left to be proved, as bytes, so that another run can go on from
// there.
//
//   api::Checkpoints checkpoints;
//   checkpoints.resume = bytes_of_an_earlier_run;      // empty: from the start
//   checkpoints.every = absl::Seconds(30);
//   checkpoints.write = [&](std::string bytes) { WriteFileAtomically("search.ckpt", bytes); };
//
// The bytes are a claim: everything that they do not list as open has been proved. They are bound to the
// network, the property and the engine's version, not to the options, and carry a checksum; whatever does not
// fit or is damaged is refused with a warning in the verdict, and the search starts from the beginning. They
// are not protected against somebody who wants to deceive: whoever resumes trusts where they come from.
#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"

namespace espalier::api {

struct Checkpoints {
  std::string resume;
  // At least so long between two of them, and so long that writing takes at most a twentieth of the time.
  // Another one is written when the search is stopped.
  absl::Duration every = absl::InfiniteDuration();
  // From the verifying thread; must return quickly. Null: none are made.
  std::function<void(std::string bytes)> write;
};

}  // namespace espalier::api
