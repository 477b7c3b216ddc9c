// Verdicts as text: the one line on stdout (VNN-LIB 2.0 solver interface) and the result file (VNN-COMP).
//
//   std::fputs(StandardOutput(result).c_str(), stdout);   // "sat\n((X_0 0.5)\n(Y_0 1))\n"
#pragma once

#include <string>

#include "espalier/v1/verify.pb.h"

namespace espalier::client {

// "sat", "unsat", "unknown" or "timed-out", then for sat the assignment.
std::string StandardOutput(const v1::VerifyResult& result);

// "sat", "unsat", "unknown" or "timeout", then for sat the assignment.
std::string ResultFile(const v1::VerifyResult& result);

// "((X_0 v)\n(X_1 v)\n...(Y_0 v))\n", 17 significant digits: every double is read back exactly.
std::string Assignment(const v1::Witness& witness);

// Times, counts and what is needed to run it again, one item a line, each line starting with "; ".
std::string StatisticsText(const v1::VerifyResult& result);

}  // namespace espalier::client
