#include "client/report/verifier_comparison.h"

#include <gtest/gtest.h>

namespace espalier::client::report {
namespace {

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr char kCompetition[] =
    "acas,onnx/n1.onnx.gz,vnnlib/p1.vnnlib,3.1,unsat,0.5\n"
    "acas,onnx/n1.onnx,vnnlib/p2.vnnlib,3.1,violated,2\n"
    "acas,onnx/n2.onnx,vnnlib/p1.vnnlib,3.1,run_instance_timeout,116\n"
    "oval,n3.onnx,p3.vnnlib,0,sat,10\n"
    "oval,n4.onnx,p4.vnnlib,0,no_result_in_file,1\n";
constexpr char kNamed[] =
    "id,benchmark,onnx,vnnlib,timeout,verdict,ref_verdict,ref_s,got,seconds,note\n"
    "1,acas,a/n1.onnx,b/p1.vnnlib,60,unsat,unsat,8,unsat,1,\n"
    "2,acas,a/n1.onnx,b/p2.vnnlib,60,unknown,,,sat,8,ok\n"
    "3,acas,a/n2.onnx,b/p1.vnnlib,60,sat,timeout,61,unsat,3,\n"
    "4,oval,n3.onnx,p3.vnnlib,60,sat,error,,sat,5,false witness: no\n";

VerifierResults Read(const std::string& name, const std::string& text, const ResultColumns& columns = {}) {
  absl::StatusOr<VerifierResults> results = ReadVerifierResults(name, text, columns);
  EXPECT_TRUE(results.ok()) << results.status();
  return results.ok() ? *std::move(results) : VerifierResults{};
}

TEST(VerifierResults, ReadsTheCompetitionsTable) {
  const VerifierResults results = Read("a", kCompetition);
  ASSERT_EQ(results.results.size(), 5U);
  EXPECT_EQ(results.results.at({"acas", "n1", "p1"}).result, "unsat");
  EXPECT_EQ(results.results.at({"acas", "n1", "p1"}).seconds, 0.5);
  EXPECT_EQ(results.results.at({"acas", "n1", "p2"}).result, "sat");
  EXPECT_EQ(results.results.at({"acas", "n2", "p1"}).result, "timeout");
  EXPECT_EQ(results.results.at({"oval", "n4", "p4"}).result, "error");
}

TEST(VerifierResults, ReadsNamedColumns) {
  const VerifierResults own = Read("a", kNamed);
  EXPECT_EQ(own.results.at({"acas", "n1", "p2"}).seconds, 8);
  EXPECT_TRUE(own.results.at({"oval", "n3", "p3"}).false_witness);
  EXPECT_EQ(own.known.size(), 3U);
  EXPECT_EQ(own.limits.at({"acas", "n1", "p1"}), 60);
  const VerifierResults reference = Read("r", kNamed, {.result = "ref_verdict", .seconds = "ref_s"});
  EXPECT_EQ(reference.results.size(), 3U) << "one was not run";
  EXPECT_EQ(reference.results.at({"acas", "n1", "p1"}).seconds, 8);
  const VerifierResults alone = Read("b", "model,query,verdict,time\nn.onnx,p.vnnlib,holds,2\n");
  EXPECT_EQ(alone.results.at({"", "n", "p"}).result, "unsat");
  EXPECT_TRUE(alone.known.empty()) << "the only column of results";
}

TEST(VerifierResults, SaysWhatIsMissing) {
  for (const char* text :
       {"", "a,b,c\n", "onnx,vnnlib,time\na,b,1\n", "onnx,vnnlib,result\na,b,sat\n",
        "onnx,vnnlib,result,time\na,b,sat,soon\n", "onnx,vnnlib,result,time\na,,sat,1\n"}) {
    EXPECT_FALSE(ReadVerifierResults("a", text, {}).ok()) << text;
  }
  EXPECT_FALSE(ReadVerifierResults("a", kNamed, {.result = "none", .seconds = "seconds"}).ok());
}

TEST(VerifierResults, TheSameLineTwiceIsTwoInstances) {
  EXPECT_EQ(Read("a", "c,n,p,0,sat,1\nc,n,p,0,sat,2\n").results.size(), 2U);
}

TEST(Comparison, CountsWhatIsRightAndMarksWhatIsWrong) {
  const Comparison comparison = Compare({Read("A", kNamed), Read("B", kCompetition)}, {});
  ASSERT_EQ(comparison.instances.size(), 5U);
  EXPECT_TRUE(comparison.AnyWrong());
  const auto at = [&](const InstanceKey& key) {
    for (const ComparedInstance& instance : comparison.instances) {
      if (instance.key == key) return instance;
    }
    return ComparedInstance{};
  };
  EXPECT_TRUE(at({"acas", "n1", "p1"}).Solved(0) && at({"acas", "n1", "p1"}).Solved(1));
  EXPECT_TRUE(at({"acas", "n2", "p1"}).wrong[0]) << "known to be sat";
  EXPECT_TRUE(at({"oval", "n3", "p3"}).wrong[0]) << "a false witness";
  EXPECT_FALSE(at({"oval", "n3", "p3"}).wrong[1]);
  std::vector<const ComparedInstance*> all;
  for (const ComparedInstance& instance : comparison.instances) all.push_back(&instance);
  const TimeRatio ratio = TimeRatioOf(all, 0, 1);
  EXPECT_EQ(ratio.instances, 2);
  EXPECT_NEAR(ratio.mean, std::sqrt((1 / 0.5) * (8.0 / 2)), 1e-12);
  EXPECT_EQ(comparison.limit_s, 60);
}

TEST(Comparison, AContradictionMakesBothWrongWhereNothingIsKnown) {
  const Comparison comparison = Compare(
      {Read("A", "c,n,p,0,sat,1\n"), Read("B", "c,n,p,0,unsat,1\n"), Read("C", "c,n,p,0,timeout,9\n")}, {});
  EXPECT_EQ(comparison.instances[0].wrong, (std::vector<bool>{true, true, false}));
}

TEST(Comparison, WhatComesAfterTheLimitIsATimeout) {
  const Comparison comparison = Compare({Read("A", kNamed), Read("B", kCompetition)}, {.limit_s = 4});
  EXPECT_EQ(comparison.instances[1].results[0].result, "timeout");
  EXPECT_EQ(comparison.limit_s, 4);
}

TEST(ComparisonPage, HoldsTheTablesAndRefersToNothing) {
  const Comparison comparison = Compare({Read("<A>", kNamed), Read("B", kCompetition)}, {});
  const std::string page = ComparisonPage(comparison);
  for (const char* part : {"&lt;A&gt; against B", "2 of 4 (1+1), 2 WRONG", "3 of 5 (1+2)", "2.83 (2)",
                           "FALSE WITNESS", "class=\"bad\"", "class=\"limit\"", "n2", "together"}) {
    EXPECT_TRUE(Holds(page, part)) << part;
  }
  for (const char* part : {"<A>", "http", "<script", "nan", "inf"}) EXPECT_FALSE(Holds(page, part)) << part;
  const std::string text = ComparisonText(comparison);
  EXPECT_TRUE(Holds(text, "WRONG <A>: acas n2 p1: unsat, 3 s, WRONG; known sat\n")) << text;
}

TEST(ComparisonPage, OneVerifierOrNothingInCommonStillStands) {
  EXPECT_TRUE(Holds(ComparisonPage(Compare({Read("A", kCompetition)}, {})), "Nowhere."));
  const Comparison apart = Compare({Read("A", "c,n,p,0,sat,1\n"), Read("B", "d,n,p,0,sat,1\n")}, {});
  EXPECT_TRUE(Holds(ComparisonPage(apart), "</html>"));
  EXPECT_TRUE(Holds(ComparisonPage(Compare({}, {})), "</html>"));
}

}  // namespace
}  // namespace espalier::client::report
