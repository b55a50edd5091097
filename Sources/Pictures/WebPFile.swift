import TensorCore

/// A WebP (RFC 9649), whose pixels libwebp decodes.
struct WebPFile {
  private let bytes: [UInt8]
  /// A TIFF.
  private(set) var exif: ArraySlice<UInt8>?
  private(set) var xmp: ArraySlice<UInt8>?

  /// Whether bytes begin as a file's.
  static func isOne(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8)
  }

  /// Looks through the chunks (2.3).
  init(_ bytes: [UInt8]) throws(CheckpointError) {
    self.bytes = bytes
    let file = PictureBytes(bytes[...])
    var offset = 12
    while let type = file.slice(offset, 4), let length = file.little(offset + 4, 4),
      let body = file.slice(offset + 8, length)
    {
      switch String(decoding: type, as: UTF8.self) {
      case "EXIF":
        let name = Array("Exif".utf8) + [0, 0]
        exif = body.starts(with: name) ? body.dropFirst(name.count) : body
      case "XMP ": xmp = body
      default: break
      }
      offset += 8 + length + length % 2
    }
  }

  func decoded() throws(CheckpointError) -> Picture {
    let library = try SharedLibrary(
      ["libwebp.so.7", "libwebp.so", "libwebp.dylib", "libwebp.7.dylib"], reading: "a WebP",
      package: "libwebp7", otherwise: "save the picture as PNG")
    let features = try features(library)
    guard features.isMoving == 0 else {
      throw CheckpointError(.unsupported("is a WebP of several pictures"))
    }
    let (width, height) = (Int(features.width), Int(features.height))
    try Picture.require(width: width, height: height)
    let decode = unsafe try library.function("WebPDecodeRGBInto", as: Decode.self)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    let isDone = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe pixels.withUnsafeMutableBufferPointer { target in
        unsafe decode(
          source.baseAddress, source.count, target.baseAddress, target.count, CInt(width * 3))
          != nil
      }
    }
    guard isDone else { throw CheckpointError(.malformed("libwebp cannot decode it")) }
    return Picture(width: width, height: height, pixels: pixels)
  }

  private typealias Decode =
    @convention(c) (
      UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?, Int, CInt
    ) -> UnsafeMutablePointer<UInt8>?

  /// `WebPBitstreamFeatures` (webp/decode.h)
  private struct Features {
    var width: CInt = 0
    var height: CInt = 0
    var hasAlpha: CInt = 0
    var isMoving: CInt = 0
    var format: CInt = 0
    var reserved: (CUnsignedInt, CUnsignedInt, CUnsignedInt, CUnsignedInt, CUnsignedInt) =
      (0, 0, 0, 0, 0)
  }

  /// `WEBP_DECODER_ABI_VERSION`, of which the higher byte must be the library's.
  private static let version: CInt = 0x0208

  private func features(_ library: SharedLibrary) throws(CheckpointError) -> Features {
    let read = unsafe try library.function(
      "WebPGetFeaturesInternal",
      as: (@convention(c) (UnsafePointer<UInt8>?, Int, UnsafeMutableRawPointer?, CInt) -> CInt)
        .self)
    var features = Features()
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe withUnsafeMutablePointer(to: &features) { target in
        unsafe read(source.baseAddress, source.count, target, Self.version)
      }
    }
    guard status == 0 else {
      throw CheckpointError(.malformed("libwebp cannot read its header (status \(status))"))
    }
    return features
  }
}
