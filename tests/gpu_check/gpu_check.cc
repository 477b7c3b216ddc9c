// Everything about this machine's card in one run: the conformance suite, speed against cuBLAS and against a
// copy, verdicts of queries. Started from its bundle's folder (scripts/gpu_check); writes report.json and
// report.txt.
//
//   gpu_check [--device N] [--models FOLDER] [--report FOLDER] [--conformance FILE] [--small]
//   [--no-sanitizer]
//
// Exit status: 0 everything passed, 1 something did not, 77 there is no card.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cuda_kernels/cuda_backend.h"
#include "tests/gpu_check/products.h"
#include "tests/gpu_check/report.h"
#include "tests/gpu_check/search_rate.h"

namespace espalier::gpu_check {
namespace {

struct Settings {
  int device = 0;
  std::filesystem::path models, report, conformance;
  bool small = false;  // shapes and times of a test of this program itself
  bool sanitize = true;
};

template <class Value>
void Take(const char* part, absl::StatusOr<Value> result, Value& value, Report& report) {
  if (result.ok()) {
    value = *std::move(result);
  } else {
    report.errors.push_back(absl::StrCat(part, ": ", std::string(result.status().message())));
  }
}

Report Check(const Settings& settings) {
  Report report;
  const auto cards = cuda_kernels::CudaDevices();
  if (!cards.ok() || settings.device >= static_cast<int>(cards->size())) {
    report.no_card = cards.ok() ? "no card of that number" : std::string(cards.status().message());
    return report;
  }
  report.card = (*cards)[static_cast<size_t>(settings.device)];
  std::cerr << "conformance ...\n";
  report.conformance =
      RunConformance(settings.conformance, settings.report / "conformance.log", settings.sanitize);
  ProductSettings products{.device = settings.device};
  TrafficSettings traffic{.device = settings.device};
  SearchSettings search{.device = settings.device};
  if (settings.small) {
    products.flops = 1e6, products.least_seconds = 0;
    traffic.rows = 8, traffic.neurons = 96, traffic.least_seconds = 0;
    search.domains = {3, 40}, search.pixels = 8, search.least_seconds = 0;
  }
  std::cerr << "products ...\n";
  Take("products", MeasureProducts(products), report.products, report);
  std::cerr << "kernels ...\n";
  Take("kernels", MeasureTraffic(traffic), report.traffic, report);
  std::cerr << "search ...\n";
  // What the card's best product reaches is the yardstick.
  double product_rate = 1;
  for (const Measurement& m : report.products)
    product_rate = std::max(product_rate, m.flops / m.limit_seconds);
  Take("search", MeasureSearch(search, product_rate), report.search, report);
  std::cerr << "queries ...\n";
  Take("queries", RunQueries(settings.models, settings.device + 1, 600), report.queries, report);
  return report;
}

bool Write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  return out.flush().good();
}

int Main(int argc, char** argv) {
  Settings settings;
  std::filesystem::path own_folder = std::filesystem::path(argv[0]).parent_path();
  if (own_folder.empty()) own_folder = ".";
  settings.models = own_folder / "models";
  settings.conformance = own_folder / "gpu_conformance";
  settings.report = ".";
  CLI::App app("Checks and measures the CUDA backend on this machine's card.");
  app.add_option("--device", settings.device, "which card, as the CUDA runtime counts");
  app.add_option("--models", settings.models, "folder with index.csv, networks and queries");
  app.add_option("--conformance", settings.conformance, "the conformance suite's program");
  app.add_option("--report", settings.report, "where report.json, report.txt and conformance.log go");
  app.add_flag("--small", settings.small,
               "tiny shapes: whether this program works, not how fast the card is");
  app.add_flag("!--no-sanitizer", settings.sanitize, "never start compute-sanitizer");
  CLI11_PARSE(app, argc, argv);
  const Report report = Check(settings);
  std::cout << AsText(report);
  if (!Write(settings.report / "report.json", AsJson(report)) ||
      !Write(settings.report / "report.txt", AsText(report))) {
    std::cerr << "the report cannot be written to " << settings.report << "\n";
    return 1;
  }
  if (report.card.empty()) return 77;
  return report.passed() ? 0 : 1;
}

}  // namespace
}  // namespace espalier::gpu_check

int main(int argc, char** argv) {
  return espalier::gpu_check::Main(argc, argv);
}
