/// What a person types into a program that has the whole terminal.
public enum Key: Equatable, Sendable {
  case character(Character)
  case up
  case down
  case left
  case right
  case pageUp
  case pageDown
  case home
  case end
  case enter
  case escape
  case backspace
  case tab
  /// Control-C or Control-D.
  case interrupt
}

/// Makes keys of the bytes that a terminal sends.
///
/// Source: ECMA-48 section 5.4 (control sequences), and xterm's "PC-Style Function Keys" for what they mean. What is no key of
/// ours, or no UTF-8, is nothing.
public struct KeyDecoder: Sendable {
  private var pending: [UInt8] = []

  /// A decoder that has heard nothing.
  public init() {}

  /// The keys that are complete with these bytes.
  ///
  /// - Parameter isPause: whether nothing came after them for a while, so that an escape is one, and no beginning.
  public mutating func keys(_ bytes: [UInt8], isPause: Bool = false) -> [Key] {
    pending += bytes
    var keys: [Key] = []
    while let first = pending.first {
      let count = first == 0x1B ? escape(isPause, &keys) : plain(first, &keys)
      guard let count else {
        if isPause { pending = [] }
        break
      }
      pending.removeFirst(count)
    }
    return keys
  }

  /// Reads what begins with an escape; how many bytes that were, or `nil` if more must come.
  private func escape(_ isPause: Bool, _ keys: inout [Key]) -> Int? {
    guard pending.count > 1 else {
      guard isPause else { return nil }
      keys.append(.escape)
      return 1
    }
    guard [UInt8(ascii: "["), UInt8(ascii: "O")].contains(pending[1]) else {
      keys.append(.escape)
      return 1
    }
    let rest = pending.dropFirst(2)
    guard let end = rest.firstIndex(where: { !(0x20...0x3F).contains($0) }) else {
      // No sequence is so long: it is dropped.
      return pending.count > 32 ? pending.count : nil
    }
    if let key = Self.key(ending: pending[end], rest[..<end]) { keys.append(key) }
    return end + 1
  }

  private static func key(ending: UInt8, _ parameters: ArraySlice<UInt8>) -> Key? {
    switch ending {
    case UInt8(ascii: "A"): return .up
    case UInt8(ascii: "B"): return .down
    case UInt8(ascii: "C"): return .right
    case UInt8(ascii: "D"): return .left
    case UInt8(ascii: "H"): return .home
    case UInt8(ascii: "F"): return .end
    case UInt8(ascii: "~"): break
    default: return nil
    }
    switch parameters.first {
    case UInt8(ascii: "1"), UInt8(ascii: "7"): return .home
    case UInt8(ascii: "4"), UInt8(ascii: "8"): return .end
    case UInt8(ascii: "5"): return .pageUp
    case UInt8(ascii: "6"): return .pageDown
    default: return nil
    }
  }

  /// Reads a character; how many bytes that were, or `nil` if more must come.
  private func plain(_ first: UInt8, _ keys: inout [Key]) -> Int? {
    switch first {
    case 0x03, 0x04: keys.append(.interrupt)
    case 0x08, 0x7F: keys.append(.backspace)
    case 0x09: keys.append(.tab)
    case 0x0A, 0x0D: keys.append(.enter)
    case 0x20..<0x7F: keys.append(.character(Character(Unicode.Scalar(first))))
    case 0xC2..<0xF5:
      let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      let bytes = pending.prefix(length)
      guard bytes.dropFirst().allSatisfy({ 0x80..<0xC0 ~= $0 }) else { return 1 }
      guard bytes.count == length else { return nil }
      if let text = String(validating: bytes, as: UTF8.self), let character = text.first {
        keys.append(.character(character))
      }
      return length
    default: break
    }
    return 1
  }
}
