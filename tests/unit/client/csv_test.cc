#include "client/csv.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

TEST(Csv, ReadsQuotesBlanksAndBothLineEnds) {
  const auto rows = ParseCsv(
      "\xef\xbb\xbf"
      "a, b ,c\r\n\r\n\"x, \"\"y\"\"\", \"two\nlines\" ,\nlast");
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 3U);
  EXPECT_EQ((*rows)[0].cells, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ((*rows)[1].cells, (std::vector<std::string>{"x, \"y\"", "two\nlines", ""}));
  EXPECT_EQ((*rows)[1].line, 3);
  EXPECT_EQ((*rows)[2].cells, (std::vector<std::string>{"last"}));
  EXPECT_EQ((*rows)[2].line, 5);
}

TEST(Csv, NamesTheLineOfABrokenQuote) {
  EXPECT_NE(ParseCsv("a\n\"b").status().message().find("line 2"), std::string::npos);
  EXPECT_FALSE(ParseCsv("\"b\"c").ok());
  EXPECT_TRUE(ParseCsv("")->empty());
}

TEST(Csv, WhatIsWrittenReadsBack) {
  const std::vector<std::string> cells = {"plain", "with, comma", "with \"quote\"", " blank ",
                                          "",      "two\nlines"};
  EXPECT_EQ(CsvLine({"a", "b"}), "a,b\n");
  EXPECT_EQ((*ParseCsv(CsvLine(cells)))[0].cells, cells);
}

}  // namespace
}  // namespace espalier::client
