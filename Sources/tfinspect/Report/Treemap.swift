import CommandSupport
import TensorCore
import TransformerKit

/// Tensors as tiles, whose areas are their numbers of elements.
///
/// The picture grows and shrinks as a whole, so what fits into a tile here fits it on every screen and
/// on paper. A narrow screen has a picture of its own.
struct Treemap {
  /// A size, in units that are pixels where there is room.
  struct Layout: Sendable {
    let name: String
    let width: Double
    let height: Double
    /// Tiles smaller than this part of the map are put together.
    let least: Double

    static let wide = Layout(name: "wide", width: 860, height: 560, least: 1.0 / 700)
    static let narrow = Layout(name: "narrow", width: 360, height: 480, least: 1.0 / 120)
  }

  /// Of the labels, whose characters are all as wide.
  private static let characterWidth = 7.3
  private static let lineHeight = 14.0
  private static let margin = 5.0

  let report: ModelReport
  /// The number of elements of all tensors.
  let total: Int
  let layout: Layout

  init(report: ModelReport, total: Int, _ layout: Layout) {
    (self.report, self.total, self.layout) = (report, total, layout)
  }

  func markup(_ all: [TensorGroup]) -> Markup {
    let groups = TensorGroup.merging(all, below: layout.least)
      .sorted { $0.size > $1.size }
    let tiles = Tile.unit.squarified(groups.map { Double($0.size) }, aspect: aspect)
    let drawn = zip(groups, tiles).map { draw($0, $1) }
    return """
      <svg class="treemap \(layout.name)" viewBox="0 0 \(layout.width) \(layout.height)" role="group" \
      aria-label="Tensors by size" data-output="map-output" data-roving>\(drawn)</svg>

      """
  }

  private var aspect: Double { layout.width / layout.height }

  private func size(_ index: Int) -> Int { report.statistics[index].count }

  private func draw(_ group: TensorGroup, _ tile: Tile) -> Markup {
    let least = layout.least * Double(total)
    var large = group.indices.filter { Double(size($0)) >= least }
    // A group of small ones is one tile.
    if large.isEmpty, group.indices.count == 1 { large = group.indices }
    let small = group.indices.filter { !large.contains($0) }
    let rest = small.reduce(0) { $0 + size($1) }
    let sizes = large.map { Double(size($0)) } + (rest > 0 ? [Double(rest)] : [])
    let tiles = tile.squarified(sizes, aspect: aspect)
    var markup: Markup = ""
    for (number, place) in tiles.enumerated() {
      if number < large.count {
        markup += link(large[number], in: group, place, isFirst: number == 0)
      } else {
        let name = shortened(group.name, to: 240)
        let text = "\(name): \(describe(small.count, "small tensor")), \(describe(count: rest))"
        let label = cell(place, kind: .other, large.isEmpty ? group.label : "", "")
        markup += "<g><title>\(text)</title>\(label)</g>"
      }
    }
    return markup + "<rect class=\"group\"\(frame(tile))/>"
  }

  private func link(
    _ index: Int, in group: TensorGroup, _ tile: Tile, isFirst: Bool
  ) -> Markup {
    let tensor = report.statistics[index]
    let name = tensor.name.text
    let share = percent(Double(tensor.count) / Double(total), digits: 2)
    let text =
      "\(listed(name)), \(tensor.dtype) \(describe(shape: tensor.shape)),"
      + " \(describe(count: tensor.count)), \(share)"
    let inner =
      name.hasPrefix(group.name) && name != group.name
      ? String(name.dropFirst(group.name.count).drop { $0 == "." || $0 == "/" }) : name
    let label = cell(tile, kind: report.kinds[index], isFirst ? group.label : "", inner)
    return "<a\(TensorSection.link(index))><title>\(text)</title>\(label)</a>"
  }

  /// A tile with one or two lines of text, as far as there is room.
  private func cell(_ tile: Tile, kind: TensorKind, _ first: String, _ second: String) -> Markup {
    let (x, y) = (tile.x * layout.width, tile.y * layout.height)
    let (wide, high) = (tile.width * layout.width, tile.height * layout.height)
    let room = Int((wide - 2 * Self.margin) / Self.characterWidth)
    var (texts, baseline): (Markup, Double) = ("", Self.lineHeight)
    for (line, style) in [(first, "name"), (second, "small")] where !line.isEmpty {
      guard room > 2, high > baseline + Self.margin else { break }
      let text = end(of: label(line), columns: room)
      texts +=
        "<text class=\"\(style)\" x=\"\(x + Self.margin)\" y=\"\(y + baseline)\">\(text)</text>"
      baseline += Self.lineHeight
    }
    return "<rect class=\"tile k-\(kind.rawValue)\"\(frame(tile))/>\(texts)"
  }

  /// What is a weight need not be called so.
  private func label(_ name: String) -> String {
    let name = escaped(name)
    return name.hasSuffix(".weight") ? String(name.dropLast(7)) : name
  }

  private func frame(_ tile: Tile) -> Markup {
    """
     x="\(tile.x * layout.width)" y="\(tile.y * layout.height)" \
    width="\(tile.width * layout.width)" height="\(tile.height * layout.height)"
    """
  }
}
