#include "client/report/axes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace espalier::client::report {
namespace {

constexpr double kLeft = 62, kRight = 28, kTop = 18, kBottom = 48;

double TickStep(double range) {
  for (const double steps : {5.0, 4.0}) {
    const double step = range / steps;
    const double power = std::pow(10, std::floor(std::log10(step)));
    const double digit = step / power;
    if (std::abs(digit - std::round(digit * 2) / 2) < 1e-9) return step;
  }
  return range / 5;
}

std::vector<double> LogTicks(double min, double max) {
  const double decades = std::log10(max / min);
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(min))); power <= max * 1.0001; power *= 10) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * power;
      const bool shown = digit == 1 || decades < 2.5;
      if (shown && tick >= min * 0.9999 && tick <= max * 1.0001) ticks.push_back(tick);
    }
  }
  return ticks;
}

}  // namespace

double Axis::Position(double value) const {
  const double share =
      log ? std::log(std::max(value, min) / min) / std::log(max / min) : (value - min) / (max - min);
  return std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 1.0;
}

std::vector<double> Axis::Ticks() const {
  if (log) return LogTicks(min, max);
  std::vector<double> ticks;
  const double step = TickStep(max - min);
  for (int i = 0; min + i * step <= max + 0.0001 * (max - min); ++i) ticks.push_back(min + i * step);
  return ticks;
}

Axis AxisOver(const std::vector<double>& values, bool log) {
  double least = HUGE_VAL, most = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    most = std::max(most, value);
    if (value > 0) least = std::min(least, value);
  }
  Axis axis{.max = NiceCeiling(most), .log = log};
  if (!log) return axis;
  axis.min = least < HUGE_VAL ? std::pow(10, std::floor(std::log10(least) + 1e-9)) : 0.1;
  axis.max = std::max(axis.max, 10 * axis.min);
  return axis;
}

double Axes::PageWidth() const {
  return kLeft + width + kRight;
}

double Axes::PageHeight() const {
  return kTop + height + kBottom;
}

Point Axes::operator()(Point value) const {
  return {kLeft + width * x.Position(value.x), kTop + height * (1 - y.Position(value.y))};
}

void Axes::Draw(Svg& svg) const {
  for (const double tick : y.Ticks()) {
    const Point at = (*this)({x.min, tick});
    svg.Line(at, {kLeft + width, at.y}, "grid");
    svg.Text({at.x - 8, at.y + 4}, AxisNumber(tick) + y.unit, "tick end");
  }
  for (const double tick : x.Ticks()) {
    const Point at = (*this)({tick, y.min});
    svg.Line(at, {at.x, at.y + 5}, "axis");
    svg.Text({at.x, at.y + 20}, AxisNumber(tick) + x.unit, "tick middle");
  }
  svg.Line((*this)({x.min, y.min}), (*this)({x.max, y.min}), "axis");
  svg.Text({kLeft + width / 2, kTop + height + 42}, x.label, "label middle");
  if (!y.label.empty()) svg.Text({kLeft + 6, kTop - 5}, y.label, "tick");
}

std::string AxisNumber(double value) {
  return std::abs(value) >= 100 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
}

double NiceCeiling(double value) {
  const bool positive = value > 0 && std::isfinite(value);
  if (!positive) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (value <= digit * power * 1.0001) return digit * power;
  }
  return 10 * power;
}

}  // namespace espalier::client::report
