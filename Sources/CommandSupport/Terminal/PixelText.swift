/// A picture as text: two pixels above each other in a character, in colours; where there are none, a shade for both.
///
/// Source of the sequences: xterm's "Control Sequences" (SGR 38 and 48, with 2 for red, green and blue, and 5 for one of
/// 256).
public struct PixelText {
  /// What a terminal shows.
  public enum Colours: Sendable {
    /// Red, green and blue of 8 bits.
    case all
    /// 256 of them: a cube of 6 × 6 × 6, and 24 greys.
    case palette
    case none
  }

  /// What standard output shows, as COLORTERM and TERM say.
  public static var outputColours: Colours {
    guard isStyled else { return .none }
    let terminal = environment("TERM")
    if ["truecolor", "24bit"].contains(environment("COLORTERM")) || terminal.hasSuffix("-direct") {
      return .all
    }
    return terminal.contains("256color") ? .palette : .none
  }

  /// What shades mean.
  public static let meaning = "Here in shades, from a space, the lightest, to @, the darkest."

  /// From light to dark.
  private static let shades = Array(" .:-=+*#%@")
  /// A small picture is drawn so many times as large at most.
  private static let largestScale = 4

  private let width: Int
  private let height: Int
  private let pixels: [UInt8]

  /// A picture of red, green and blue of each pixel, row by row.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height)
    (self.width, self.height, self.pixels) = (width, height, pixels)
  }

  /// The lines of a picture that is so many characters wide at most, and as large as fits.
  public func lines(columns: Int, colours: Colours) -> [String] {
    let scale = min(max(1, columns / width), Self.largestScale)
    let across = min(width * scale, max(1, columns))
    let down = max(1, (height * across + width / 2) / width)
    if colours == .none { return shaded(resampled(across, (down + 1) / 2), across) }
    let small = resampled(across, down)
    return stride(from: 0, to: down, by: 2).map { row in
      coloured(
        small[row * across..<(row + 1) * across],
        row + 1 < down ? small[(row + 1) * across..<(row + 2) * across] : nil, colours)
    }
  }

  private typealias Pixel = SIMD3<Int>

  /// The picture with so many columns and rows: means of what is larger, copies of what is smaller.
  private func resampled(_ columns: Int, _ rows: Int) -> [Pixel] {
    func range(_ index: Int, of count: Int, _ extent: Int) -> Range<Int> {
      let first = index * extent / count
      return first..<max(first + 1, (index + 1) * extent / count)
    }
    return (0..<rows).flatMap { row in
      (0..<columns).map { column in
        var sum = Pixel()
        let (ys, xs) = (range(row, of: rows, height), range(column, of: columns, width))
        for y in ys {
          for x in xs {
            let place = 3 * (y * width + x)
            sum &+= Pixel(Int(pixels[place]), Int(pixels[place + 1]), Int(pixels[place + 2]))
          }
        }
        let count = ys.count * xs.count
        return Pixel((0..<3).map { (sum[$0] + count / 2) / count })
      }
    }
  }

  // MARK: Colours

  /// A line of upper halves, which are letters, on lower ones, which are background.
  private func coloured(
    _ upper: ArraySlice<Pixel>, _ lower: ArraySlice<Pixel>?, _ colours: Colours
  ) -> String {
    var line = ""
    var last: (upper: String, lower: String) = ("", "")
    for (column, pixel) in upper.enumerated() {
      let front = code(pixel, 38, colours)
      let back = lower.map { code($0[$0.startIndex + column], 48, colours) } ?? ""
      if front != last.upper { line += front }
      if back != last.lower { line += back }
      last = (front, back)
      line += "▀"
    }
    return line + "\u{1B}[0m"
  }

  private func code(_ pixel: Pixel, _ ground: Int, _ colours: Colours) -> String {
    colours == .all
      ? "\u{1B}[\(ground);2;\(pixel.x);\(pixel.y);\(pixel.z)m"
      : "\u{1B}[\(ground);5;\(Self.paletteIndex(pixel))m"
  }

  /// The nearest of the 256.
  private static func paletteIndex(_ pixel: Pixel) -> Int {
    let levels = [0, 95, 135, 175, 215, 255]
    func distance(_ other: Pixel) -> Int {
      let difference = pixel &- other
      return (difference &* difference).wrappedSum()
    }
    let steps = (0..<3).map { channel in
      levels.indices.min { abs(levels[$0] - pixel[channel]) < abs(levels[$1] - pixel[channel]) }
        ?? 0
    }
    let cube = Pixel(levels[steps[0]], levels[steps[1]], levels[steps[2]])
    let grey = min(max((pixel.wrappedSum() / 3 - 3) / 10, 0), 23)
    return distance(Pixel(repeating: 8 + 10 * grey)) < distance(cube)
      ? 232 + grey : 16 + 36 * steps[0] + 6 * steps[1] + steps[2]
  }

  // MARK: Shades

  /// Lines of shades from the lightest to the darkest pixel that there is.
  private func shaded(_ pixels: [Pixel], _ columns: Int) -> [String] {
    // How bright red, green and blue are (ITU-R BT.709), times 10000.
    let levels = pixels.map { 2126 * $0.x + 7152 * $0.y + 722 * $0.z }
    let (least, most) = (levels.min() ?? 0, levels.max() ?? 0)
    let span = max(1, most - least)
    return stride(from: 0, to: levels.count, by: columns).map { first in
      var line = levels[first..<first + columns].map { level in
        Self.shades[((most - level) * (Self.shades.count - 1) + span / 2) / span]
      }
      while line.last == " " { line.removeLast() }
      return String(line)
    }
  }
}
