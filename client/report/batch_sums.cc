#include "client/report/batch_sums.h"

#include <algorithm>

namespace espalier::client::report {

double BatchSums::Sum::median() const {
  if (each.empty()) return 0;
  std::vector<double> sorted = each;
  std::sort(sorted.begin(), sorted.end());
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

BatchSums SumsOf(const std::vector<InstanceRecord>& records) {
  BatchSums sums;
  for (const InstanceRecord& record : records) {
    for (BatchSums::Sum* sum : {&sums.all, &sums.by_category[record.category]}) {
      sum->counts.Add(record);
      sum->seconds += record.seconds;
      sum->each.push_back(record.seconds);
    }
  }
  return sums;
}

Series CactusSeries(const std::string& name, std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  Series series{name, {}};
  for (size_t k = 0; k < seconds.size(); ++k)
    series.points.push_back({static_cast<double>(k + 1), seconds[k]});
  return series;
}

}  // namespace espalier::client::report
