#include "verifier/backend/cpu_compact_certifier.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "verifier/backend/compact_rows.h"
#include "verifier/backend/cpu_compact_kernels.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

constexpr int64_t kLanes = kCertifyLanes;

// More than the longest chain of additions and multiplications that one number goes through in a pass: a pull
// over the longest column, what lines and multipliers add to it, a piece of a sum, and the pieces of all
// sums.
double LongestChain(const CompactNetwork& network) {
  std::vector<int64_t> readers(static_cast<size_t>(network.slots), 0);
  for (const CompactStage& stage : network.stages) {
    for (int32_t c : stage.rows.column) ++readers[static_cast<size_t>(c)];
  }
  const int64_t stages = static_cast<int64_t>(network.stages.size()) + 1;
  const int64_t pieces = 2 * (network.slots / kCompactPiece + stages);
  return static_cast<double>(*std::max_element(readers.begin(), readers.end()) + stages + kCompactPiece +
                             pieces + 16);
}

// Immutable, shared by all threads.
struct Program {
  explicit Program(const CompactNetwork& source)
      : rows(source, {.group_rows = BestCompactKernels().group_rows, .with_forward = false}),
        chain(LongestChain(source)),
        network(WithoutRows(source)),
        kernels(BestCompactKernels().certify) {
    for (size_t i = 0; i < network.magnitude.size(); ++i) {
      weight.push_back(network.rounding[i] + chain * network.magnitude[i]);
      underflow += 1e-280 * network.magnitude[i];
    }
  }

  ProgramRowsOf<double> rows;
  double chain;
  // Each of fewer than 2^40 products may lose a denormal (2^-1074, far below 1e-280 roundoffs), times what it
  // meets.
  double underflow = 1e-280;
  CompactNetwork network;  // without rows
  const CertifyKernels& kernels;
  std::vector<double> weight;  // [slots] roundoffs that a coefficient of 1 on the row costs, pass included
};

class Tile {
 public:
  static absl::StatusOr<Tile> Make(const Program& program, Backend& backend) {
    Tile tile(program);
    const CompactNetwork& n = program.network;
    ESPALIER_ASSIGN_OR_RETURN(tile.slots_, Allocate<double>(backend, n.slots * kLanes));
    ESPALIER_ASSIGN_OR_RETURN(tile.alpha_, Allocate<double>(backend, n.unstable() * kLanes));
    tile.splits_.resize(n.stages.size());
    return tile;
  }

  // At most kLanes claims.
  void Run(absl::Span<CompactClaim> claims, size_t start) {
    claims_ = claims;
    start_ = start;
    Load();
    for (size_t s = start + 1; s-- > 0;) {
      program_->network.stages[s].source.empty() ? Affine(s) : Activation(s);
    }
    Inputs();
    for (size_t l = 0; l < claims_.size(); ++l) {
      claims_[l].bound = sum_[l];
      claims_[l].scale = scale_[l] + program_->chain * (size_[l] + std::fabs(sum_[l])) + program_->underflow;
    }
  }

 private:
  struct Split {
    size_t lane = 0;
    int64_t at = 0;  // of the neuron's coefficient in its stage
    double sign = 1, slope = 0, beta = 0, source = 0;
  };

  explicit Tile(const Program& program) : program_(&program) {}
  double* Slot(int32_t slot) { return slots_.data() + slot * kLanes; }
  void Load();
  void LoadSlopes();
  double SlopeOf(const CompactClaim& claim, size_t j, double lo, double hi) const;
  void LoadSplits(size_t lane);
  void Affine(size_t s);
  void Activation(size_t s);
  void Inputs();

  const Program* program_;
  absl::Span<CompactClaim> claims_;
  size_t start_ = 0;                        // stage whose rows are bounded
  Buffer<double> slots_, alpha_;            // [slots][lanes] coefficients; [unstable][lanes]
  std::vector<std::vector<Split>> splits_;  // per stage
  // Per lane: the bound so far; roundoffs of rows; magnitudes of what was summed.
  double sum_[kLanes] = {}, scale_[kLanes] = {}, size_[kLanes] = {};
};

