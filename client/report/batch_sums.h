// The sums that the forms of a batch's report share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/batch/batch_view.h"
#include "client/report/charts.h"

namespace espalier::client::report {

struct BatchSums {
  struct Sum {
    ResultCounts counts;
    double seconds = 0;
    std::vector<double> each;  // seconds
    double median() const;     // 0 of nothing
  };
  Sum all;
  std::map<std::string, Sum> by_category;
};

BatchSums SumsOf(const std::vector<InstanceRecord>& records);

// How many instances a program decides within a time each: the k-th point is k over its k-th shortest time.
Series CactusSeries(const std::string& name, std::vector<double> seconds);

}  // namespace espalier::client::report
