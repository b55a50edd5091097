import CFuzzXXHash

/// Makes the sizes of the footer, and the checksums of chunks and index, those of the bytes that are
/// there, as far as they can be found. See docs/tfz.md, sections 2 and 5.
func mendChecksums(of file: inout [UInt8]) {
  let end = file.count - 32
  guard end >= 16, let start = Int(exactly: number(file, end, 8)), (16...end).contains(start)
  else { return }
  put(UInt64(end - start), 8, into: &file, at: end + 8)
  mendChunks(of: &file, index: start..<end)
  put(xxh3(file, start..<end), 8, into: &file, at: end + 16)
}

/// Walks over the records of all chunks.
private func mendChunks(of file: inout [UInt8], index: Range<Int>) {
  guard index.count >= 28 else { return }
  let isHashed = number(file, index.lowerBound, 4) & 1 != 0
  let unitsPerChunk = number(file, index.lowerBound + 4, 4)
  let streams = number(file, index.lowerBound + 8, 4)
  guard unitsPerChunk > 0 else { return }
  var position = index.lowerBound + 28
  var chunkStart = 16
  for _ in 0..<streams {
    guard position + 12 <= index.upperBound else { return }
    let length = number(file, position, 8)
    let width = Int(file[position + 8])
    position += isHashed ? 44 : 12
    guard width > 0 else { return }
    let (perChunk, _) = unitsPerChunk.multipliedReportingOverflow(by: UInt64(width))
    guard perChunk > 0 else { return }
    var left = length
    while left > 0 {
      guard position + 8 + 4 * width <= index.upperBound else { return }
      let size = (0..<width).reduce(0) {
        $0 + Int(number(file, position + 8 + 4 * $1, 4) & 0xFF_FFFF)
      }
      guard chunkStart + size <= index.lowerBound else { return }
      put(xxh3(file, chunkStart..<chunkStart + size), 8, into: &file, at: position)
      chunkStart += size
      position += 8 + 4 * width
      left -= min(left, perChunk)
    }
  }
}

private func number(_ bytes: [UInt8], _ start: Int, _ width: Int) -> UInt64 {
  (0..<width).reversed().reduce(0) { $0 << 8 | UInt64(bytes[start + $1]) }
}

private func put(_ number: UInt64, _ width: Int, into bytes: inout [UInt8], at start: Int) {
  for place in 0..<width { bytes[start + place] = UInt8(truncatingIfNeeded: number >> (8 * place)) }
}

private func xxh3(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
  bytes.withUnsafeBytes { XXH3_64bits($0.baseAddress.map { $0 + range.lowerBound }, range.count) }
}
