// Charts of the reports, as SVG elements. Series and parts take the classes s0, s1, ... in order; the page's
// style gives them their colours.
//
//   LineChart chart{.title = "Trade-off", .x_label = "grafted neurons"};
//   chart.series = {{"clean accuracy", {{0, 78}, {50, 72}}}};
//   std::string element = Draw(chart);
#pragma once

#include <string>
#include <vector>

#include "client/report/svg.h"

namespace espalier::client::report {

struct Series {
  std::string name;
  std::vector<Point> points;  // by increasing x
};

struct LineChart {
  std::string title, x_label, y_label;
  std::string unit = {};  // after the numbers of both axes' ticks and labels: " %"
  double x_max = 0;       // the axes begin at 0; 0: the largest value, rounded up
  double y_max = 0;
  bool label_points = true;  // the y value beside each point
  std::vector<Series> series = {};
};
std::string Draw(const LineChart& chart);

// One row for each thing, with one bar for each series from 0 on.
struct BarChart {
  struct Row {
    std::string name;
    std::vector<double> values;  // one for each of `series`
  };
  std::string title;
  std::vector<std::string> series = {};
  std::vector<Row> rows = {};
  bool stacked = false;  // one bar of parts after each other instead of bars below each other
  double x_max = 0;      // 0: the largest value
  std::string unit = {};
  std::vector<size_t> colours = {};  // of the series; empty: 0, 1, ...
};
std::string Draw(const BarChart& chart);

// Names and colours of the series, as HTML; `colours` as above.
std::string Legend(const std::vector<std::string>& names, const std::vector<size_t>& colours = {});

// The smallest 1, 2 or 5 times a power of ten that is not below `value`; 1 for what is not positive.
double NiceCeiling(double value);

}  // namespace espalier::client::report
