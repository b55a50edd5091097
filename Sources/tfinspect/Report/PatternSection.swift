import CommandSupport
import TensorCore
import TransformerKit

/// Pictures of weights that are best looked at.
struct PatternSection {
  let report: ModelReport
  let isOfTwo: Bool

  /// How wide pictures are drawn about, in pixels of the page.
  private static let width = 340

  var section: Section? {
    let all = report.patterns.all
    guard !all.isEmpty else { return nil }
    return Section(
      id: "patterns", title: isOfTwo ? "Patterns of A" : "Patterns",
      body: "<div class=\"charts\">\(all.map { figure($0) })</div>\n")
  }

  private func figure(_ pattern: Patterns.Pattern) -> Markup {
    // Whole pixels, so that none is larger than its neighbours.
    let scale = max(1, Self.width / max(1, pattern.width))
    return """
      <figure class="chart"><h3><code>\(breakable(listed(pattern.name)))</code></h3>
      <img class="pixels" width="\(pattern.width * scale)" height="\(pattern.height * scale)" \
      alt="\(pattern.kind.title) of \(listed(pattern.name))" \
      src="data:image/png;base64,\(encodeBase64(pattern.png))">
      <figcaption>\(pattern.kind.caption)</figcaption></figure>

      """
  }
}