void Tile::Load() {
  const int32_t begin = program_->network.stages[start_].begin;
  double* lambda = Slot(begin);
  // What lies behind the start reads slots before it, too.
  std::fill_n(lambda, (program_->network.slots - begin) * kLanes, 0.0);
  for (auto& stage : splits_) stage.clear();
  for (size_t l = 0; l < static_cast<size_t>(kLanes); ++l) {
    const bool used = l < claims_.size();
    sum_[l] = used ? claims_[l].offset : 0.0;
    size_[l] = std::fabs(sum_[l]);
    scale_[l] = 0;
    if (!used) continue;
    if (claims_[l].output.empty())
      lambda[claims_[l].unit * kLanes + static_cast<int64_t>(l)] = claims_[l].sign;
    for (size_t o = 0; o < claims_[l].output.size(); ++o) {
      lambda[static_cast<int64_t>(o) * kLanes + static_cast<int64_t>(l)] = claims_[l].output[o];
    }
    LoadSplits(l);
  }
  LoadSlopes();
}

double Tile::SlopeOf(const CompactClaim& claim, size_t j, double lo, double hi) const {
  if (j < claim.exact_slopes.size()) return std::clamp(static_cast<double>(claim.exact_slopes[j]), lo, hi);
  if (j < claim.slopes.size()) return std::min(lo + (hi - lo) * (claim.slopes[j] / 255.0), hi);
  return program_->network.lines.free_start[j];
}

void Tile::LoadSlopes() {
  const CompactLines& lines = program_->network.lines;
  for (size_t j = 0; j < static_cast<size_t>(lines.size()); ++j) {
    const double lo = std::min(lines.left[j], lines.right[j]), hi = std::max(lines.left[j], lines.right[j]);
    double* alpha = alpha_.data() + static_cast<int64_t>(j) * kLanes;
    for (size_t l = 0; l < static_cast<size_t>(kLanes); ++l) {
      alpha[l] = l < claims_.size() ? SlopeOf(claims_[l], j, lo, hi) : lines.free_start[j];
    }
  }
}

void Tile::LoadSplits(size_t lane) {
  const CompactNetwork& n = program_->network;
  for (const CompactSplit& split : claims_[lane].splits) {
    const auto u = static_cast<size_t>(split.neuron);
    const auto s = static_cast<size_t>(program_->rows.stage_of[u]);
    const int64_t neuron = split.neuron - n.stages[s].first_unstable;
    const auto source = static_cast<size_t>(n.stages[s].source[static_cast<size_t>(neuron)]);
    const bool right = split.sign > 0;
    // What the multiplier adds to the source's coefficient may cancel: it is paid for here.
    const double beta = std::max(0.0, static_cast<double>(split.beta));
    scale_[lane] += beta * program_->weight[source];
    splits_[s].push_back({lane, neuron * kLanes + static_cast<int64_t>(lane), right ? 1.0 : -1.0,
                          right ? n.lines.right[u] : n.lines.left[u], beta});
  }
}

void Tile::Affine(size_t s) {
  const CompactStage& stage = program_->network.stages[s];
  const CertifyKernels& k = program_->kernels;
  if (s != start_) {
    k.pull(program_->rows.backward[s].View(nullptr), slots_.data());
    for (int32_t r : program_->rows.relaxed_by[s]) {
      const CompactStage& relaxed = program_->network.stages[static_cast<size_t>(r)];
      k.scatter(static_cast<int64_t>(relaxed.source.size()), relaxed.source.data(), Slot(relaxed.begin),
                slots_.data());
    }
  }
  const auto count = static_cast<int64_t>(stage.bias.size());
  k.dot(count, stage.bias.data(), Slot(stage.begin), sum_);
  k.abs_dot(count, program_->weight.data() + stage.begin, Slot(stage.begin), scale_);
}

