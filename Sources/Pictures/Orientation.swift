/// How a picture is held: which of its corners is the top left, as EXIF numbers them from 1 to 8 (CIPA DC-008, 4.6.5.A,
/// tag 0x0112).
struct Orientation: Equatable {
  let number: Int

  /// What EXIF says, else what XMP does; as stored where neither says it.
  ///
  /// - Parameters:
  ///   - exif: a TIFF, in which the tag is one of the first directory's.
  ///   - xmp: a text, in which `tiff:Orientation` is an attribute or an element.
  init(exif: ArraySlice<UInt8>?, xmp: ArraySlice<UInt8>?) {
    switch exif.map(Self.found(inTIFF:)) ?? .nowhere {
    case .number(let number): self.number = number
    case .nowhere: number = xmp.flatMap(Self.number(inXMP:)) ?? 1
    }
  }

  private enum Found {
    case number(Int)
    case nowhere
  }

  private static func found(inTIFF exif: ArraySlice<UInt8>) -> Found {
    let data = PictureBytes(exif)
    let isLittle = exif.starts(with: [0x49, 0x49, 42, 0])
    guard isLittle || exif.starts(with: [0x4D, 0x4D, 0, 42]) else { return .nowhere }
    func read(_ offset: Int, _ count: Int) -> Int? {
      isLittle ? data.little(offset, count) : data.big(offset, count)
    }
    guard let directory = read(4, 4), let count = read(directory, 2) else { return .nowhere }
    for entry in 0..<count {
      let start = directory + 2 + 12 * entry
      guard let tag = read(start, 2), let type = read(start + 2, 2), let values = read(start + 4, 4)
      else { return .nowhere }
      // Bytes, short and long numbers.
      guard tag == 0x0112, let size = [1: 1, 3: 2, 4: 4][type] else { continue }
      guard let value = read(start + 8, size), values == 1 else { return .number(1) }
      return .number(value)
    }
    return .nowhere
  }

  private static func number(inXMP xmp: ArraySlice<UInt8>) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    var rest = xmp
    while let start = rest.firstIndex(of: name[0]) {
      rest = rest[start...]
      guard rest.starts(with: name) else {
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(name.count)
      for opening in ["=\"", ">"] where rest.starts(with: opening.utf8) {
        if let digit = rest.dropFirst(opening.utf8.count).first, (0x30...0x39).contains(digit) {
          return Int(digit) - 0x30
        }
      }
    }
    return nil
  }

  /// The picture as it is to be seen.
  func turned(_ picture: Picture) -> Picture {
    // Whether rows become columns, and which way along each axis of what is stored.
    let isTransposed = (5...8).contains(number)
    let flipsColumns = [2, 3, 7, 8].contains(number)
    let flipsRows = [3, 4, 6, 7].contains(number)
    guard isTransposed || flipsColumns || flipsRows else { return picture }
    let width = isTransposed ? picture.height : picture.width
    let height = isTransposed ? picture.width : picture.height
    var pixels: [UInt8] = []
    pixels.reserveCapacity(picture.pixels.count)
    for y in 0..<height {
      for x in 0..<width {
        var (row, column) = isTransposed ? (x, y) : (y, x)
        if flipsRows { row = picture.height - 1 - row }
        if flipsColumns { column = picture.width - 1 - column }
        let start = (row * picture.width + column) * 3
        pixels += picture.pixels[start..<start + 3]
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }
}
