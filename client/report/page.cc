#include "client/report/page.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/measurement_text.h"
#include "client/report/options_text.h"
#include "client/report/svg.h"

namespace espalier::client::report {
namespace {

constexpr char kStyle[] = R"css(
:root { color-scheme: light dark; --bg:#f7f6f2; --card:#ffffff; --ink:#1f2421; --soft:#6a716c; --rule:#e2e0d8;
  --good:#1d7a4c; --bad:#b3412c; --s0:#2c6fb0; --s1:#c4622d; --s2:#2b8a57; --s3:#8357a8; --s4:#b08a1e; --s5:#6a716c; }
@media (prefers-color-scheme: dark) { :root { --bg:#141716; --card:#1d2120; --ink:#e7e8e4; --soft:#9aa29d; --rule:#333936;
  --good:#63c793; --bad:#ef8a73; --s0:#6fb0ea; --s1:#f0985f; --s2:#63c793; --s3:#bb94dd; --s4:#dcb955; --s5:#9aa29d; } }
* { box-sizing:border-box }
body { margin:0; background:var(--bg); color:var(--ink); font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:860px; margin:0 auto; padding:40px 24px 64px }
h1 { font-size:28px; line-height:1.2; margin:0 0 4px; letter-spacing:-.01em }
h2 { font-size:17px; margin:0 0 12px }
h3 { font-size:14px; margin:20px 0 6px; color:var(--soft) }
p { margin:0 0 10px } .soft { color:var(--soft) } .subtitle { color:var(--soft); margin-bottom:24px }
section { background:var(--card); border:1px solid var(--rule); border-radius:10px; padding:20px 22px; margin:16px 0; overflow-x:auto }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(230px,1fr)); gap:12px; margin:16px 0 }
.tile { background:var(--card); border:1px solid var(--rule); border-radius:10px; padding:14px 16px }
.tile b { display:block; font-size:25px; font-weight:650; letter-spacing:-.02em } .tile span { color:var(--soft); font-size:13px; display:block }
.good { color:var(--good)!important } .bad { color:var(--bad)!important }
table + p,svg + table { margin-top:14px } table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; font-size:14px }
th { text-align:right; font-weight:600; color:var(--soft); border-bottom:1px solid var(--rule); padding:6px 8px }
td { text-align:right; padding:5px 8px; border-bottom:1px solid var(--rule) } tr:last-child td { border-bottom:0 }
th:first-child,td:first-child { text-align:left; padding-left:0 } tr.total td { font-weight:650 } tr.bad td { color:var(--bad) }
summary { cursor:pointer; color:var(--soft) }
table.text td,table.text th { text-align:left } td { overflow-wrap:break-word } table.text td { overflow-wrap:anywhere; min-width:4.5em }
pre { background:var(--bg); border:1px solid var(--rule); border-radius:6px; padding:10px 12px; white-space:pre-wrap; overflow-wrap:anywhere; font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace }
.mono td:last-child { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; font-size:12px }
.warning { border-left:3px solid var(--bad); padding:2px 0 2px 12px }
.legend { display:flex; flex-wrap:wrap; gap:6px 18px; font-size:13px; color:var(--soft); margin:0 0 8px }
.legend i { display:inline-block; width:11px; height:11px; border-radius:3px; margin-right:6px; vertical-align:-1px }
.columns { display:grid; grid-template-columns:repeat(auto-fit,minmax(300px,1fr)); gap:0 32px }
svg { width:100%; height:auto; display:block; font-family:inherit } svg text { fill:var(--ink); font-size:12px }
svg .tick { fill:var(--soft) } svg .middle { text-anchor:middle } svg .end { text-anchor:end } svg .inbar { fill:#fff; font-weight:600 }
svg .grid { stroke:var(--rule) } svg .axis { stroke:var(--soft) } svg .limit { stroke:var(--bad); stroke-dasharray:4 4 } svg .line { fill:none; stroke-width:2.2; stroke-linejoin:round }
svg .value { font-size:11px; paint-order:stroke; stroke:var(--card); stroke-width:3px }
@media (prefers-color-scheme: dark) { svg .inbar { fill:#101312 } }
@media print { body { background:#fff } section,.tile { break-inside:avoid } }
)css";

// The colours of the classes s0 to s5, wherever they stand.
std::string SeriesStyle() {
  std::string css;
  for (int i = 0; i < 6; ++i) {
    absl::StrAppend(&css, ".line.s", i, "{stroke:var(--s", i, ")} .dot.s", i, ",.bar.s", i, ",svg .value.s",
                    i, "{fill:var(--s", i, ")} ");
    absl::StrAppend(&css, ".key.s", i, "{background:var(--s", i, ")}\n");
  }
  return css;
}

// How a change reads: +1 better, -1 worse, 0 no matter.
int MoodOf(const MeasuredRow& row, double change) {
  if (change == 0) return 0;
  return (change > 0) == row.more_is_better ? 1 : -1;
}

const char* CssOf(int mood) {
  return mood > 0 ? "good" : mood < 0 ? "bad" : "soft";
}

// A cell's text; long names may be broken where people would break them.
std::string Cell(const std::string& text) {
  constexpr size_t kShort = 16;
  const std::string escaped = Escape(text);
  if (text.size() <= kShort) return escaped;
  return absl::StrReplaceAll(escaped, {{"_", "_<wbr>"}, {"/", "/<wbr>"}});
}

}  // namespace

Table::Table(const std::vector<std::string>& head) {
  html_ = "<tr>";
  for (const std::string& cell : head) absl::StrAppend(&html_, "<th>", Escape(cell), "</th>");
  html_ += "</tr>\n";
}

void Table::Row(const std::vector<std::string>& cells, const std::string& css) {
  absl::StrAppend(&html_, "<tr", css.empty() ? "" : " class=\"" + css + "\"", ">");
  for (const std::string& cell : cells) absl::StrAppend(&html_, "<td>", Cell(cell), "</td>");
  html_ += "</tr>\n";
}

std::string Table::Html() const {
  return absl::StrCat("<table>\n", html_, "</table>\n");
}

std::string Table::TextHtml() const {
  return absl::StrCat("<table class=\"text\">\n", html_, "</table>\n");
}

std::string Tiles(const std::vector<Tile>& tiles) {
  std::string html = "<div class=\"tiles\">\n";
  for (const Tile& tile : tiles) {
    absl::StrAppend(&html, "<div class=\"tile\"><span>", Escape(tile.label), "</span><b>", Escape(tile.value),
                    "</b><span class=\"", CssOf(tile.mood), "\">", Escape(tile.note), "</span></div>\n");
  }
  return html + "</div>\n";
}

std::string Section(const std::string& heading, const std::string& html) {
  return absl::StrCat("<section>\n<h2>", Escape(heading), "</h2>\n", html, "</section>\n");
}

std::string Paragraph(const std::string& text, const std::string& css) {
  return absl::StrCat("<p", css.empty() ? "" : " class=\"" + css + "\"", ">", Escape(text), "</p>\n");
}

std::string Details(const std::string& summary, const std::string& html) {
  return absl::StrCat("<details><summary>", Escape(summary), "</summary>\n", html, "</details>\n");
}

std::string Page(const std::string& title, const std::string& subtitle, const std::string& body) {
  return absl::StrCat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
                      Escape(title), "</title>\n<style>", kStyle, SeriesStyle(),
                      "</style>\n</head>\n<body>\n", "<main>\n<h1>", Escape(title), "</h1>\n",
                      Paragraph(subtitle, "subtitle"), body, "</main>\n</body>\n</html>\n");
}

std::string MeasurementTable(const std::string& base_name, const v1::Measurement& base,
                             const std::string& other_name, const v1::Measurement& other) {
  std::string html = absl::StrCat("<table>\n<tr><th></th><th>", Escape(base_name), "</th><th>",
                                  Escape(other_name), "</th><th>change</th></tr>\n");
  for (const MeasuredRow& row : MeasuredRows(base, other)) {
    const double before = row.value(base), after = row.value(other);
    absl::StrAppend(&html, "<tr><td>", Escape(row.name), "</td><td>", FormatValue(row, before), "</td><td>",
                    FormatValue(row, after), "</td><td class=\"", CssOf(MoodOf(row, after - before)), "\">",
                    FormatChange(row, after - before), "</td></tr>\n");
  }
  return html + "</table>\n";
}

std::string FileTable(const FileList& files) {
  Table table({"file", "path", "SHA-256"});
  for (const FileRecord& file : files) table.Row({file.role, file.path, file.sha256});
  return absl::StrCat("<div class=\"mono\">", table.TextHtml(), "</div>");
}

std::string OptionTable(const google::protobuf::Message& options) {
  Table table({"option", "value"});
  for (const auto& [name, value] : OptionsText(options)) table.Row({name, value});
  return table.Html();
}

}  // namespace espalier::client::report
