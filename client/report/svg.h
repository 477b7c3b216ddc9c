// Drawing SVG as text, to stand inside an HTML page. Colours come from the page's style through classes, so
// that one drawing serves light and dark.
//
//   Svg svg(640, 320, "Accuracy over ratio");
//   svg.Line({0, 300}, {640, 300}, "axis");
//   svg.Text({320, 315}, "ratio", "label middle");
//   std::string element = svg.Finish();
#pragma once

#include <string>
#include <vector>

namespace espalier::client::report {

struct Point {
  double x = 0, y = 0;
};

// `text` with the characters that HTML and SVG treat as markup replaced.
std::string Escape(const std::string& text);

class Svg {
 public:
  // `title`: what a screen reader says.
  Svg(double width, double height, const std::string& title);

  void Line(Point from, Point to, const std::string& css);
  void Path(const std::vector<Point>& points, const std::string& css);
  void Circle(Point centre, double radius, const std::string& css, const std::string& tip = "");
  void Box(Point corner, Point size, const std::string& css, const std::string& tip = "");
  // `css` may hold "middle" or "end" for the anchor.
  void Text(Point at, const std::string& text, const std::string& css);

  // The whole element; nothing may be drawn any more.
  std::string Finish();

 private:
  std::string text_;
};

}  // namespace espalier::client::report
