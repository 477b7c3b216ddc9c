// Cuts of a compact network: planes (bounds/hull_plane.h) that bound unstable neurons on the side of the
// chord, as stages that an optimisation mixes with the chord domain by domain (backend/compact.h,
// CompactStage).
//
//   CutMaker maker(network);
//   maker.Know(RangesOfUnstable(layers, left.unstable));
//   if (maker.Improve({domain.point, domain.coefficients})) {
//     const CutNetwork cut = maker.Make(CutNumbers::kBehind);
//     ESPALIER_ASSIGN_OR_RETURN(auto bounder, backend.MakeCompact(cut.network));
//     ...                                  // bound the domain there, and improve at its point there
//   }
//
// Valid where the network and the bounds are: below the same root, for the same disjunct where these assume
// one.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "verifier/backend/compact.h"
#include "verifier/bounds/cut_points.h"
#include "verifier/bounds/hull_plane.h"
#include "verifier/bounds/relaxation.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

// Certified bounds of the unstable neurons' pre-activations, [unstable].
struct NeuronRanges {
  std::vector<double> lower, upper;
};
NeuronRanges RangesOfUnstable(const std::vector<LayerBox>& layers,
                              const std::vector<std::vector<int32_t>>& unstable);

// Where planes shall be low: CompactDomain's `point` and `coefficients` of the same network.
struct CutPoint {
  absl::Span<const float> values, coefficients;
};

// How the neurons of a network with cuts are numbered.
enum class CutNumbers {
  kBehind,   // all others as before, cuts behind them: for the slopes of domains
  kInPlace,  // as the stages come: for rows of inner stages
};

struct CutNetwork {
  backend::CompactNetwork network;
  std::vector<int32_t> slot_of;    // [slots without cuts] where they are now; -1: left out
  std::vector<int32_t> neuron_of;  // [unstable without cuts] their numbers now; -1: left out
};

struct CutPlane {
  std::vector<double> coefficients;  // of what the neuron's row reads
  double constant = 0;               // PlaneConstant of these
  int64_t points = 0;                // at which it is a mean of the lowest planes; 0: no plane
};

// Not for several threads at once.
class CutMaker {
 public:
  // `network`: without cuts; outlives the maker.
  explicit CutMaker(const backend::CompactNetwork& network);
  // What unstable neurons before number `end` (-1: all) are known to be, for good, as are their chords: they
  // can be given planes from now on.
  void Know(const NeuronRanges& ranges, int32_t end = -1);
  // Gives a plane to each unstable neuron that the point puts on its chord and that has one notably below it
  // there, or moves the neuron's plane toward it. `point` is in slots of `network`. False: nothing changed.
  bool Improve(const CutPoint& point);
  // Gives planes that are low at `points` to neurons that have become known since it was called last. False:
  // to none of them.
  bool Place(const CutPoints& points);
  bool HasPlane(size_t unstable) const { return planes_[unstable].points > 0; }
  // The planes as stages. In place, up to the activation of unstable neuron number end - 1 (-1: to the
  // outputs): rows of that activation need nothing of what follows it.
  CutNetwork Make(CutNumbers numbers, int32_t end = -1) const;

 private:
  bool ImproveNeuron(const HullNeuron& neuron, float coefficient, absl::Span<const float> point,
                     CutPlane& plane) const;

  bool PlaceNeuron(const HullNeuron& neuron, int32_t origin, const CutPoints& points,
                   std::vector<float>& scratch, CutPlane& plane) const;

  const backend::CompactNetwork& network_;
  SlotRanges ranges_;             // of the slots of `stages_` stages
  size_t stages_ = 0;             // whose neurons are known
  size_t placed_ = 0;             // stages whose neurons Place() has seen
  std::vector<CutPlane> planes_;  // [unstable]
};

}  // namespace espalier::bounds
