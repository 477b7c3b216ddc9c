#include "client/radius.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

TEST(Radius, ReadsDecimalsAndFractions) {
  EXPECT_EQ(*ParseRadius("0.01"), 0.01);
  EXPECT_EQ(*ParseRadius("2/255"), 2.0 / 255);
  EXPECT_EQ(*ParseRadius("0"), 0);
  EXPECT_EQ(*ParseRadius("1e-3"), 1e-3);
}

TEST(Radius, RefusesWhatIsNoRadius) {
  for (const char* text :
       {"", "x", "2/", "/255", "2/0", "0/0", "-1", "2/-255", "nan", "inf", "1/nan", "1/2/3", "2 / x"}) {
    EXPECT_FALSE(ParseRadius(text).ok()) << text;
  }
}

}  // namespace
}  // namespace espalier::client
