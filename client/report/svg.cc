#include "client/report/svg.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client::report {
namespace {

std::string Tip(const std::string& tip) {
  return tip.empty() ? "" : absl::StrCat("<title>", Escape(tip), "</title>");
}

}  // namespace

std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// Not stretched far beyond its own size, so that all charts of a page have letters of about one size.
Svg::Svg(double width, double height, const std::string& title)
    : text_(absl::StrFormat(
          "<svg viewBox=\"0 0 %g %g\" style=\"max-width:%gpx\" role=\"img\" aria-label=\"%s\">\n", width,
          height, 1.15 * width, Escape(title))) {}

void Svg::Line(Point from, Point to, const std::string& css) {
  absl::StrAppendFormat(&text_, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", css,
                        from.x, from.y, to.x, to.y);
}

void Svg::Path(const std::vector<Point>& points, const std::string& css) {
  std::string list;
  for (const Point& point : points) absl::StrAppendFormat(&list, "%.1f,%.1f ", point.x, point.y);
  absl::StrAppendFormat(&text_, "<polyline class=\"%s\" points=\"%s\"/>\n", css, list);
}

void Svg::Circle(Point centre, double radius, const std::string& css, const std::string& tip) {
  absl::StrAppendFormat(&text_, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">%s</circle>\n", css,
                        centre.x, centre.y, radius, Tip(tip));
}

void Svg::Box(Point corner, Point size, const std::string& css, const std::string& tip) {
  absl::StrAppendFormat(&text_,
                        "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">%s</rect>\n",
                        css, corner.x, corner.y, size.x, size.y, Tip(tip));
}

void Svg::Text(Point at, const std::string& text, const std::string& css) {
  absl::StrAppendFormat(&text_, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", css, at.x, at.y,
                        Escape(text));
}

std::string Svg::Finish() {
  text_ += "</svg>\n";
  return std::move(text_);
}

}  // namespace espalier::client::report
