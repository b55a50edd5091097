internal import CBLAS

/// What multiplies matrices: the library, its version, and its kernels for this processor.
public struct ArithmeticLibrary: Sendable {
  /// `OpenBLAS`.
  public let name: String
  /// `0.3.21`.
  public let version: String
  /// `Haswell`: what the library calls the processors that its kernels were written for.
  public let kernel: String

  /// Whether the library is there. It is loaded when it is first asked for.
  public static var isThere: Bool { tfkit_has_blas() != 0 }

  /// The library that this process uses.
  ///
  /// - Precondition: `isThere`
  public static let current: ArithmeticLibrary = {
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64"
    let words = unsafe text(tfkit_blas_config()).split(separator: " ").map(String.init)
    let kernel = unsafe text(tfkit_blas_core())
    return ArithmeticLibrary(
      name: words.first ?? "unknown", version: words.dropFirst().first ?? "unknown",
      kernel: kernel.isEmpty ? "unknown" : kernel)
  }()
}

private func text(_ characters: UnsafePointer<CChar>?) -> String {
  guard let characters = unsafe characters else { return "" }
  return unsafe String(cString: characters)
}
