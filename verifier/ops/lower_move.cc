// Operators that only copy elements, all lowered by one function: the operator itself is evaluated on a
// tensor of element numbers, and what comes out says which element went where. So a lowering can never
// disagree with the evaluation, and a Transpose or Reshape that leaves the stored order as it is costs no
// node.
#include <algorithm>
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// The node's inputs with the elements of the non-constant ones numbered in stored order, one range per input
// starting at 1, or all zero.
std::vector<Tensor> NumberedInputs(const OpContext& context, const Lowering& lowering, bool zero) {
  std::vector<Tensor> inputs(At(context.input_count()));
  int64_t next = 1;
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.HasInput(i)) continue;
    if (const Tensor* constant = context.Constant(i)) {
      inputs[At(i)] = *constant;
      if (constant->type == ElementType::kFloat32) {
        inputs[At(i)] = Tensor::FromDoubles(constant->shape, constant->ToDoubles());
      }
      continue;
    }
    const LoweredValue& x = lowering.Input(context, i);
    const std::vector<int64_t> position = StoredPositions(x.shape, x.layout);
    std::vector<double> numbers(position.size(), 0.0);
    for (size_t k = 0; k < numbers.size() && !zero; ++k) numbers[k] = static_cast<double>(next + position[k]);
    next += static_cast<int64_t>(numbers.size());
    inputs[At(i)] = Tensor::FromDoubles(x.shape, std::move(numbers));
  }
  return inputs;
}

absl::StatusOr<std::vector<Tensor>> Run(const OpContext& context, const Lowering& lowering, bool zero) {
  const std::vector<Tensor> inputs = NumberedInputs(context, lowering, zero);
  std::vector<const Tensor*> pointers;
  for (int i = 0; i < context.input_count(); ++i)
    pointers.push_back(context.HasInput(i) ? &inputs[At(i)] : nullptr);
  const OpContext widened(context.graph(), context.node(), /*widened=*/true);
  return FindOp(context.node().op, context.node().domain)->evaluate(widened, pointers);
}

bool IsIota(const std::vector<int64_t>& source, int64_t size) {
  if (static_cast<int64_t>(source.size()) != size) return false;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

// One moved value: which numbered element, if any, stands at each ONNX position, and constants elsewhere.
struct Moved {
  Shape shape;
  std::vector<int64_t> number;  // 0: constant
  std::vector<double> constant;
};

// Elements of `moved` that come from numbers [first, first + size), as indices from 0, in the stored order of
// `layout`; -1 elsewhere.
std::vector<int64_t> SourcesFrom(const Moved& moved, Layout layout, int64_t first, int64_t size) {
  const std::vector<int64_t> position = StoredPositions(moved.shape, layout);
  std::vector<int64_t> source(position.size(), -1);
  for (size_t k = 0; k < position.size(); ++k) {
    const int64_t index = moved.number[k] - first;
    if (moved.number[k] != 0 && index >= 0 && index < size) source[At(position[k])] = index;
  }
  return source;
}

LoweredValue Emit(const OpContext& context, Lowering& lowering, int output, const Moved& moved) {
  std::vector<LoweredValue> operands;
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.HasInput(i) && !context.Constant(i)) operands.push_back(lowering.Input(context, i));
  }
  std::vector<Layout> layouts{Lowering::CommonLayout(moved.shape, operands)};
  if (AllowsChannelsLast(moved.shape)) {
    layouts.push_back(layouts[0] == Layout::kRowMajor ? Layout::kChannelsLast : Layout::kRowMajor);
  }
  // A single operand whose stored order is kept needs no node, only another name for the order.
  for (Layout layout : layouts) {
    if (operands.size() != 1) break;
    const auto size = static_cast<int64_t>(StoredPositions(operands[0].shape, Layout::kRowMajor).size());
    if (IsIota(SourcesFrom(moved, layout, 1, size), size))
      return lowering.Relabel(operands[0], moved.shape, layout);
  }
  const Layout layout = layouts[0];
  std::vector<ir::AffineTerm> terms;
  int64_t first = 1;
  for (const LoweredValue& x : operands) {
    const auto size = static_cast<int64_t>(StoredPositions(x.shape, Layout::kRowMajor).size());
    ir::LinearMap map = ir::Simplify(ir::GatherMap(SourcesFrom(moved, layout, first, size), size));
    terms.push_back({x.node, MakeMap(std::move(map))});
    first += size;
  }
  const std::vector<int64_t> position = StoredPositions(moved.shape, layout);
  std::vector<double> bias(position.size());
  for (size_t k = 0; k < bias.size(); ++k) bias[At(position[k])] = moved.constant[k];
  return lowering.AddAffine(lowering.OutputName(context, output), std::move(terms), std::move(bias),
                            moved.shape, layout);
}

}  // namespace

absl::Status LowerMove(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<Tensor> constants, Run(context, lowering, /*zero=*/true));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<Tensor> numbered, Run(context, lowering, /*zero=*/false));
  for (size_t o = 0; o < numbered.size() && o < context.node().outputs.size(); ++o) {
    if (context.node().outputs[o] == ir::kNoValue) continue;
    Moved moved{lowering.OutputShape(context, static_cast<int>(o)), {}, constants[o].ToDoubles()};
    for (int64_t k = 0; k < numbered[o].size(); ++k) {
      // A copied constant comes out the same both times; an element of an operand as zero and as its number.
      const double difference = numbered[o].AsDouble(k) - moved.constant[At(k)];
      moved.number.push_back(static_cast<int64_t>(difference));
    }
    lowering.SetOutput(context, static_cast<int>(o), Emit(context, lowering, static_cast<int>(o), moved));
  }
  return absl::OkStatus();
}

absl::Status LowerCopy(const OpContext& context, Lowering& lowering) {
  if (context.node().op == "Cast") {
    const ir::ValueId output = context.node().outputs[0];
    const ElementType to = context.graph().values[At(output)].type;
    if (to != ElementType::kFloat32 && to != ElementType::kFloat64) {
      return context.Unsupported(
          "casts a value that depends on the input to a type that is not floating-point");
    }
  }
  lowering.SetOutput(context, 0, lowering.Input(context, 0));
  return absl::OkStatus();
}

}  // namespace espalier::ops
