// The library in one page: reads a model and a query, decides the query, prints the verdict and, for sat, the
// counterexample's inputs. Needs verifier/verifier.h and the target espalier_verifier only; no server, no
// gRPC.
//
//   espalier_example MODEL.onnx QUERY.vnnlib [SECONDS]
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/time/clock.h"
#include "verifier/verifier.h"

namespace {

std::string Bytes(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

int Run(const char* model_path, const char* query_path, double seconds) {
  const absl::StatusOr<espalier::Model> model = espalier::Model::Load(Bytes(model_path));
  if (!model.ok()) return Fail(model.status());
  const absl::StatusOr<espalier::api::Property> property = espalier::ReadQuery(*model, Bytes(query_path));
  if (!property.ok()) return Fail(property.status());

  espalier::api::Options options;
  options.timeout_s = seconds;
  espalier::StopSource stop(absl::Now() +
                            absl::Seconds(seconds));  // stop.Cancel() from any thread ends the search
  const auto verdict = espalier::Verify(*model, *property, options, /*sink=*/nullptr, stop.token());
  if (!verdict.ok()) return Fail(verdict.status());

  std::printf("%s\n", espalier::api::AnswerName(verdict->answer()));
  if (verdict->witness().has_value()) {
    for (double x : verdict->witness()->input) std::printf("%.9g\n", x);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL.onnx QUERY.vnnlib [SECONDS]\n", argv[0]);
    return 2;
  }
  return Run(argv[1], argv[2], argc > 3 ? std::atof(argv[3]) : 60);
}
