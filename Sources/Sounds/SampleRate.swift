import TensorCore

/// Samples at another rate, as libsoxr makes them in its high quality (soxr.h, 0.1.3): what librosa does unless told
/// otherwise (`soxr_hq`).
enum SampleRate {
  private typealias Handle = UnsafeMutableRawPointer
  private typealias Create =
    @convention(c) (
      Double, Double, CUnsignedInt, UnsafeMutablePointer<UnsafePointer<CChar>?>?,
      UnsafeRawPointer?, UnsafeRawPointer?, UnsafeRawPointer?
    ) -> Handle?
  private typealias Process =
    @convention(c) (
      Handle?, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Int>?,
      UnsafeMutablePointer<Float>?, Int, UnsafeMutablePointer<Int>?
    ) -> UnsafePointer<CChar>?
  private typealias Delete = @convention(c) (Handle?) -> Void

  /// Samples of one channel at a rate as samples at another one: as many as their time, rounded up.
  ///
  /// - Throws: `CheckpointError`: unsupported if libsoxr is not installed or does not do it, or there are too many.
  static func converted(
    _ samples: [Float], from own: Int, to rate: Int
  ) throws(CheckpointError) -> [Float] {
    // Both are bounded far below what a product could exceed.
    let count = (samples.count * rate + own - 1) / own
    guard count <= Sound.mostSamples else {
      throw CheckpointError(
        .limitExceeded("the number of samples", limit: Sound.mostSamples, found: count))
    }
    let library = try SharedLibrary(
      ["libsoxr.so.0", "libsoxr.so", "libsoxr.dylib", "libsoxr.0.dylib"],
      reading: "a sound at another rate", package: "libsoxr0", otherwise: "resample it before")
    let create = unsafe try library.function("soxr_create", as: Create.self)
    let process = unsafe try library.function("soxr_process", as: Process.self)
    let delete = unsafe try library.function("soxr_delete", as: Delete.self)
    var reason: UnsafePointer<CChar>?
    // Without descriptions: single precision, high quality, one thread.
    let handle = unsafe create(Double(own), Double(rate), 1, &reason, nil, nil, nil)
    guard let handle = unsafe handle else { throw unsafe Self.failure(reason) }
    defer { unsafe delete(handle) }
    var result = [Float](repeating: 0, count: count)
    var (made, last) = (0, 0)
    unsafe result.withUnsafeMutableBufferPointer { target in
      unsafe samples.withUnsafeBufferPointer { source in
        unsafe reason = process(
          handle, source.baseAddress, source.count, nil, target.baseAddress, target.count, &made)
      }
      guard unsafe reason == nil, (0...count).contains(made) else { return }
      // The end of the input, behind which what is left is given out.
      unsafe reason = process(
        handle, nil, 0, nil, target.baseAddress?.advanced(by: made), count - made, &last)
    }
    if let reason = unsafe reason { throw unsafe Self.failure(reason) }
    return result
  }

  private static func failure(_ reason: UnsafePointer<CChar>?) -> CheckpointError {
    let text = unsafe reason.map { unsafe String(cString: $0) } ?? "it does not say why"
    return CheckpointError(.unsupported("libsoxr does not resample it: \(escaped(text))"))
  }
}
