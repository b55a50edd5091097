import CZlib

extension Picture {
  /// A picture in memory.
  ///
  /// - Precondition: there are three bytes for each pixel.
  public init(width: Int, height: Int, of pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height, "no picture")
    self.init(width: width, height: height, pixels: pixels)
  }

  /// The picture as a PNG (W3C Portable Network Graphics, third edition), whose rows are compressed as they are.
  public var png: [UInt8] {
    var rows: [UInt8] = []
    rows.reserveCapacity(height * (3 * width + 1))
    for row in 0..<height {
      rows.append(0)  // no filter (9.2)
      rows += pixels[3 * width * row..<3 * width * (row + 1)]
    }
    // Eight bits of red, green and blue (11.2.1).
    let header = big(width) + big(height) + [8, 2, 0, 0, 0]
    return PNGFile.signature + chunk("IHDR", header) + chunk("IDAT", deflated(rows))
      + chunk("IEND", [])
  }

  private func big(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  private func chunk(_ type: String, _ body: [UInt8]) -> [UInt8] {
    let named = Array(type.utf8) + body
    return big(body.count) + named + big(PNGFile.checksum(named[...]))
  }

  private func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var count = compressBound(UInt(bytes.count))
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { target, initialized in
      unsafe bytes.withUnsafeBufferPointer { bytes in
        let status = unsafe compress2(
          target.baseAddress, &count, bytes.baseAddress, UInt(bytes.count), 9)
        precondition(status == Z_OK, "zlib has no memory")
      }
      initialized = Int(count)
    }
  }
}
