#include "client/report/charts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "client/report/axes.h"

namespace espalier::client::report {
namespace {

constexpr double kWidth = 720;
constexpr double kLabelStep = 13;  // lines of labels that would overlap are moved apart to this

std::string Class(const char* first, size_t series) {
  return absl::StrCat(first, " s", series % 6);
}

size_t ColourOf(const std::vector<size_t>& colours, size_t series) {
  return series < colours.size() ? colours[series] : series;
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

std::string Draw(const LineChart& chart) {
  std::vector<double> xs, ys;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
  }
  Axes axes{.x = AxisOver(xs, /*log=*/false), .y = AxisOver(ys, chart.log_y)};
  axes.x.label = chart.x_label;
  axes.y.label = chart.y_label;
  axes.x.unit = axes.y.unit = chart.unit;
  if (chart.x_max > 0) axes.x.max = chart.x_max;
  if (chart.y_max > 0) axes.y.max = chart.y_max;
  Svg svg(axes.PageWidth(), axes.PageHeight(), chart.title);
  axes.Draw(svg);
  std::vector<PointLabel> labels;
  for (size_t s = 0; s < chart.series.size(); ++s) {
    std::vector<Point> path;
    for (const Point& point : chart.series[s].points) path.push_back(axes(point));
    svg.Path(path, Class("line", ColourOf(chart.colours, s)));
    for (size_t i = 0; chart.label_points && i < path.size(); ++i) {
      const std::string value = AxisNumber(chart.series[s].points[i].y);
      svg.Circle(path[i], 3.5, Class("dot", s),
                 absl::StrCat(chart.series[s].name, ": ", value, chart.unit, " at ",
                              AxisNumber(chart.series[s].points[i].x), chart.unit));
      labels.push_back({path[i], path[i].y - 7, value, s});
    }
  }
  Spread(labels);
  const double left_edge = axes({axes.x.min, axes.y.min}).x;
  for (const PointLabel& label : labels) {
    const bool first = label.at.x < left_edge + 1;
    svg.Text({label.at.x + (first ? 6 : 0), label.y}, label.text,
             Class(first ? "value" : "value middle", label.series));
  }
  return svg.Finish();
}

std::string Draw(const ScatterChart& chart) {
  std::vector<double> xs, ys;
  for (const ScatterChart::Mark& mark : chart.marks) {
    xs.push_back(mark.at.x);
    ys.push_back(mark.at.y);
  }
  Axes axes{.x = AxisOver(xs, chart.log_x), .y = AxisOver(ys, /*log=*/true)};
  if (chart.limit > 0) {
    std::vector<double> both = xs;
    both.insert(both.end(), ys.begin(), ys.end());
    both.push_back(chart.limit);
    axes = {.x = AxisOver(both, true), .y = AxisOver(both, true), .width = 400, .height = 400};
    axes.x.max = axes.y.max = 1.25 * std::max(chart.limit, *std::max_element(both.begin(), both.end()));
  }
  axes.x.label = chart.x_label;
  axes.y.label = chart.y_label;
  axes.y.max *= 1.15;  // so that marks at the limit do not touch the label
  Svg svg(axes.PageWidth(), axes.PageHeight(), chart.title);
  axes.Draw(svg);
  if (chart.limit > 0) {
    svg.Line(axes({axes.x.min, axes.y.min}), axes({axes.x.max, axes.y.max}), "axis");
    svg.Line(axes({chart.limit, axes.y.min}), axes({chart.limit, axes.y.max}), "limit");
    svg.Line(axes({axes.x.min, chart.limit}), axes({axes.x.max, chart.limit}), "limit");
  }
  for (const ScatterChart::Mark& mark : chart.marks)
    svg.Circle(axes(mark.at), 3.2, Class("dot", ColourOf(chart.colours, mark.series)), mark.tip);
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
      const std::string value = AxisNumber(row.values[v]) + chart.unit;
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
