// How fast domains of branch and bound are bounded, and what share of the processor's speed that is.
//
//   domain_rate MODEL.onnx QUERY.vnnlib [THREADS [shape]]
//
// The root is bounded by CROWN and refined; then 4096 domains with eight random splits each are optimised for
// ten steps on the network that is left (backend/compact.h). Floating-point operations are those of the
// coefficients that are left: two each, for ten backward and nine forward passes of a domain that is not
// refuted sooner. The yardstick is OpenBLAS's sgemm of 1024 x 1024 matrices on as many threads, measured
// before and after. "shape" lists what is left instead, stage by stage, as scripts/cuda_roofline wants it.
#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/backend/compact_rows.h"
#include "verifier/base/library_environment.h"
#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/refine.h"
#include "verifier/model_impl.h"
#include "verifier/search/problem.h"

namespace espalier {
namespace {

constexpr int64_t kDomains = 4096;
constexpr int64_t kSteps = 10;
constexpr int kSplits = 8;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double SecondsSince(absl::Time start) {
  return absl::ToDoubleSeconds(absl::Now() - start);
}

// Best of several, GFLOP/s.
double SgemmRate(int64_t threads) {
  constexpr int kSize = 1024;
  const std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f);
  std::vector<std::vector<float>> c(static_cast<size_t>(threads), std::vector<float>(kSize * kSize));
  double best = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const absl::Time start = absl::Now();
#pragma omp parallel num_threads(static_cast <int>(threads))
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSize, kSize, kSize, 1.0f, a.data(), kSize,
                b.data(), kSize, 0.0f, c[static_cast<size_t>(omp_get_thread_num())].data(), kSize);
    best = std::max(best, static_cast<double>(threads) * 2e-9 * kSize * kSize * kSize / SecondsSince(start));
  }
  return best;
}

std::vector<backend::CompactDomain> RandomDomains(const search::Target& target, int64_t outputs,
                                                  int64_t unstable) {
  std::mt19937 random(1);
  std::vector<backend::CompactDomain> domains(kDomains);
  for (backend::CompactDomain& domain : domains) {
    for (int64_t o = 0; o < outputs; ++o) {
      domain.output.push_back(static_cast<float>(target.output[static_cast<size_t>(o)]));
    }
    domain.offset = -1e6;  // none is refuted: all take their ten steps
    std::vector<char> taken(static_cast<size_t>(unstable), 0);
    for (int k = 0; k < kSplits && k < unstable; ++k) {
      const auto neuron = static_cast<int32_t>(random() % static_cast<uint32_t>(unstable));
      if (taken[static_cast<size_t>(neuron)]++ != 0) continue;
      domain.splits.push_back({neuron, random() % 2 == 0 ? 1.0f : -1.0f, 0.0f});
    }
  }
  return domains;
}

// One direction of a stage: rows, groups of at most eight of them, columns that the groups load, how many of
// these are different, and coefficients.
std::string Direction(const backend::GroupedRows& rows) {
  int64_t columns = 0, count = 0, entries = 0;
  for (const backend::PullGroup& group : rows.groups()) {
    count += group.rows;
    columns += group.columns;
    entries += group.columns * group.rows;
  }
  const std::set<int32_t> different(rows.columns().begin(), rows.columns().end());
  return absl::StrCat("Rows(", count, ", ", rows.groups().size(), ", ", columns, ", ", different.size(), ", ",
                      entries, ")");
}

void PrintShape(const backend::CompactNetwork& network) {
  const backend::ProgramRows rows(network, {.group_rows = 8, .lines_as_rows = true});
  std::printf("Left(inputs=%d, slots=%d, stages=[\n", network.inputs, network.slots);
  for (size_t s = 0; s < network.stages.size(); ++s) {
    const backend::CompactStage& stage = network.stages[s];
    const bool last = s + 1 == network.stages.size();
    std::printf("  Stage(%d, %s, %s, %s),\n", stage.size(), stage.source.empty() ? "False" : "True",
                Direction(rows.forward[s]).c_str(), last ? "None" : Direction(rows.backward[s]).c_str());
  }
  std::printf("], to_inputs=%s)\n", Direction(rows.to_inputs).c_str());
}

