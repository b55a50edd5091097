import CommandSupport
import Testing

/// Pictures as text: known pixels give known characters.
@Suite struct PixelTextTests {
  private let red: [UInt8] = [255, 0, 0]
  private let grey: [UInt8] = [128, 128, 128]
  private let white: [UInt8] = [255, 255, 255]
  private let black: [UInt8] = [0, 0, 0]

  /// The text without colours.
  private func plain(_ line: String) -> String {
    line.replacing(/\u{1B}\[[0-9;]*m/, with: "")
  }

  @Test func `two pixels above each other are a character, its letter and its background`() {
    let picture = PixelText(width: 2, height: 2, pixels: red + red + black + white)
    let lines = picture.lines(columns: 3, colours: .all)
    let start = "\u{1B}[38;2;255;0;0m\u{1B}[48;2;0;0;0m▀"
    #expect(lines == [start + "\u{1B}[48;2;255;255;255m▀\u{1B}[0m"])
  }

  @Test func `of an odd number of rows the last one has no background`() {
    let picture = PixelText(width: 1, height: 3, pixels: red + grey + white)
    let lines = picture.lines(columns: 1, colours: .palette)
    // The corner of the cube, a grey of the 24, and another corner.
    #expect(
      lines == [
        "\u{1B}[38;5;196m\u{1B}[48;5;244m▀\u{1B}[0m", "\u{1B}[38;5;231m▀\u{1B}[0m",
      ])
  }

  /// The 240 colours of xterm's 256 that terminals do not choose themselves, as they are numbered.
  private let palette: [(number: Int, colour: [Int])] = {
    let levels = [0, 95, 135, 175, 215, 255]
    let cube = levels.flatMap { red in
      levels.flatMap { green in levels.map { blue in [red, green, blue] } }
    }
    let greys = (0..<24).map { step in [8 + 10 * step, 8 + 10 * step, 8 + 10 * step] }
    return zip(16..., cube + greys).map { ($0, $1) }
  }()

  @Test func `one of 256 colours is nearest to the pixel, above and below`() throws {
    for step in 0..<400 {
      let pixel = (0..<3).map { (step * (31 + 28 * $0) + 7 * $0) % 256 }
      func distance(_ colour: [Int]) -> Int {
        zip(colour, pixel).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      let letters = pixel.map { UInt8($0) }
      let picture = PixelText(width: 1, height: 2, pixels: letters + letters)
      let line = try #require(picture.lines(columns: 1, colours: .palette).first)
      let codes = line.matches(of: /\u{1B}\[([34]8);5;([0-9]+)m/).map { ($0.output.1, $0.output.2) }
      #expect(codes.map(\.0) == ["38", "48"] && codes.first?.1 == codes.last?.1, "\(line)")
      let number = codes.first.flatMap { Int($0.1) }
      let found = try #require(palette.first { $0.number == number })
      let least = try #require(palette.map { distance($0.colour) }.min())
      #expect(distance(found.colour) == least, "\(pixel) \(found)")
    }
  }

  @Test func `of red, green and blue green is the lightest and blue the darkest`() {
    let picture = PixelText(
      width: 3, height: 1, pixels: [0, 0, 255] + [255, 0, 0] + [0, 255, 0])
    #expect(picture.lines(columns: 3, colours: .none) == ["@#"])
  }

  @Test func `shades go from the lightest to the darkest, half as many rows as columns`() {
    let steps = (0..<10).map { UInt8(255 - 25 * $0) }
    let pixels = (0..<2).flatMap { _ in steps.flatMap { [$0, $0, $0] } }
    let picture = PixelText(width: 10, height: 2, pixels: pixels)
    #expect(picture.lines(columns: 10, colours: .none) == [" .:-=+*#%@"])
    // Twice as large where it fits.
    #expect(
      picture.lines(columns: 29, colours: .none)
        == Array(
          repeating: "  ..::--==++**##%%@@", count: 2))
  }

  @Test func `a picture of one colour is blank, and ends of lines are`() {
    let one = PixelText(width: 2, height: 2, pixels: grey + grey + grey + grey)
    #expect(one.lines(columns: 2, colours: .none) == [""])
    let two = PixelText(width: 2, height: 1, pixels: black + white)
    #expect(two.lines(columns: 2, colours: .none) == ["@"])
  }

  @Test(arguments: [1, 7, 40, 79, 80, 500])
  func `no line is wider than there is room, whatever the picture`(columns: Int) {
    for (width, height) in [(1, 1), (1, 90), (160, 160), (271, 135), (513, 3), (41, 40)] {
      let pixels = (0..<3 * width * height).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let picture = PixelText(width: width, height: height, pixels: pixels)
      for colours in [PixelText.Colours.all, .palette, .none] {
        let lines = picture.lines(columns: columns, colours: colours)
        #expect(!lines.isEmpty && lines.allSatisfy { plain($0).count <= columns })
        #expect(lines.count <= (4 * height + 1) / 2)
      }
    }
  }

  @Test func `what is too large becomes means`() {
    let picture = PixelText(
      width: 4, height: 2, pixels: black + white + red + red + black + white + red + red)
    #expect(
      picture.lines(columns: 2, colours: .all) == [
        "\u{1B}[38;2;128;128;128m▀\u{1B}[38;2;255;0;0m▀\u{1B}[0m"
      ])
  }
}
