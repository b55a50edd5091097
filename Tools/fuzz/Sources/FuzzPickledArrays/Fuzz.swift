import Support

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  readEverything(asFile(data, size), .pickle)
  return 0
}
