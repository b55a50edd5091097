import Support

/// An index beside two shards.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  readEverything(shards.index(data, size), nil)
  return 0
}

private let shards = ShardFolder()
