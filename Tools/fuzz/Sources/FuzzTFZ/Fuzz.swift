import Support

/// Each input is read as it is, and again with its checksums mended, so that what is behind them is reached.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  var bytes = Array(UnsafeBufferPointer(start: data, count: size))
  readEverything(asFile(data, size), .tfz)
  mendChecksums(of: &bytes)
  bytes.withUnsafeBufferPointer { mended in
    if let start = mended.baseAddress { readEverything(asFile(start, mended.count), .tfz) }
  }
  return 0
}
