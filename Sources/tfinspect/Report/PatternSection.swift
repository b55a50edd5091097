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
      alt="\(title(pattern.kind)) of \(listed(pattern.name))" \
      src="data:image/png;base64,\(encodeBase64(pattern.png))">
      <figcaption>\(caption(pattern.kind))</figcaption></figure>

      """
  }

  private func title(_ kind: Patterns.Pattern.Kind) -> Markup {
    switch kind {
    case .filters: "Filters"
    case .positions: "Similarity of positions"
    case .bands: "Filters of bands"
    }
  }

  private func caption(_ kind: Patterns.Pattern.Kind) -> Markup {
    switch kind {
    case .filters(let shown, let count, let size, let channels):
      let which = shown == count ? "All \(count)" : "The first \(shown) of \(count)"
      let colours =
        channels < 3
        ? "the first channel as grey" : "the first three channels as red, green and blue"
      return """
        \(which) filters of \(size[0]) × \(size[1]) numbers, row by row, \(colours); each from \
        its least number, which is dark, to its largest.
        """
    case .positions(let count, let step):
      let which =
        step == 1
        ? "All \(count) positions"
        : "Of \(count) positions one of every \(step), from the first on,"
      return """
        \(which) from the left and from the top: the cosine between the vectors of two, blue -1, white 0, orange 1.
        """
    case .bands(let count, let hertz):
      return """
        The \(count) bands that a sound is divided into, the lowest at the bottom, by frequency from 0 to \(hertz) Hz: \
        white 0, blue the largest number.
        """
    }
  }
}
