// Models as text.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "espalier/v1/model.pb.h"

namespace espalier::client {

// "472 B", "8.5 MB", "2.1 GB".
std::string SizeText(int64_t bytes);

// What a model is: inputs, outputs, operators, layers, and every node that cannot be verified.
std::string DescriptionText(const v1::ModelDescription& model);

// A header and one line a model: size, times since it came and was used, whether it is in use, digest.
std::string ModelTable(const std::vector<v1::StoredModel>& models, absl::Time now);

// One model that a server keeps, and what it is.
std::string ModelText(const v1::StoredModel& model);

}  // namespace espalier::client