absl::Status Main(int argc, char** argv) {
  if (argc < 3)
    return absl::InvalidArgumentError("usage: domain_rate MODEL.onnx QUERY.vnnlib [THREADS [shape]]");
  const int64_t threads = argc > 3 ? std::atoll(argv[3]) : omp_get_num_procs();
  ESPALIER_ASSIGN_OR_RETURN(const Model model, Model::Load(ReadFile(argv[1])));
  ESPALIER_ASSIGN_OR_RETURN(const api::Property property, ReadQuery(model, ReadFile(argv[2])));
  const ir::Network& network = *model.impl().network;
  ESPALIER_ASSIGN_OR_RETURN(const auto backend, backend::MakeCpuBackend({.threads = threads}));
  ESPALIER_ASSIGN_OR_RETURN(const auto plan, bounds::Plan::Make(network, *backend));
  ESPALIER_ASSIGN_OR_RETURN(const search::Problem problem, search::MakeProblem(network, property));
  const api::Box& box = problem.boxes[static_cast<size_t>(problem.targets[0].box)];
  const absl::Time crown = absl::Now();
  ESPALIER_ASSIGN_OR_RETURN(
      bounds::DomainBounds bounds,
      bounds::ComputeIntermediate(*plan, bounds::InputBoxes{1, box.lower, box.upper}, {}, StopToken()));
  const double crown_s = SecondsSince(crown);
  const absl::Time refine = absl::Now();
  ESPALIER_RETURN_IF_ERROR(bounds::RefineBounds(*plan, {.iterations = 20}, StopToken(), bounds));
  const double refine_s = SecondsSince(refine);
  ESPALIER_ASSIGN_OR_RETURN(const auto relaxation, bounds::Relaxation<double>::Make(*plan, bounds.layers, 1));
  auto left =
      bounds::MakeCompactNetwork(*plan, bounds.boxes, bounds.layers, relaxation, bounds::kMostCompactWork);
  if (!left.has_value()) return absl::UnimplementedError("the network is too large to be listed");
  if (argc > 4 && std::string(argv[4]) == "shape") {
    PrintShape(*left);
    return absl::OkStatus();
  }
  const double flops = 2.0 * static_cast<double>(left->work()),
               unstable = static_cast<double>(left->unstable());
  std::vector<backend::CompactDomain> domains =
      RandomDomains(problem.targets[0], problem.outputs, left->unstable());
  ESPALIER_ASSIGN_OR_RETURN(const auto bounder, backend->MakeCompact(*left));
  double peak = SgemmRate(threads), seconds = 1e9;
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::vector<backend::CompactDomain> copy = domains;
    const absl::Time start = absl::Now();
    ESPALIER_RETURN_IF_ERROR(
        bounder->Bound(absl::MakeSpan(copy), {.iterations = kSteps, .candidates = 6, .slopes = true}));
    seconds = std::min(seconds, SecondsSince(start));
  }
  peak = std::max(peak, SgemmRate(threads));
  const double rate = static_cast<double>(kDomains) / seconds;
  const double speed = 1e-9 * rate * flops * static_cast<double>(2 * kSteps - 1);
  std::printf("threads %lld, sgemm %.0f GFLOP/s, CROWN %.2f s, refined %.2f s\n",
              static_cast<long long>(threads), peak, crown_s, refine_s);
  std::printf("a pass: %.3f MFLOP, left %.3f (%.0f %%), %.0f unstable neurons\n",
              1e-6 * plan->flops_per_pass(), 1e-6 * flops, 100 * flops / plan->flops_per_pass(), unstable);
  std::printf("domains/s %.0f, %.1f GFLOP/s on what is left: %.0f %% of sgemm\n", rate, speed,
              100 * speed / peak);
  return absl::OkStatus();
}

}  // namespace
}  // namespace espalier

int main(int argc, char** argv) {
  espalier::base::StartInLibraryEnvironment(argv);
  const absl::Status status = espalier::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
