import TensorCore

/// A JPEG (ITU-T T.81), whose pixels libjpeg-turbo decodes.
struct JPEGFile {
  private let bytes: [UInt8]
  private var width = 0
  private var height = 0
  private var components = 0
  /// A TIFF.
  private(set) var exif: ArraySlice<UInt8>?
  private(set) var xmp: ArraySlice<UInt8>?

  /// Reads the segments before the first scan (B.1.1.3).
  init(_ bytes: [UInt8]) throws(CheckpointError) {
    self.bytes = bytes
    let file = PictureBytes(bytes[...])
    var offset = 2
    while true {
      guard file.big(offset, 1) == 0xFF, let marker = file.big(offset + 1, 1) else {
        throw CheckpointError(.malformed("has no marker of a JPEG there"), offset: offset)
      }
      // A marker may be filled up in front.
      if marker == 0xFF {
        offset += 1
        continue
      }
      // Those that nothing belongs to.
      if marker == 0x01 || (0xD0...0xD8).contains(marker) {
        offset += 2
        continue
      }
      guard let length = file.big(offset + 2, 2), length >= 2,
        let body = file.slice(offset + 4, length - 2)
      else {
        throw CheckpointError(.malformed("ends within a segment of a JPEG"), offset: offset)
      }
      if marker == 0xDA { break }
      try take(marker, body, offset)
      offset += 2 + length
    }
    guard components > 0 else {
      throw CheckpointError(.malformed("is a JPEG without a header of its pixels"))
    }
    // libjpeg-turbo would make up an end.
    var rest = bytes[offset...]
    while let mark = rest.firstIndex(of: 0xFF) {
      rest = rest[(mark + 1)...]
      if rest.first == 0xD9 { return }
    }
    throw CheckpointError(.malformed("ends before the end of the JPEG"))
  }

  private mutating func take(
    _ marker: Int, _ body: ArraySlice<UInt8>, _ offset: Int
  ) throws(CheckpointError) {
    switch marker {
    case 0xC0...0xCF where ![0xC4, 0xC8, 0xCC].contains(marker):
      try frame(PictureBytes(body), offset)
    case 0xE1:
      let name = Array("http://ns.adobe.com/xap/1.0/".utf8) + [0]
      if exif == nil, body.starts(with: Array("Exif".utf8) + [0, 0]) {
        exif = body.dropFirst(6)
      } else if body.starts(with: name) {
        xmp = body.dropFirst(name.count)
      }
    default: break
    }
  }

  /// What is said of the pixels (B.2.2).
  private mutating func frame(_ data: PictureBytes, _ offset: Int) throws(CheckpointError) {
    guard let precision = data.big(0, 1), let height = data.big(1, 2), let width = data.big(3, 2),
      let components = data.big(5, 1)
    else {
      throw CheckpointError(.malformed("the header of the pixels is cut off"), offset: offset)
    }
    guard precision == 8, [1, 3, 4].contains(components) else {
      throw CheckpointError(
        .unsupported("is a JPEG of \(components) components of \(precision) bits"))
    }
    try Picture.require(width: width, height: height)
    self.width = width
    self.height = height
    self.components = components
  }

  /// The pixels: by the accurate integer transform and smooth upsampling, libjpeg's defaults.
  func decoded() throws(CheckpointError) -> Picture {
    let library = try TurboJPEG()
    let isCMYK = components == 4
    let samples = try library.decode(
      bytes, width: width, height: height, bytesOfPixel: isCMYK ? 4 : 3,
      format: isCMYK ? TurboJPEG.cmyk : TurboJPEG.rgb)
    return Picture(
      width: width, height: height, pixels: isCMYK ? Self.colors(ofInverted: samples) : samples)
  }

  /// Red, green and blue of inks, which are stored as 255 minus their amount, whatever the file says of that: as Pillow
  /// does it.
  private static func colors(ofInverted samples: [UInt8]) -> [UInt8] {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(samples.count / 4 * 3)
    for start in stride(from: 0, to: samples.count - 3, by: 4) {
      let light = Int(samples[start + 3])
      for ink in samples[start..<start + 3] {
        // 255 - min(255, ink + black), with the product rounded to nearest.
        let product = (255 - Int(ink)) * light + 128
        pixels.append(UInt8(max(0, light - (product >> 8 + product) >> 8)))
      }
    }
    return pixels
  }
}

/// The functions of libturbojpeg that are used, of API 2 (turbojpeg.h).
private struct TurboJPEG {
  private typealias Handle = UnsafeMutableRawPointer
  private typealias Decode =
    @convention(c) (
      Handle?, UnsafePointer<UInt8>?, CUnsignedLong, UnsafeMutablePointer<UInt8>?, CInt, CInt, CInt,
      CInt, CInt
    ) -> CInt

  /// `TJPF_RGB`
  static let rgb: CInt = 0
  /// `TJPF_CMYK`
  static let cmyk: CInt = 11
  /// `TJFLAG_LIMITSCANS`: an error after 500 scans.
  private static let limitsScans: CInt = 32768
  /// `TJERR_WARNING`
  private static let warning: CInt = 0

  private let library: SharedLibrary

  init() throws(CheckpointError) {
    library = try SharedLibrary(
      ["libturbojpeg.so.0", "libturbojpeg.so", "libturbojpeg.dylib", "libturbojpeg.0.dylib"],
      reading: "a JPEG", package: "libturbojpeg0", otherwise: "save the picture as PNG")
  }

  func decode(
    _ bytes: [UInt8], width: Int, height: Int, bytesOfPixel: Int, format: CInt
  ) throws(CheckpointError) -> [UInt8] {
    let create = unsafe try library.function(
      "tjInitDecompress", as: (@convention(c) () -> Handle?).self)
    let decode = unsafe try library.function("tjDecompress2", as: Decode.self)
    let code = unsafe try library.function(
      "tjGetErrorCode", as: (@convention(c) (Handle?) -> CInt).self)
    let text = unsafe try library.function(
      "tjGetErrorStr2", as: (@convention(c) (Handle?) -> UnsafePointer<CChar>?).self)
    let destroy = unsafe try library.function(
      "tjDestroy", as: (@convention(c) (Handle?) -> CInt).self)
    guard let handle = unsafe create() else {
      throw CheckpointError(.unsupported("libturbojpeg cannot be used"))
    }
    defer { _ = unsafe destroy(handle) }
    let (count, pitch) = (width * height * bytesOfPixel, width * bytesOfPixel)
    var samples = [UInt8](repeating: 0, count: count)
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe samples.withUnsafeMutableBufferPointer { target in
        unsafe decode(
          handle, source.baseAddress, CUnsignedLong(source.count), target.baseAddress,
          CInt(width), CInt(pitch), CInt(height), format, Self.limitsScans)
      }
    }
    guard status != 0 else { return samples }
    let reason = unsafe text(handle).map { unsafe String(cString: $0) } ?? "it does not say why"
    // Other warnings are about single pixels, and Pillow gives none.
    guard unsafe code(handle) == Self.warning, !reason.hasPrefix("Premature end") else {
      throw CheckpointError(.malformed("libjpeg-turbo cannot decode it: \(escaped(reason))"))
    }
    return samples
  }
}
