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
  bool log_y = false;        // then the y axis begins below the least positive value
  bool label_points = true;  // the y value beside each point
  std::vector<Series> series = {};
  std::vector<size_t> colours = {};  // of the series; empty: 0, 1, ...
};
std::string Draw(const LineChart& chart);

// Points over a logarithmic y axis. With a limit, both axes are alike and logarithmic, the diagonal and the
// limit are drawn: for times of one program against those of another.
struct ScatterChart {
  struct Mark {
    Point at;
    size_t series = 0;
    std::string tip = {};
  };
  std::string title, x_label, y_label;
  bool log_x = false;
  double limit = 0;
  std::vector<size_t> colours = {};  // of the series; empty: 0, 1, ...
  std::vector<Mark> marks = {};
};
std::string Draw(const ScatterChart& chart);

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

}  // namespace espalier::client::report
