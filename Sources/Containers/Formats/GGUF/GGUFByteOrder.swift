import TensorCore

extension GGUFValue {
  /// The value without its type, as a little-endian file has it.
  var content: [UInt8] { GGUFLayout.ByteOrder().content(self) }
}

extension GGUFLayout {
  /// The order of the bytes of numbers in a file.
  struct ByteOrder {
    var isBigEndian = false

    /// A number.
    func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
      let bytes = Array(number.littleEndianBytes)
      return isBigEndian ? bytes.reversed() : bytes
    }

    /// A text: its length, and its bytes.
    func bytes(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

    /// A value with its type before it.
    func bytes(_ value: GGUFValue) -> [UInt8] { bytes(value.kind.rawValue) + content(value) }

    /// A value without its type.
    func content(_ value: GGUFValue) -> [UInt8] {
      switch value {
      case .integer(let number, let kind): narrowed(number.littleEndianBytes, kind)
      case .unsigned(let number, let kind): narrowed(number.littleEndianBytes, kind)
      case .float(let number, .float32): bytes(Float(number).bitPattern)
      case .float(let number, _): bytes(number.bitPattern)
      case .bool(let flag): [flag ? 1 : 0]
      case .text(let text): bytes(text)
      case .list(let kind, let count, let stored):
        bytes(kind.rawValue) + bytes(UInt64(count)) + elements(kind, count, stored)
      }
    }

    /// The bytes of a number that its type has.
    private func narrowed(_ little: some Sequence<UInt8>, _ kind: GGUFValue.Kind) -> [UInt8] {
      let bytes = Array(little.prefix(kind.width ?? 8))
      return isBigEndian ? bytes.reversed() : bytes
    }

    /// What is in a list, of which a little-endian file has `stored`.
    private func elements(_ kind: GGUFValue.Kind, _ count: Int, _ stored: [UInt8]) -> [UInt8] {
      guard isBigEndian else { return stored }
      var target: [UInt8] = []
      target.reserveCapacity(stored.count)
      var rest = stored[...]
      append(kind, count, &rest, to: &target)
      return target
    }

    private func append(
      _ kind: GGUFValue.Kind, _ count: Int, _ rest: inout ArraySlice<UInt8>,
      to target: inout [UInt8]
    ) {
      if let width = kind.width {
        target += swappedNumbers(take(count * width, &rest), width)
        return
      }
      for _ in 0..<count {
        if kind == .text {
          let length = littleEndian(take(8, &rest))
          target += bytes(length) + take(Int(clamping: length), &rest)
          continue
        }
        let number = UInt32(truncatingIfNeeded: littleEndian(take(4, &rest)))
        let inner = littleEndian(take(8, &rest))
        target += bytes(number) + bytes(inner)
        append(
          GGUFValue.Kind(rawValue: number) ?? .uint8, Int(clamping: inner), &rest, to: &target)
      }
    }

    /// The next bytes. A list was checked when it was read.
    private func take(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
  }
}
