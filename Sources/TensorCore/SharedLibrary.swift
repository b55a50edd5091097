#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A library that is loaded when a file needs it: linked, it would be loaded at every start of a command.
@safe package struct SharedLibrary: @unchecked Sendable {
  private let handle: UnsafeMutableRawPointer
  private let name: String

  /// Loads a library.
  ///
  /// - Parameters:
  ///   - names: what the file may be called, on Linux and on macOS.
  ///   - reading: what is read with it, as a sentence begins.
  ///   - package: what Debian has it in.
  ///   - otherwise: what can be done without it.
  package init(
    _ names: [String], reading: String, package: String, otherwise: String
  ) throws(CheckpointError) {
    for name in names {
      if let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) {
        unsafe self.handle = handle
        self.name = name
        return
      }
    }
    throw CheckpointError(
      .unsupported("\(reading) is read with \(names.first ?? ""), which is not installed"),
      advice: "install it (Debian: apt-get install \(package)), or \(otherwise)")
  }

  /// A function of it, of a C type that the caller knows.
  package func function<Function>(
    _ symbol: String, as _: Function.Type
  ) throws(CheckpointError) -> Function {
    guard MemoryLayout<Function>.size == MemoryLayout<Int>.size,
      let address = unsafe dlsym(handle, symbol)
    else {
      throw CheckpointError(.unsupported("\(name) has no function \(symbol)"))
    }
    return unsafe unsafeBitCast(address, to: Function.self)
  }
}
