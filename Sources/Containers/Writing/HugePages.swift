#if canImport(Glibc)
  import Glibc
#endif

/// Asks for large pages under a buffer that is about to be filled: for hundreds of megabytes, getting
/// pages of 4 KiB one by one takes as long as decompressing into them. A hint; nothing depends on it.
func adviseHugePages(_ buffer: UnsafeMutableRawBufferPointer) {
  #if canImport(Glibc)
    let size = 2 << 20
    guard buffer.count >= 4 * size, let start = buffer.baseAddress else { return }
    let skipped = (size - Int(bitPattern: start) % size) % size
    let count = (buffer.count - skipped) / size * size
    let hugePage: Int32 = 14  // MADV_HUGEPAGE
    _ = unsafe madvise(start + skipped, count, hugePage)
  #endif
}
