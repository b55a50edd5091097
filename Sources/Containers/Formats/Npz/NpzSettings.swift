import TensorCore

/// The settings that an npz has beside its numbers: a YAML text in an array of bytes, with a NUL at its end, as programs
/// that only know arrays store it.
enum NpzSettings {
  /// The array's name.
  private static let name = TensorName("special:model.yml")

  /// The settings as a config; `nil` of a file that has none.
  ///
  /// - Throws: `CheckpointError` if they are longer than a config may be, or no YAML that is understood.
  static func config(in tensors: [Tensor]) throws(CheckpointError) -> CompanionFile? {
    guard let tensor = tensors.first(where: { $0.name == name }),
      [.i8, .u8].contains(tensor.dtype), tensor.shape.count == 1
    else { return nil }
    guard tensor.byteCount <= Limits.config else {
      throw CheckpointError(
        .limitExceeded("the size of the settings", limit: Limits.config, found: tensor.byteCount),
        tensor: name)
    }
    let bytes = try tensor.bytes.read(0..<tensor.byteCount)
    let text = bytes.prefix { $0 != 0 }
    do {
      let value = try JSONValue(yaml: text)
      guard value.members != nil else { return nil }
      return CompanionFile(
        name: Array("config.json".utf8), bytes: Array((value.text(pretty: true) + "\n").utf8))
    } catch {
      throw CheckpointError(
        .malformed("line \(error.line) of the settings \(error.reason)"), tensor: name)
    }
  }
}
