// Records of made-up instances.
#pragma once

#include <string>

#include "client/batch/record.h"

namespace espalier::client {

inline InstanceRecord SampleRecord(const std::string& result, double seconds,
                                   const std::string& query = "q") {
  InstanceRecord record;
  record.category = "digits";
  record.model = "nets/a.onnx";
  record.query = "props/" + query + ".vnnlib";
  record.timeout_s = 60;
  record.result = result;
  record.seconds = seconds;
  record.server = "private";
  record.model_sha256 = "aa";
  record.query_sha256 = "bb";
  record.result_text = result + "\n";
  if (result == "error") {
    record.cause = "model not supported";
    record.reason = "node '<n>' is a Softmax";
  } else {
    record.version = "1.2.3";
    record.processor = "Test processor";
    record.device = "cpu";
    record.seed = 42;
    record.threads = 2;
    record.domains = 17;
  }
  return record;
}

}  // namespace espalier::client
