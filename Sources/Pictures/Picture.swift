public import TensorCore

/// A picture: red, green and blue of each pixel, 8 bits each, row by row from the top left.
public struct Picture: Sendable, Equatable {
  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// `[height, width, 3]`
  public let pixels: [UInt8]

  /// The most pixels that a picture may have: beyond that, Pillow warns of a decompression bomb.
  public static let mostPixels = 89_478_485

  /// The most bytes of a file of one.
  public static let largestFile = 1 << 28

  init(width: Int, height: Int, pixels: [UInt8]) {
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Decodes a JPEG, PNG or WebP, told by its bytes: the pixels of Pillow's `Image.open(…).convert("RGB")`, turned as
  /// the picture's EXIF says.
  ///
  /// - Throws: `CheckpointError`: malformed if it is broken, unsupported if it is another kind of file, or needs a library
  ///   that is not installed.
  public init(decoding bytes: [UInt8]) throws(CheckpointError) {
    let picture: Picture
    let orientation: Orientation
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      let file = try JPEGFile(bytes)
      picture = try file.decoded()
      orientation = Orientation(exif: file.exif, xmp: file.xmp)
    } else if bytes.starts(with: PNGFile.signature) {
      let file = try PNGFile(bytes)
      picture = try file.decoded()
      orientation = Orientation(exif: file.exif, xmp: file.xmp)
    } else if WebPFile.isOne(bytes) {
      let file = try WebPFile(bytes)
      picture = try file.decoded()
      orientation = Orientation(exif: file.exif, xmp: file.xmp)
    } else {
      throw CheckpointError(.unsupported("is no picture in JPEG, PNG or WebP"))
    }
    self = orientation.turned(picture)
  }

  /// Fails if a picture has no pixel, or more than are read.
  public static func require(width: Int, height: Int) throws(CheckpointError) {
    guard width > 0, height > 0 else {
      throw CheckpointError(.malformed("the picture is \(width) × \(height) pixels large"))
    }
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, count <= mostPixels else {
      throw CheckpointError(
        .limitExceeded("the number of pixels", limit: mostPixels, found: overflow ? .max : count))
    }
  }
}

/// Bytes of a file in which numbers are read where they are.
struct PictureBytes {
  let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// A number of so many bytes, the first the highest; `nil` beyond the end.
  func big(_ offset: Int, _ count: Int) -> Int? {
    slice(offset, count)?.reduce(0) { $0 << 8 | Int($1) }
  }

  /// The same, the first byte the lowest.
  func little(_ offset: Int, _ count: Int) -> Int? {
    slice(offset, count)?.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// Bytes from an offset on; `nil` if there are fewer.
  func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      return nil
    }
    let start = bytes.startIndex + offset
    return bytes[start..<start + count]
  }
}
