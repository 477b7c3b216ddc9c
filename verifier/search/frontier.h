// Frontier: what a search has not proved yet, as it is saved and read back.
//
//   std::string bytes = EncodeFrontier(frontier, key);
//   ESPALIER_ASSIGN_OR_RETURN(Frontier frontier, DecodeFrontier(bytes, key, problem, plan));
//
// It states claims, never a bound: of every target either that it is refuted, or parts of its box outside of
// which it is. A part is a set of sides of neurons (ReLU splits) or a box inside the box (input splits).
// Bounds come along only to order the search.
//
// Bytes: magic, format, key, body, checksum. Domains are sorted by their splits and share prefixes, numbers
// are varints.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/fingerprint.h"
#include "verifier/search/problem.h"

namespace espalier::search {

// Domains of one target. A literal is 2 · neuron + (1 for pre-activation >= 0, 0 for <= 0), where neurons are
// numbered over all activations (Plan::activation_begin). No literal: the whole box.
struct SplitParts {
  std::vector<uint32_t> literals;  // of all domains, each in the order of its splits
  std::vector<uint64_t> end;       // of each domain's literals
  std::vector<float> bound;        // of each domain

  size_t count() const { return end.size(); }
  uint64_t begin(size_t d) const { return d == 0 ? 0 : end[d - 1]; }
  void Close(double b) {
    end.push_back(literals.size());
    bound.push_back(static_cast<float>(b));
  }
  void Append(const SplitParts& other) {
    const uint64_t offset = literals.size();
    literals.insert(literals.end(), other.literals.begin(), other.literals.end());
    for (uint64_t e : other.end) end.push_back(offset + e);
    bound.insert(bound.end(), other.bound.begin(), other.bound.end());
  }
};

// A part of a box, of its free inputs.
struct BoxPart {
  int32_t box = 0;
  float bound = 0;
  std::vector<double> lower, upper;
  std::vector<int32_t> targets;
};

// How far the ReLU search of a box has come: all its targets together, or each with bounds of its own.
enum class BoxStage : uint8_t { kFresh, kTogether, kEach };

struct Frontier {
  bool inputs_split = false;
  int64_t domains = 0, splits = 0, max_open = 0;  // spent so far
  double seconds = 0;
  std::vector<uint8_t> refuted;        // per target
  std::vector<BoxStage> stages;        // per box, ReLU splits
  std::map<int32_t, SplitParts> open;  // targets with a search under way; any other has its whole box left
  std::vector<BoxPart> boxes;          // input splits: all that is left

  // Whether some search got under way.
  bool begun() const {
    return inputs_split || std::any_of(stages.begin(), stages.end(),
                                       [](BoxStage stage) { return stage != BoxStage::kFresh; });
  }
};

// Of what the frontier's numbers refer to: the lowered network, the property as the search sees it, the
// engine's version.
base::Fingerprint::Value FrontierKey(const Problem& problem, const ir::Network& network,
                                     std::string_view version);

std::string EncodeFrontier(const Frontier& frontier, const base::Fingerprint::Value& key);

// INVALID_ARGUMENT with the reason for bytes that are damaged, of another key, or that state what cannot be.
absl::StatusOr<Frontier> DecodeFrontier(std::string_view bytes, const base::Fingerprint::Value& key,
                                        const Problem& problem, int64_t neurons);

}  // namespace espalier::search
