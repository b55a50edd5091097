import CommandSupport
import Testing

/// Text that keeps to the width of a terminal.
@Suite struct TextTests {
  @Test(arguments: [20, 40, 60, 80])
  func `a table keeps to the width, and a name is never cut`(_ width: Int) {
    var table = Table([
      ("NAME", .left), ("DTYPE", .left), ("MIN", .right), ("MAX", .right), ("WHAT", .left),
    ])
    let name = "encoder.layer.10.attention.output.LayerNorm.weight"
    table.add([name, "F32", "-0.51171875", "0.4565", "rounded to nearest, 12 of 24 changed"])
    table.add(["wte", "BF16", "-1", "1", ""])
    let lines = table.lines(width: width)
    #expect(lines.filter { $0.count > width } == (width < name.count ? [name] : []))
    let words = lines.joined(separator: " ").split(separator: " ")
    #expect(Set(words).isSuperset(of: ["-0.51171875", "0.4565", "nearest,", "BF16", "wte"]))
    #expect(table.lines(width: nil).count == 3)
  }

  @Test func `prose is divided at spaces, and keeps its indentation`() {
    #expect(wrapped("one two three", width: 8) == ["one two", "three"])
    #expect(wrapped("  one two three", width: 9) == ["  one two", "  three"])
    #expect(wrapped("one two", width: nil) == ["one two"])
    #expect(wrapped("incomprehensible", width: 4) == ["incomprehensible"])
    #expect(
      wrapped("key    one two three", width: 12, hanging: 7)
        == ["key    one", "       two", "       three"])
    #expect(wrapped("  incomprehensible", width: 4, hanging: 1) == ["  incomprehensible"])
  }

  @Test(arguments: [8, 12, 20, 40, 60, 80])
  func `progress stands on one line beside the cursor`(_ width: Int) {
    let line = progressLine(1_200_000_000, of: 2_860_000_000, seconds: 4, width: width)
    #expect(line.count < width && line.hasPrefix("41 %"))
    let whole = "41 %  1.20 GB of 2.86 GB  300 MB/s  6 s left"
    #expect(line == whole || width < whole.count + 1)
    #expect(progressLine(5, of: 10, seconds: 1, width: nil).hasPrefix("50 %  5 B of 10 B"))
  }
}
