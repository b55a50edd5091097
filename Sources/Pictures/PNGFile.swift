import CZlib
import TensorCore

/// A PNG (W3C Portable Network Graphics, third edition), read as Pillow does it, whose reader is its own too.
struct PNGFile {
  /// What every file begins with (5.2).
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  private let header: PNGHeader
  /// Red, green and blue of each index.
  private var palette: ArraySlice<UInt8> = []
  /// The compressed rows.
  private var data: [UInt8] = []
  /// A TIFF.
  private(set) var exif: ArraySlice<UInt8>?
  private(set) var xmp: ArraySlice<UInt8>?

  /// Reads all chunks up to the end.
  init(_ bytes: [UInt8]) throws(CheckpointError) {
    let file = PictureBytes(bytes[...])
    let first = try Self.chunk(file, at: Self.signature.count)
    guard first.type == "IHDR" else {
      throw CheckpointError(
        .malformed("does not begin with the chunk IHDR"), offset: Self.signature.count)
    }
    header = try PNGHeader(PictureBytes(first.body))
    var offset = first.end
    while true {
      let chunk = try Self.chunk(file, at: offset)
      if chunk.type == "IEND" { return }
      take(chunk.type, chunk.body)
      offset = chunk.end
    }
  }

  /// A chunk (5.3), whose checksum is right.
  private static func chunk(
    _ file: PictureBytes, at offset: Int
  ) throws(CheckpointError) -> (type: String, body: ArraySlice<UInt8>, end: Int) {
    guard let length = file.big(offset, 4), let type = file.slice(offset + 4, 4),
      let body = file.slice(offset + 8, length), let whole = file.slice(offset + 4, 4 + length),
      let sum = file.big(offset + 8 + length, 4)
    else {
      throw CheckpointError(.malformed("ends within a chunk of a PNG"), offset: offset)
    }
    let name = String(decoding: type, as: UTF8.self)
    guard checksum(whole) == sum else {
      throw CheckpointError(.checksum("the chunk \(escaped(name))"), offset: offset)
    }
    return (name, body, offset + 12 + length)
  }

  private mutating func take(_ type: String, _ body: ArraySlice<UInt8>) {
    switch type {
    case "PLTE": palette = body
    case "IDAT": data += body
    case "eXIf": exif = body
    case "iTXt":
      // A name, no compression, a language and its translation, which are empty.
      let name = Array("XML:com.adobe.xmp".utf8) + [0, 0, 0, 0, 0]
      if body.starts(with: name) { xmp = body.dropFirst(name.count) }
    default: break
    }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> Int {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe Int(
        crc32(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(bytes.count)))
    }
  }

  /// The pixels, whatever is transparent left out of account.
  func decoded() throws(CheckpointError) -> Picture {
    let rows = try unfiltered()
    var pixels = [UInt8](repeating: 0, count: header.width * header.height * 3)
    for pass in header.passes {
      let stride = header.bytes(inRowOf: pass.width)
      for y in 0..<pass.height {
        let row = rows[(pass.offset + y * stride)..<(pass.offset + (y + 1) * stride)]
        let target = (pass.top + y * pass.rowStep) * header.width + pass.left
        for x in 0..<pass.width {
          let (red, green, blue) = color(x, in: row)
          let start = (target + x * pass.columnStep) * 3
          pixels[start] = red
          pixels[start + 1] = green
          pixels[start + 2] = blue
        }
      }
    }
    return Picture(width: header.width, height: header.height, pixels: pixels)
  }

  private func color(_ x: Int, in row: ArraySlice<UInt8>) -> (UInt8, UInt8, UInt8) {
    let start = row.startIndex
    // The higher byte of two.
    let wide = header.depth == 16 ? 2 : 1
    switch header.kind {
    case .palette:
      let index = 3 * Int(sample(x, in: row))
      // Pillow has black for what is not in the palette.
      guard index + 3 <= palette.count else { return (0, 0, 0) }
      let color = palette.startIndex + index
      return (palette[color], palette[color + 1], palette[color + 2])
    case .grey where header.depth == 16:
      // Pillow keeps these numbers, and cuts them off at 255 when they become colours.
      let value = row[start + 2 * x] > 0 ? 255 : row[start + 2 * x + 1]
      return (value, value, value)
    case .grey:
      let value = sample(x, in: row) * UInt8(255 / ((1 << header.depth) - 1))
      return (value, value, value)
    case .greyAlpha:
      let value = row[start + 2 * wide * x]
      return (value, value, value)
    case .color, .colorAlpha:
      let pixel = start + x * wide * (header.kind == .color ? 3 : 4)
      return (row[pixel], row[pixel + wide], row[pixel + 2 * wide])
    }
  }

  /// A number of up to eight bits, of which the first of a byte are the highest.
  private func sample(_ x: Int, in row: ArraySlice<UInt8>) -> UInt8 {
    let bit = x * header.depth
    let byte = row[row.startIndex + bit / 8]
    return byte >> UInt8(8 - header.depth - bit % 8) & UInt8((1 << header.depth) - 1)
  }

  /// All rows of all passes, without the bytes that say how they were filtered (9.2).
  private func unfiltered() throws(CheckpointError) -> [UInt8] {
    let stored = try inflated()
    var rows: [UInt8] = []
    rows.reserveCapacity(stored.count)
    let step = header.bytesOfPixel
    var position = 0
    for pass in header.passes {
      let stride = header.bytes(inRowOf: pass.width)
      for y in 0..<pass.height {
        let filter = stored[position]
        position += 1
        let start = rows.count
        for x in 0..<stride {
          let left = x >= step ? Int(rows[start + x - step]) : 0
          let above = y > 0 ? Int(rows[start + x - stride]) : 0
          let corner = x >= step && y > 0 ? Int(rows[start + x - stride - step]) : 0
          let addend: Int
          switch filter {
          case 0: addend = 0
          case 1: addend = left
          case 2: addend = above
          case 3: addend = (left + above) / 2
          case 4: addend = Self.paeth(left, above, corner)
          default:
            throw CheckpointError(.malformed("a row has the unknown filter \(filter)"))
          }
          rows.append(stored[position + x] &+ UInt8(addend))
        }
        position += stride
      }
    }
    return rows
  }

  /// Whichever of three is nearest to `left + above - corner` (9.4).
  private static func paeth(_ left: Int, _ above: Int, _ corner: Int) -> Int {
    let toLeft = abs(above - corner)
    let toAbove = abs(left - corner)
    let toCorner = abs(left + above - 2 * corner)
    if toLeft <= toAbove && toLeft <= toCorner { return left }
    return toAbove <= toCorner ? above : corner
  }

  /// As many bytes as the header says that there are; what follows them is not read.
  private func inflated() throws(CheckpointError) -> [UInt8] {
    let needed = header.passes.reduce(0) {
      $0 + $1.height * (1 + header.bytes(inRowOf: $1.width))
    }
    var count = UInt(needed)
    var status = Z_OK
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: needed) { target, initialized in
      unsafe data.withUnsafeBufferPointer { data in
        unsafe status = uncompress(target.baseAddress, &count, data.baseAddress, UInt(data.count))
      }
      initialized = min(needed, Int(count))
    }
    // Where there is more than what is needed, it does not fit.
    guard bytes.count == needed, status == Z_OK || status == Z_BUF_ERROR else {
      throw CheckpointError(
        .malformed(
          "the compressed pixels of the PNG are broken, or end after \(bytes.count) of"
            + " \(needed) bytes"))
    }
    return bytes
  }
}
