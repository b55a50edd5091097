internal import CBLAS

/// What multiplies matrices: the library, its version, and its kernels for this processor.
public struct ArithmeticLibrary: Sendable {
  /// `OpenBLAS`.
  public let name: String
  /// `0.3.21`.
  public let version: String
  /// `Haswell`: what the library calls the processors that its kernels were written for.
  public let kernel: String

  /// The library that this process uses.
  public static let current: ArithmeticLibrary = {
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64"
    let words = unsafe text(openblas_get_config()).split(separator: " ").map(String.init)
    let kernel = unsafe text(openblas_get_corename())
    return ArithmeticLibrary(
      name: words.first ?? "unknown", version: words.dropFirst().first ?? "unknown",
      kernel: kernel.isEmpty ? "unknown" : kernel)
  }()
}

private func text(_ characters: UnsafePointer<CChar>?) -> String {
  guard let characters = unsafe characters else { return "" }
  return unsafe String(cString: characters)
}
