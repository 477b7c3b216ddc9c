// The frame of every HTML report: one file without references to others, light or dark as the reader's system
// is.
//
//   Table table({"layer", "neurons"});
//   table.Row({"relu1", "512"});
//   std::string html = Page("Grafted network", "net.onnx", Section("Layers", table.Html()));
#pragma once

#include <string>
#include <vector>

#include "client/training_files.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client::report {

// Columns after the first are aligned to the right. Cells are text; markup in them is escaped.
class Table {
 public:
  explicit Table(const std::vector<std::string>& head);
  void Row(const std::vector<std::string>& cells, const std::string& css = "");
  std::string Html() const;
  std::string TextHtml() const;  // every column aligned to the left

 private:
  std::string html_;
};

// Big numbers side by side.
struct Tile {
  std::string label, value, note;
  int mood = 0;  // of the note: +1 good, -1 bad, 0 neither
};
std::string Tiles(const std::vector<Tile>& tiles);

// `html` below a heading.
std::string Section(const std::string& heading, const std::string& html);
// `html` that is shown when the reader opens it.
std::string Details(const std::string& summary, const std::string& html);
std::string Paragraph(const std::string& text, const std::string& css = "");
std::string Page(const std::string& title, const std::string& subtitle, const std::string& body);

// Both networks' measurements and the change, green where it is for the better.
std::string MeasurementTable(const std::string& base_name, const v1::Measurement& base,
                             const std::string& other_name, const v1::Measurement& other);

std::string FileTable(const FileList& files);
// Name and value of every field of a message of options.
std::string OptionTable(const google::protobuf::Message& options);

}  // namespace espalier::client::report
