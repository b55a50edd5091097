import CommandSupport
import TensorCore
import TransformerKit

/// Where the parameters are: a tile for each tensor, as large as it has elements.
struct TreemapSection {
  let report: ModelReport

  /// How many times as wide as high the map is, on a wide screen.
  private static let aspect = 1100.0 / 520
  /// Tiles smaller than this part of the map are put together.
  private static let least = 0.0004
  /// Tiles that are drawn, at most.
  private static let mostTiles = 700

  var section: Section? {
    let all = groups
    let total = all.reduce(0) { $0 + $1.size }
    guard total > 0 else { return nil }
    let tiles = Tile.unit.squarified(all.map { Double($0.size) }, aspect: Self.aspect)
    let drawn = zip(all, tiles).map { group($0, $1, of: total) }
    let shown = TensorKind.allCases.filter { report.kinds.contains($0) }
    let legend = shown.map { kind -> Markup in
      "<li><span class=\"swatch k-\(kind.rawValue)\"></span>\(kind.rawValue)</li>"
    }
    let guess: Markup =
      report.model == nil ? " The colours are guessed from the names: the model is not known." : ""
    return Section(
      id: "map", title: "Parameters",
      body: """
        <figure><figcaption>As large as its tile is a tensor's number of elements, \
        \(describe(count: total)) in all. A tile leads to the tensor's numbers.\(guess)</figcaption>
        <ul class="legend">\(legend)</ul>
        <svg class="treemap" width="100%" height="520" role="group" aria-label="Tensors by size" \
        data-output="map-output">\(drawn)</svg>
        <p class="output"><output id="map-output">Point at a tile, or go through them with the Tab key.\
        </output></p></figure>

        """)
  }

  private struct Group {
    let name: String
    let size: Int
    let indices: [Int]
  }

  /// Tensors of a layer together; others by the first part of their names.
  private var groups: [Group] {
    let stacks = Set(report.roles.map { firstPart(of: $0.stack) })
    var order: [TensorName] = []
    var members: [TensorName: [Int]] = [:]
    for role in report.roles {
      for member in role.members {
        let name = member.layer.map { role.stack + "\($0)" } ?? group(of: role.name, stacks)
        let key = TensorName(name)
        if members[key] == nil { order.append(key) }
        members[key, default: []].append(member.index)
      }
    }
    return order.map { key in
      let indices = (members[key] ?? []).sorted { (-size($0), $0) < (-size($1), $1) }
      return Group(name: key.text, size: indices.reduce(0) { $0 + size($1) }, indices: indices)
    }.sorted { ($1.size, $0.name) < ($0.size, $1.name) }
  }

  /// The first part, or two of them if layers have the first one too.
  private func group(of name: String, _ stacks: Set<String>) -> String {
    let first = firstPart(of: name)
    let rest = name.dropFirst(first.count + 1)
    guard stacks.contains(first), !rest.isEmpty else { return first }
    return name.prefix(first.count + 1) + firstPart(of: String(rest))
  }

  private func firstPart(of name: String) -> String {
    String(name.prefix { $0 != "." && $0 != "/" })
  }

  private func size(_ index: Int) -> Int { report.statistics[index].count }

  private func group(_ group: Group, _ tile: Tile, of total: Int) -> Markup {
    let least = max(Self.least, 1 / Double(Self.mostTiles)) * Double(total)
    var large = group.indices.filter { Double(size($0)) >= least }
    // A group of small ones is one tile.
    if large.isEmpty, group.indices.count == 1 { large = group.indices }
    let small = group.indices.filter { !large.contains($0) }
    let rest = small.reduce(0) { $0 + size($1) }
    let sizes = large.map { Double(size($0)) } + (rest > 0 ? [Double(rest)] : [])
    let tiles = tile.squarified(sizes, aspect: Self.aspect)
    var markup: Markup = ""
    for (number, place) in tiles.enumerated() {
      if number < large.count {
        markup += link(large[number], in: group, place, of: total, isFirst: number == 0)
      } else {
        let text =
          "\(group.name): \(describe(small.count, "small tensor")), \(describe(count: rest))"
        markup +=
          "<g><title>\(text)</title>\(cell(place, kind: .other, large.isEmpty ? group.name : "", ""))</g>"
      }
    }
    markup += frame(tile)
    return markup
  }

  private func link(
    _ index: Int, in group: Group, _ tile: Tile, of total: Int, isFirst: Bool
  ) -> Markup {
    let tensor = report.statistics[index]
    let percent = coordinate(Double(tensor.count) / Double(total) * 100, digits: 2)
    let text =
      "\(tensor.name.text), \(tensor.dtype) \(describe(shape: tensor.shape)),"
      + " \(describe(count: tensor.count)), \(percent) %"
    let name = tensor.name.text
    let inner =
      name.hasPrefix(group.name) && name != group.name
      ? String(name.dropFirst(group.name.count).drop { $0 == "." || $0 == "/" }) : name
    return """
      <a href="#t\(index)"><title>\(text)</title>\
      \(cell(tile, kind: report.kinds[index], isFirst ? group.name : "", inner))</a>
      """
  }

  /// A tile with two lines of text, cut off at its edges.
  private func cell(_ tile: Tile, kind: TensorKind, _ first: String, _ second: String) -> Markup {
    // In pixels of a wide screen.
    let (wide, high) = (tile.width * 1100, tile.height * 520)
    var (texts, baseline): (Markup, Double) = ("", 15)
    for (line, style) in [(first, "name"), (second, "small")] where !line.isEmpty {
      guard wide > 44, high > baseline + 4 else { break }
      let text = end(of: line, Int((wide - 8) / 7.2))
      texts += "<text class=\"\(style)\" x=\"5\" y=\"\(baseline)\">\(text)</text>"
      baseline += 14
    }
    return """
      <svg x="\(tile.x * 100, digits: 2)%" y="\(tile.y * 100, digits: 2)%" \
      width="\(tile.width * 100, digits: 2)%" height="\(tile.height * 100, digits: 2)%">\
      <rect class="tile k-\(kind.rawValue)" width="100%" height="100%"/>\(texts)</svg>
      """
  }

  /// The end of a name, where names differ. What is a weight need not be called so.
  private func end(of name: String, _ room: Int) -> String {
    var name = escaped(name)
    if name.hasSuffix(".weight") { name.removeLast(7) }
    return name.count > room ? "…" + name.suffix(max(1, room - 1)) : name
  }

  private func frame(_ tile: Tile) -> Markup {
    """
    <rect class="group" x="\(tile.x * 100, digits: 2)%" y="\(tile.y * 100, digits: 2)%" \
    width="\(tile.width * 100, digits: 2)%" height="\(tile.height * 100, digits: 2)%"/>
    """
  }
}
