import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lets the kernel begin to bring bytes from the disk that will be read soon.
///
/// A hint: nothing waits for it, and nothing happens if it fails.
func beginReadahead(_ descriptor: FileDescriptor, at offset: Int, count: Int) {
  #if canImport(Glibc)
    _ = posix_fadvise(descriptor.rawValue, offset, count, POSIX_FADV_WILLNEED)
  #else
    var advice = radvisory(ra_offset: Int64(offset), ra_count: Int32(clamping: count))
    _ = unsafe fcntl(descriptor.rawValue, F_RDADVISE, &advice)
  #endif
}
