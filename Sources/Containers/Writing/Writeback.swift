import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lets the kernel begin to bring written bytes to the disk, so that less is left for `fsync`.
///
/// A hint: nothing waits for it, and where it is not known nothing happens.
func beginWriteback(_ descriptor: FileDescriptor, at offset: Int, count: Int) {
  #if canImport(Glibc)
    // glibc declares sync_file_range for GNU sources only, which Swift's module is not.
    guard let symbol = unsafe dlsym(nil, "sync_file_range") else { return }
    typealias SyncFileRange = @convention(c) (Int32, Int64, Int64, UInt32) -> Int32
    let syncFileRange = unsafe unsafeBitCast(symbol, to: SyncFileRange.self)
    let write: UInt32 = 2  // SYNC_FILE_RANGE_WRITE
    _ = syncFileRange(descriptor.rawValue, Int64(offset), Int64(count), write)
  #endif
}
