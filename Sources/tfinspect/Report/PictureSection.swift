import CommandSupport
import TransformerKit

/// The model as a picture: its parts in the order of the computation, blocks that are alike once.
struct PictureSection {
  let report: ModelReport
  let isOfTwo: Bool

  var section: Section {
    let picture = ModelPicture(report.outline)
    let isKnown = report.model != nil
    let caption: Markup =
      isKnown
      ? "From the top down, in the order of the computation. Blocks that are alike are drawn once."
      : """
      The model is not known, so these are the parts of the tensors' names, in the order of the files. \
      Parts that are alike are drawn once.
      """
    return Section(
      id: "picture", title: isOfTwo ? "Model of A" : "Model",
      body: "<figure><figcaption>\(caption)</figcaption>\(picture.svg)</figure>\n")
  }
}

/// Boxes in boxes.
///
/// Texts are 12 pixels high at a width of 480, and smaller on a narrower screen.
struct ModelPicture {
  private static let width = 480.0
  private static let padding = 10.0
  private static let gap = 8.0
  private static let titleHeight = 24.0
  private static let lineHeight = 15.0
  /// Boxes that are drawn, at most.
  private static let mostBoxes = 300

  private let content: Markup
  private let height: Double

  init(_ outline: ModelOutline) {
    var drawer = Drawer()
    let inner = Self.width - 2
    let parts = drawer.parts(of: outline, x: 1, y: 1, width: inner, depth: 0)
    content = parts.markup
    height = parts.height + 2
  }

  var svg: Markup {
    """
    <svg class="picture" viewBox="0 0 \(Self.width) \(height)" width="\(Self.width)" \
    height="\(height)" role="img" aria-label="The parts of the model, as boxes">\(content)</svg>
    """
  }

  private struct Drawer {
    private var boxes = 0

    /// What is inside of a part: its weights as text are drawn by its box.
    mutating func parts(
      of node: ModelOutline, x: Double, y: Double, width: Double, depth: Int
    ) -> (markup: Markup, height: Double) {
      var (markup, top): (Markup, Double) = ("", y)
      for row in rows(of: node.parts, width: width, isOrdered: node.isOrdered) {
        if boxes > mostBoxes { break }
        if top > y {
          if node.isOrdered { markup += arrow(x + width / 2, top) }
          top += node.isOrdered ? 2 * gap : gap
        }
        let share = (width - gap * Double(row.count - 1)) / Double(row.count)
        var tallest = 0.0
        for (column, part) in row.enumerated() {
          let left = x + Double(column) * (share + gap)
          let (drawn, height) = box(part, x: left, y: top, width: share, depth: depth)
          markup += drawn
          tallest = max(tallest, height)
        }
        top += tallest
      }
      return (markup, top - y)
    }

    /// Small parts that follow each other share a row.
    private func rows(
      of parts: [ModelOutline], width: Double, isOrdered: Bool
    ) -> [[ModelOutline]] {
      let perRow = max(1, Int(width / 190))
      var rows: [[ModelOutline]] = []
      for part in parts {
        let isSmall = part.parts.isEmpty && part.times == 1 && !isOrdered
        if isSmall, let last = rows.last, last.count < perRow, last[0].parts.isEmpty,
          last[0].times == 1
        {
          rows[rows.count - 1].append(part)
        } else {
          rows.append([part])
        }
      }
      return rows
    }

    private mutating func box(
      _ outer: ModelOutline, x: Double, y: Double, width: Double, depth: Int
    ) -> (markup: Markup, height: Double) {
      boxes += 1
      let (node, path) = onlyChild(of: outer)
      let characters = Int((width - 2 * padding) / 6.6)
      var lines = weightLines(node, characters)
      if node.isUnused { lines.append("not used by the head") }
      var height = titleHeight + Double(lines.count) * lineHeight + (lines.isEmpty ? 2 : 6)
      var inside: Markup = ""
      if !node.parts.isEmpty {
        let (markup, inner) = parts(
          of: node, x: x + padding, y: y + height, width: width - 2 * padding, depth: depth + 1)
        inside = markup
        height += inner + padding
      }
      let kind = style(node)
      var markup: Markup = ""
      if node.times > 1 {
        // A stack of cards.
        for offset in [4.0, 2] {
          markup += frame(x + offset, y + offset, width - 4, height, kind)
        }
      }
      markup += frame(x, y, width - (node.times > 1 ? 4 : 0), height, kind)
      markup += title(node, path, x + padding, y + 16, width: width - 2 * padding, characters)
      for (number, line) in lines.enumerated() {
        let baseline = y + titleHeight + 10 + Double(number) * lineHeight
        markup += "<text class=\"small\" x=\"\(x + padding)\" y=\"\(baseline)\">\(line)</text>"
      }
      return (markup + inside, height + (node.times > 1 ? 4 : 0))
    }

    /// A box that holds nothing but another one is not drawn: `encoder.blocks.0…11`.
    private func onlyChild(of node: ModelOutline) -> (ModelOutline, path: String) {
      var (node, path) = (node, node.name)
      while node.parts.count == 1, node.weights.isEmpty, node.times == 1 {
        node = node.parts[0]
        path += "." + node.name
      }
      return (node, path)
    }

    private func frame(
      _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ kind: String
    ) -> Markup {
      """
      <rect class="box \(kind)" x="\(x)" y="\(y)" width="\(width)" height="\(height)" rx="5"/>
      """
    }

    /// The name at the left; at the right how many, or how many parameters.
    private func title(
      _ node: ModelOutline, _ path: String, _ x: Double, _ y: Double, width: Double,
      _ characters: Int
    ) -> Markup {
      let count = describe(count: node.parameters)
      let right = node.times > 1 ? "\(node.times) × \(count)" : count
      let room = max(4, characters - right.count - 2)
      let name = shortened(path, to: room)
      let kind = name.count + node.kind.count + 2 <= room ? node.kind : ""
      return """
        <text x="\(x)" y="\(y)"><tspan class="name">\(name)</tspan> <tspan class="small">\(kind)</tspan></text>\
        <text class="end" x="\(x + width)" y="\(y)">\(right)</text>
        """
    }

    private func weightLines(_ node: ModelOutline, _ characters: Int) -> [String] {
      var lines: [String] = []
      for weight in node.weights {
        let shape = pictured(shape: weight.shape)
        let text = weight.tie.map { "\(weight.name) tied to \($0)" } ?? "\(weight.name) \(shape)"
        if let last = lines.last, last.count + text.count + 3 <= characters {
          lines[lines.count - 1] = last + " · " + text
        } else if lines.count < 6 {
          lines.append(shortened(text, to: characters))
        } else {
          lines[5] = "and more"
        }
      }
      return lines.map { $0.hasPrefix(" ") ? String($0.dropFirst()) : $0 }
    }

    private func arrow(_ x: Double, _ y: Double) -> Markup {
      """
      <path class="arrow" d="M\(x) \(y + 3)v8m-3.5 -3.5l3.5 3.5l3.5 -3.5"/>
      """
    }

    private func style(_ node: ModelOutline) -> String {
      switch node.kind {
      case "Embedding": "k-embedding"
      case "Attention": "k-attention"
      case "FeedForward": "k-feed-forward"
      case "LayerNorm", "RMSNorm": "k-norm"
      case "Head": "k-head"
      default: "k-plain"
      }
    }
  }
}
