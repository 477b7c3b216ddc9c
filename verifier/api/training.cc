#include "verifier/api/training.h"

#include <type_traits>

#include "verifier/api/option_fields.h"

namespace espalier::api {
namespace {

const std::vector<OptionField<TrainOptions>>& TrainFields() {
  static const auto* fields = new std::vector<OptionField<TrainOptions>>{
#define ESPALIER_OPTION(...) ESPALIER_OPTION_FIELD(TrainOptions, __VA_ARGS__)
#include "verifier/api/train_options.def"
#undef ESPALIER_OPTION
  };
  return *fields;
}

const std::vector<OptionField<GraftOptions>>& GraftFields() {
  static const auto* fields = new std::vector<OptionField<GraftOptions>>{
#define ESPALIER_OPTION(...) ESPALIER_OPTION_FIELD(GraftOptions, __VA_ARGS__)
#include "verifier/api/graft_options.def"
#undef ESPALIER_OPTION
  };
  return *fields;
}

}  // namespace

const std::vector<OptionRow>& TrainOptionTable() {
  static const auto* table = new std::vector<OptionRow>(RowsOf(TrainFields()));
  return *table;
}

absl::Status CheckOptions(const TrainOptions& options) {
  return CheckFields(TrainFields(), options);
}

absl::Status SetOption(TrainOptions& options, const std::string& name, double value) {
  return SetField(TrainFields(), options, name, value);
}

double GetOption(const TrainOptions& options, const std::string& name) {
  return GetField(TrainFields(), options, name);
}

const std::vector<OptionRow>& GraftOptionTable() {
  static const auto* table = new std::vector<OptionRow>(RowsOf(GraftFields()));
  return *table;
}

absl::Status CheckOptions(const GraftOptions& options) {
  return CheckFields(GraftFields(), options);
}

absl::Status SetOption(GraftOptions& options, const std::string& name, double value) {
  return SetField(GraftFields(), options, name, value);
}

double GetOption(const GraftOptions& options, const std::string& name) {
  return GetField(GraftFields(), options, name);
}

}  // namespace espalier::api
