import Support

/// A file as torch wrote them before version 1.6, up to its object: three pickles, and no checksum.
private let beginning: [UInt8] =
  [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
  + [0x80, 2, 0x4D, 0xE9, 3, 0x2E, 0x80, 2, 0x7D, 0x2E]

/// The input is the object's pickle, and what follows it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = beginning + UnsafeBufferPointer(start: data, count: size)
  bytes.withUnsafeBufferPointer { buffer in
    guard let start = buffer.baseAddress else { return }
    readEverything(asFile(start, buffer.count), .torch)
  }
  return 0
}
