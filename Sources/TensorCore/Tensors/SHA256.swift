internal import CCrypto

/// The SHA-256 digest of bytes that come piece by piece. FIPS 180-4; computed by libcrypto.
@safe public struct SHA256: ~Copyable {
  private let context: UnsafeMutableRawPointer

  /// Starts a digest.
  public init() {
    guard let context = unsafe tfkit_sha256_start() else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    unsafe self.context = unsafe context
  }

  deinit {
    unsafe tfkit_sha256_free(context)
  }

  /// Adds bytes.
  public mutating func update(_ bytes: [UInt8]) {
    let status = unsafe bytes.withUnsafeBytes { buffer in
      unsafe tfkit_sha256_add(context, buffer.baseAddress, buffer.count)
    }
    precondition(status == 1, "libcrypto cannot add to a digest")
  }

  /// Adds bytes.
  public mutating func update(_ bytes: RawSpan) {
    let status = unsafe bytes.withUnsafeBytes { buffer in
      unsafe tfkit_sha256_add(context, buffer.baseAddress, buffer.count)
    }
    precondition(status == 1, "libcrypto cannot add to a digest")
  }

  /// The digest of everything that was added, in lower-case hexadecimal.
  public consuming func finalized() -> String {
    Self.text(of: finalizedBytes())
  }

  /// The 32 bytes of the digest of everything that was added.
  public consuming func finalizedBytes() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let status = unsafe digest.withUnsafeMutableBytes { buffer in
      unsafe tfkit_sha256_finish(
        context, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
    precondition(status == 1, "libcrypto cannot finish a digest")
    return digest
  }

  /// The digest of a tensor's bytes, read in pieces, in lower-case hexadecimal.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public static func digest(of tensor: Tensor) throws(CheckpointError) -> String {
    try reading(tensor).finalized()
  }

  /// The 32 bytes of the digest of a tensor's bytes, read in pieces.
  ///
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  public static func bytes(of tensor: Tensor) throws(CheckpointError) -> [UInt8] {
    try reading(tensor).finalizedBytes()
  }

  private static func reading(_ tensor: Tensor) throws(CheckpointError) -> SHA256 {
    var sha = SHA256()
    for start in stride(from: 0, to: tensor.byteCount, by: 1 << 20) {
      sha.update(try tensor.bytes.read(start..<min(start + 1 << 20, tensor.byteCount)))
    }
    return sha
  }
}

extension SHA256 {
  /// The bytes of a digest in lower-case hexadecimal.
  public static func text(of digest: [UInt8]) -> String {
    unsafe String(unsafeUninitializedCapacity: 2 * digest.count) { text in
      for (place, byte) in digest.enumerated() {
        unsafe text[2 * place] = hexadecimalDigit(byte >> 4)
        unsafe text[2 * place + 1] = hexadecimalDigit(byte & 15)
      }
      return 2 * digest.count
    }
  }

  private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
