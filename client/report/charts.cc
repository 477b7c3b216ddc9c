#include "client/report/charts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client::report {
namespace {

constexpr double kWidth = 720, kLeft = 62, kRight = 28, kTop = 18, kPlotHeight = 280, kBottom = 48;
constexpr double kLabelStep = 13;  // lines of labels that would overlap are moved apart to this

std::string Class(const char* first, size_t series) {
  return absl::StrCat(first, " s", series % 6);
}

size_t ColourOf(const std::vector<size_t>& colours, size_t series) {
  return series < colours.size() ? colours[series] : series;
}

std::string Number(double value) {
  return std::abs(value) >= 100 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
}

// Where values are on the page.
struct Scale {
  double x_max, y_max;
  Point operator()(Point value) const {
    return {kLeft + (kWidth - kLeft - kRight) * value.x / x_max,
            kTop + kPlotHeight * (1 - std::clamp(value.y / y_max, 0.0, 1.0))};
  }
};

double TickStep(double range) {
  for (const double steps : {5.0, 4.0}) {
    const double step = range / steps;
    const double power = std::pow(10, std::floor(std::log10(step)));
    const double digit = step / power;
    if (std::abs(digit - std::round(digit * 2) / 2) < 1e-9) return step;
  }
  return range / 5;
}

void DrawAxes(const LineChart& chart, const Scale& scale, Svg& svg) {
  const double y_step = TickStep(scale.y_max), x_step = TickStep(scale.x_max);
  for (double y = 0; y <= scale.y_max * 1.0001; y += y_step) {
    const Point at = scale({0, y});
    svg.Line(at, {kWidth - kRight, at.y}, "grid");
    svg.Text({at.x - 8, at.y + 4}, Number(y) + chart.unit, "tick end");
  }
  for (double x = 0; x <= scale.x_max * 1.0001; x += x_step) {
    const Point at = scale({x, 0});
    svg.Line(at, {at.x, at.y + 5}, "axis");
    svg.Text({at.x, at.y + 20}, Number(x) + chart.unit, "tick middle");
  }
  svg.Line(scale({0, 0}), scale({scale.x_max, 0}), "axis");
  svg.Text({(kLeft + kWidth - kRight) / 2, kTop + kPlotHeight + 42}, chart.x_label, "label middle");
}

struct PointLabel {
  Point at;  // of the point
  double y;  // of the label
  std::string text;
  size_t series;
};

// Labels of points at the same x, moved apart where they would overlap.
void Spread(std::vector<PointLabel>& labels) {
  std::sort(labels.begin(), labels.end(), [](const PointLabel& a, const PointLabel& b) {
    return a.at.x != b.at.x ? a.at.x < b.at.x : a.y < b.y;
  });
  for (size_t i = 1; i < labels.size(); ++i) {
    const bool same = labels[i].at.x - labels[i - 1].at.x < 1;
    if (same) labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelStep);
  }
}

}  // namespace

double NiceCeiling(double value) {
  const bool positive = value > 0 && std::isfinite(value);
  if (!positive) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (value <= digit * power * 1.0001) return digit * power;
  }
  return 10 * power;
}

std::string Draw(const LineChart& chart) {
  Scale scale{chart.x_max, chart.y_max};
  double x_most = 0, y_most = 0;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      x_most = std::max(x_most, point.x);
      y_most = std::max(y_most, point.y);
    }
  }
  if (scale.x_max <= 0) scale.x_max = NiceCeiling(x_most);
  if (scale.y_max <= 0) scale.y_max = NiceCeiling(y_most);
  Svg svg(kWidth, kTop + kPlotHeight + kBottom, chart.title);
  DrawAxes(chart, scale, svg);
  std::vector<PointLabel> labels;
  for (size_t s = 0; s < chart.series.size(); ++s) {
    std::vector<Point> path;
    for (const Point& point : chart.series[s].points) path.push_back(scale(point));
    svg.Path(path, Class("line", s));
    for (size_t i = 0; chart.label_points && i < path.size(); ++i) {
      const std::string value = Number(chart.series[s].points[i].y);
      svg.Circle(path[i], 3.5, Class("dot", s),
                 absl::StrCat(chart.series[s].name, ": ", value, chart.unit, " at ",
                              Number(chart.series[s].points[i].x), chart.unit));
      labels.push_back({path[i], path[i].y - 7, value, s});
    }
  }
  Spread(labels);
  for (const PointLabel& label : labels) {
    const bool first = label.at.x < kLeft + 1;
    svg.Text({label.at.x + (first ? 6 : 0), label.y}, label.text,
             Class(first ? "value" : "value middle", label.series));
  }
  return svg.Finish();
}

std::string Draw(const BarChart& chart) {
  constexpr double kName = 190, kBar = 15, kGap = 12, kValue = 90;
  double most = 0;
  for (const BarChart::Row& row : chart.rows) {
    const double sum = std::accumulate(row.values.begin(), row.values.end(), 0.0);
    for (const double value : row.values) most = std::max(most, chart.stacked ? sum : value);
  }
  const double x_max = chart.x_max > 0 ? chart.x_max : std::max(most, 1e-12);
  const double bars = chart.stacked ? 1 : static_cast<double>(chart.series.size());
  const double bar = chart.stacked ? 24 : kBar;
  const double row_height = bars * bar + kGap;
  const double width = kWidth - kName - kValue;
  Svg svg(kWidth, static_cast<double>(chart.rows.size()) * row_height + 4, chart.title);
  for (size_t r = 0; r < chart.rows.size(); ++r) {
    const BarChart::Row& row = chart.rows[r];
    const double top = static_cast<double>(r) * row_height + 4;
    svg.Text({kName - 10, top + bars * bar / 2 + 4}, row.name, "label end");
    double x = kName;
    for (size_t v = 0; v < row.values.size(); ++v) {
      const double length = width * std::clamp(row.values[v] / x_max, 0.0, 1.0);
      const double y = chart.stacked ? top : top + static_cast<double>(v) * bar;
      const std::string value = Number(row.values[v]) + chart.unit;
      svg.Box({x, y}, {length, bar - 2}, Class("bar", ColourOf(chart.colours, v)),
              absl::StrCat(chart.series[v], ": ", value));
      if (!chart.stacked) {
        svg.Text({x + length + 6, y + bar - 4}, value, "tick");
      } else {
        if (length > 44) svg.Text({x + length / 2, y + 15}, value, "inbar middle");
        x += length;
      }
    }
  }
  return svg.Finish();
}

std::string Legend(const std::vector<std::string>& names, const std::vector<size_t>& colours) {
  std::string html = "<p class=\"legend\">";
  for (size_t i = 0; i < names.size(); ++i) {
    absl::StrAppend(&html, "<span><i class=\"", Class("key", ColourOf(colours, i)), "\"></i>",
                    Escape(names[i]), "</span>");
  }
  return html + "</p>\n";
}

}  // namespace espalier::client::report
