#include "server/readiness.h"

#include <gtest/gtest.h>

#include <vector>

namespace espalier::server {
namespace {

TEST(Readiness, TellsEveryChangeOnce) {
  Readiness readiness;
  std::vector<bool> told;
  readiness.OnChange([&](bool ready) { told.push_back(ready); });
  readiness.ReportDevice("cuda:0", true);
  readiness.ReportDevice("cuda:0", false);
  readiness.ReportDevice("cuda:0", false);
  EXPECT_EQ(readiness.why_not(), "device failed: cuda:0");
  readiness.ReportDevice("cuda:1", true);  // another one's success says nothing
  EXPECT_FALSE(readiness.ready());
  readiness.ReportDevice("cuda:0", true);
  EXPECT_EQ(told, (std::vector<bool>{true, false, true}));
}

TEST(Readiness, DrainIsForGood) {
  Readiness readiness;
  readiness.ReportDevice("cuda:0", false);
  readiness.Drain();
  readiness.ReportDevice("cuda:0", true);
  EXPECT_FALSE(readiness.ready());
  EXPECT_EQ(readiness.why_not(), "the server is shutting down");
}

}  // namespace
}  // namespace espalier::server
