// Which device a worker's run asks for, and which it got.
#pragma once

#include <cstdint>

#include "espalier/v1/worker.pb.h"

namespace espalier::server {

struct RunDevice {
  int64_t number = 0;  // as options.device: 0 the processor, N + 1 card N
  bool any = false;    // any card, where number is one
};

// Of a run that was checked. A device that cannot be used counts as the processor: the run itself says why.
RunDevice DeviceOf(const v1::WorkerRun& run);

// The card (from 0) that the run is to compute on. For runs whose DeviceOf is a card.
void SetCard(v1::WorkerRun& run, int64_t card);

}  // namespace espalier::server
