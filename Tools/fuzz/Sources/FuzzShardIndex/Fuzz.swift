import Support

/// An index is told by its first byte; none of the shards it names exists.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  readEverything(asFile(data, size), nil)
  return 0
}
