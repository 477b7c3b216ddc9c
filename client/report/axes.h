// The two axes of a chart: where a value is on the page, ticks, labels.
//
//   Axes axes{.x = {.label = "solved", .max = 100}, .y = {.label = "seconds", .min = 0.01, .max = 60, .log =
//   true}}; Svg svg(axes.PageWidth(), axes.PageHeight(), "title"); axes.Draw(svg); svg.Circle(axes({42,
//   0.5}), 3, "dot s0");
#pragma once

#include <string>
#include <vector>

#include "client/report/svg.h"

namespace espalier::client::report {

struct Axis {
  std::string label = {};
  std::string unit = {};  // after the numbers of the ticks: " %"
  double min = 0, max = 1;
  bool log = false;  // then min is positive

  // From 0 at the left or bottom to 1; values outside are put on the edge.
  double Position(double value) const;
  std::vector<double> Ticks() const;
};

// An axis that holds all of `values`: from 0, or between powers of ten around the positive ones.
Axis AxisOver(const std::vector<double>& values, bool log);

struct Axes {
  Axis x, y;
  double width = 630, height = 280;  // of the plot itself

  double PageWidth() const;
  double PageHeight() const;
  Point operator()(Point value) const;
  void Draw(Svg& svg) const;
};

// As ticks and labels write it.
std::string AxisNumber(double value);

// The smallest 1, 2 or 5 times a power of ten that is not below `value`; 1 for what is not positive.
double NiceCeiling(double value);

}  // namespace espalier::client::report
