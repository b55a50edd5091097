import CXXHash

/// XXH3 with 64 bits and seed 0, over `bytes`.
func xxh3(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  unsafe XXH3_64bits(bytes.baseAddress, bytes.count)
}

/// XXH3 with 64 bits and seed 0, over `bytes`.
func xxh3(_ bytes: [UInt8]) -> UInt64 {
  unsafe bytes.withUnsafeBytes { unsafe xxh3($0) }
}
