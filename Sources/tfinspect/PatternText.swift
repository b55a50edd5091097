import CommandSupport
import TensorCore
import TransformerKit

extension Patterns.Pattern.Kind {
  /// What is drawn, in a few words.
  var title: String {
    switch self {
    case .filters: "Filters"
    case .positions: "Similarity of positions"
    case .bands: "Filters of bands"
    }
  }

  /// What a picture shows, and how.
  var caption: String {
    switch self {
    case .filters(let shown, let count, let size, let channels):
      let which = shown == count ? "All \(count)" : "The first \(shown) of \(count)"
      let colours =
        channels < 3
        ? "the first channel as grey" : "the first three channels as red, green and blue"
      return
        "\(which) filters of \(size[0]) × \(size[1]) numbers, row by row, \(colours); each from"
        + " its least number, which is dark, to its largest."
    case .positions(let count, let step):
      let which =
        step == 1
        ? "All \(count) positions"
        : "Of \(count) positions one of every \(step), from the first on,"
      return "\(which) from the left and from the top: the cosine between the vectors of two,"
        + " blue -1, white 0, orange 1."
    case .bands(let count, let hertz):
      return
        "The \(count) bands that a sound is divided into, the lowest at the bottom, by frequency"
        + " from 0 to \(hertz) Hz: white 0, blue the largest number."
    }
  }
}

extension Patterns.Pattern {
  /// The picture in the terminal, below what it is.
  func lines(columns: Int, isTitled: Bool) -> [String] {
    let colours = PixelText.outputColours
    let drawn = PixelText(width: width, height: height, pixels: pixels)
      .lines(columns: columns, colours: colours)
    guard isTitled else { return drawn }
    let shades = colours == .none ? [PixelText.meaning] : []
    let text = ([kind.caption] + shades).joined(separator: " ")
    return wrapped(escaped(name), width: outputWidth) + wrapped(text, width: outputWidth) + drawn
  }
}
