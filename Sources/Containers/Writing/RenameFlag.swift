import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The ways in which a file can get a name.
enum RenameFlag {
  /// Whatever has the name is replaced.
  case replace
  /// Fails with `EEXIST` if something has the name.
  case exclusive
  /// Two files or folders change places, in one step.
  case exchange

  /// Renames; zero, or -1 and `errno`.
  func rename(_ a: FilePath, _ b: FilePath) -> Int32 {
    unsafe a.withPlatformString { a in
      unsafe b.withPlatformString { b in unsafe call(a, b) }
    }
  }

  #if canImport(Glibc)
    private typealias Name = UnsafePointer<CChar>
    private typealias RenameAt2 = @convention(c) (Int32, Name, Int32, Name, UInt32) -> Int32

    private func call(_ a: UnsafePointer<CChar>, _ b: UnsafePointer<CChar>) -> Int32 {
      if self == .replace { return unsafe Glibc.rename(a, b) }
      // glibc declares renameat2 for GNU sources only, which Swift's module is not.
      guard let symbol = unsafe dlsym(nil, "renameat2") else {
        errno = ENOSYS
        return -1
      }
      let renameat2 = unsafe unsafeBitCast(symbol, to: RenameAt2.self)
      return unsafe renameat2(AT_FDCWD, a, AT_FDCWD, b, self == .exclusive ? 1 : 2)
    }
  #else
    private func call(_ a: UnsafePointer<CChar>, _ b: UnsafePointer<CChar>) -> Int32 {
      switch self {
      case .replace: unsafe Darwin.rename(a, b)
      case .exclusive: unsafe renamex_np(a, b, UInt32(RENAME_EXCL))
      case .exchange: unsafe renamex_np(a, b, UInt32(RENAME_SWAP))
      }
    }
  #endif
}
