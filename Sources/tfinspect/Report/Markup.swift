import TensorCore

/// A piece of HTML or SVG, in which every text from a file means itself.
///
/// What stands in the literal is markup; what is interpolated is text, unless it is markup already. So
/// nothing can be forgotten: `"<td>\(name)</td>"` is safe whatever the name is.
struct Markup: ExpressibleByStringInterpolation {
  /// The markup.
  private(set) var text: String

  init(stringLiteral text: String) {
    self.text = text
  }

  init(stringInterpolation: Interpolation) {
    text = stringInterpolation.text
  }

  /// One after the other.
  init(_ parts: [Markup]) {
    text = parts.map(\.text).joined()
  }

  static func += (a: inout Markup, b: Markup) { a.text += b.text }
  static func + (a: Markup, b: Markup) -> Markup { Markup([a, b]) }

  struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    mutating func appendLiteral(_ markup: String) { text += markup }
    mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
    mutating func appendInterpolation(_ parts: [Markup]) {
      for part in parts { text += part.text }
    }
    mutating func appendInterpolation(_ number: Int) { text += "\(number)" }
    mutating func appendInterpolation(_ plain: String) { text += markup(plain) }

    /// A coordinate, with a digit or two behind the point.
    mutating func appendInterpolation(_ number: Double, digits: Int = 1) {
      text += coordinate(number, digits: digits)
    }
  }
}

/// A number of pixels or of percents, without needless digits.
func coordinate(_ number: Double, digits: Int) -> String {
  let unit = [1, 10, 100, 1000][digits]
  guard number.isFinite else { return "0" }
  let scaled = Int((number * Double(unit)).rounded())
  let (whole, rest) = scaled.magnitude.quotientAndRemainder(dividingBy: UInt(unit))
  let sign = scaled < 0 ? "-" : ""
  if rest == 0 { return "\(sign)\(whole)" }
  var fraction = String(rest)
  fraction = String(repeating: "0", count: digits - fraction.count) + fraction
  while fraction.last == "0" { fraction.removeLast() }
  return "\(sign)\(whole == 0 ? "" : "\(whole)").\(fraction)"
}

/// A share as people read it: `0.1 %`.
func percent(_ share: Double, digits: Int) -> String {
  let text = coordinate(share * 100, digits: digits)
  return (text.hasPrefix(".") ? "0" : "") + text + " %"
}

/// A text that is at most so long; what is cut away is the middle, where names are alike.
func shortened(_ text: String, to limit: Int) -> String {
  let text = escaped(text)
  guard text.count > limit, limit > 3 else { return String(text.prefix(max(limit, 1))) }
  let tail = (limit - 1) * 2 / 3
  return text.prefix(limit - 1 - tail) + "…" + text.suffix(tail)
}

/// A name that breaks after its dots and slashes, where there is no room.
func breakable(_ name: String) -> Markup {
  var (parts, part): ([Markup], String) = ([], "")
  for character in name {
    part.append(character)
    guard "._/".contains(character) else { continue }
    parts.append("\(part)<wbr>")
    part = ""
  }
  return Markup(parts + ["\(part)"])
}

/// A shape, as it stands in pictures: `768 × 768`.
func pictured(shape: [Int]) -> String {
  shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: " × ")
}

extension [Markup] {
  /// One after the other, with something in between.
  func joined(by separator: Markup) -> Markup {
    Markup(enumerated().flatMap { $0 == 0 ? [$1] : [separator, $1] })
  }
}

/// How many columns a text takes in a font whose characters are all as wide, or twice as wide.
func columns(_ text: some StringProtocol) -> Int {
  text.reduce(0) { $0 + (($1.unicodeScalars.first?.value ?? 0) < 0x2E80 ? 1 : 2) }
}

/// The beginning of a text that takes at most so many columns.
func beginning(of text: some StringProtocol, columns room: Int) -> String {
  var (result, width) = ("", 0)
  for character in text {
    width += columns(String(character))
    if width > room { break }
    result.append(character)
  }
  return result
}

/// A text that takes at most so many columns: the end of it, where names differ, if it is too long.
func end(of text: String, columns room: Int) -> String {
  if columns(text) <= room { return text }
  return "…" + String(beginning(of: String(text.reversed()), columns: room - 1).reversed())
}
