#include "server/readiness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace espalier::server {
namespace {

TEST(Readiness, TellsEveryChangeOnce) {
  Readiness readiness;
  std::string trouble;
  std::vector<bool> told;
  readiness.OnChange([&](bool ready) { told.push_back(ready); });
  readiness.Ask([&] { return trouble; });
  trouble = "device failed: cuda:0";
  readiness.AskAgain();
  readiness.AskAgain();
  EXPECT_EQ(readiness.why_not(), "device failed: cuda:0");
  EXPECT_FALSE(readiness.ready());
  trouble = "device failed: cuda:0, cuda:1";
  readiness.AskAgain();  // another reason, the same answer
  trouble.clear();
  readiness.AskAgain();
  EXPECT_EQ(told, (std::vector<bool>{true, false, true}));
}

TEST(Readiness, WhoComesLateIsToldHowItStands) {
  Readiness readiness;
  readiness.Ask([] { return "device failed: cuda:0"; });
  std::vector<bool> told;
  readiness.OnChange([&](bool ready) { told.push_back(ready); });
  readiness.Ask(nullptr);
  EXPECT_TRUE(readiness.ready());
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
}

TEST(Readiness, DrainIsForGood) {
  Readiness readiness;
  readiness.Ask([] { return "device failed: cuda:0"; });
  readiness.Drain();
  readiness.Ask(nullptr);
  EXPECT_FALSE(readiness.ready());
  EXPECT_EQ(readiness.why_not(), "the server is shutting down");
}

}  // namespace
}  // namespace espalier::server