// A split neuron is linear in its lane: it is taken out of the tile's lines and put back on its own.
void Tile::Activation(size_t s) {
  const CompactStage& stage = program_->network.stages[s];
  const CompactLines& lines = program_->network.lines;
  program_->kernels.pull(program_->rows.backward[s].View(nullptr), slots_.data());
  double* lambda = Slot(stage.begin);
  for (Split& split : splits_[s]) split.source = std::exchange(lambda[split.at], 0.0);
  const auto first = static_cast<size_t>(stage.first_unstable);
  const double *left = lines.left.data() + first, *right = lines.right.data() + first;
  if (const CompactStage* cuts = CutsOf(program_->network, s); cuts != nullptr) {
    program_->kernels.cut_back({cuts->size(), cuts->cut_of.data(), left, right}, lambda, Slot(cuts->begin));
  }
  program_->kernels.lines({static_cast<int64_t>(stage.source.size()), left, right,
                           lines.chord_slope.data() + first, lines.chord_intercept.data() + first},
                          alpha_.data() + stage.first_unstable * kLanes, lambda, sum_, size_);
  for (const Split& split : splits_[s])
    lambda[split.at] = split.slope * split.source - split.beta * split.sign;
}

void Tile::Inputs() {
  const CompactNetwork& n = program_->network;
  program_->kernels.pull(program_->rows.to_inputs.View(nullptr), slots_.data());
  for (size_t l = 0; l < claims_.size(); ++l) {
    if (claims_[l].input == nullptr) continue;
    for (int64_t i = 0; i < n.inputs; ++i) {
      slots_.data()[i * kLanes + static_cast<int64_t>(l)] += claims_[l].input[i];
    }
  }
  for (size_t l = 0; l < claims_.size(); ++l) {
    for (int64_t i = 0; i < n.inputs && claims_[l].lambda != nullptr; ++i) {
      claims_[l].lambda[i] = slots_.data()[i * kLanes + static_cast<int64_t>(l)];
    }
  }
  program_->kernels.concretise(n.inputs, n.lower.data(), n.upper.data(), slots_.data(), sum_, size_);
}

class CpuCertifier final : public CompactCertifier {
 public:
  CpuCertifier(const CompactNetwork& network, CpuState& state) : program_(network), state_(state) {}

  absl::Status MakeTiles(Backend& backend) {
    for (int64_t t = 0; t < state_.threads; ++t) {
      ESPALIER_ASSIGN_OR_RETURN(Tile tile, Tile::Make(program_, backend));
      tiles_.push_back(std::move(tile));
    }
    return absl::OkStatus();
  }

  absl::Status Bound(absl::Span<CompactClaim> claims, int32_t start_stage) override {
    const size_t start =
        start_stage < 0 ? program_.network.stages.size() - 1 : static_cast<size_t>(start_stage);
    if (!state_.Going()) return state_.status();
    const auto count = static_cast<int64_t>(claims.size());
    const int64_t groups = (count + kLanes - 1) / kLanes;
    const auto team = static_cast<int>(std::clamp<int64_t>(groups, 1, state_.Team()));
#pragma omp parallel for schedule(dynamic) num_threads(team) if (team > 1)
    for (int64_t g = 0; g < groups; ++g) {
      if (state_.stop.StopRequested()) continue;
      tiles_[static_cast<size_t>(omp_get_thread_num())].Run(
          claims.subspan(static_cast<size_t>(g * kLanes), static_cast<size_t>(kLanes)), start);
    }
    return state_.Going() ? absl::OkStatus() : state_.status();
  }

  void SetLines(int32_t first, const CompactLines& lines) override {
    ReplaceLines(first, lines, program_.network.lines);
  }

 private:
  Program program_;
  CpuState& state_;
  std::vector<Tile> tiles_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CompactCertifier>> MakeCpuCertifier(const CompactNetwork& network,
                                                                   Backend& backend, CpuState& state) {
  auto certifier = std::make_unique<CpuCertifier>(network, state);
  ESPALIER_RETURN_IF_ERROR(certifier->MakeTiles(backend));
  return std::unique_ptr<CompactCertifier>(std::move(certifier));
}

}  // namespace espalier::backend
