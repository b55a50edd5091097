/// The normal forms of Unicode.
enum NormalForm: String {
  case nfd = "NFD"
  case nfc = "NFC"
  case nfkd = "NFKD"
  case nfkc = "NFKC"

  var isCompatible: Bool { self == .nfkd || self == .nfkc }
  var isComposed: Bool { self == .nfc || self == .nfkc }
}

/// How characters are decomposed, ordered and composed, as the crate unicode-normalization-alignments knows it.
///
/// Source: Unicode Standard Annex #15, and chapter 3.12 of the standard for Hangul.
struct NormalForms: Sendable {
  /// The tables, made when they are first needed.
  static let shared = NormalForms()

  private var canonical: [UInt32: [UInt32]] = [:]
  private var compatible: [UInt32: [UInt32]] = [:]
  private var composed: [UInt64: UInt32] = [:]
  private var classes: [UInt32: UInt8] = [:]

  private init() {
    var reader = TableReader(UnicodeTables.decompositions)
    var scalar: UInt32 = 0
    while let distance = reader.number() {
      scalar += distance
      let isCanonical = reader.separator() == UInt8(ascii: "=")
      var parts: [UInt32] = []
      repeat { parts.append(reader.number() ?? 0) } while reader.separator() == UInt8(ascii: ",")
      if isCanonical { canonical[scalar] = parts } else { compatible[scalar] = parts }
    }
    reader = TableReader(UnicodeTables.compositions)
    while let first = reader.number() {
      _ = reader.separator()
      let second = reader.number() ?? 0
      _ = reader.separator()
      composed[Self.pair(first, second)] = reader.number() ?? 0
      _ = reader.separator()
    }
    reader = TableReader(UnicodeTables.combiningClasses)
    scalar = 0
    while let distance = reader.number() {
      scalar += distance
      _ = reader.separator()
      classes[scalar] = UInt8(truncatingIfNeeded: reader.number() ?? 0)
      _ = reader.separator()
    }
  }

  private static func pair(_ first: UInt32, _ second: UInt32) -> UInt64 {
    UInt64(first) << 32 | UInt64(second)
  }

  /// The canonical combining class of a character; 0 is that of a starter.
  private func combiningClass(_ scalar: UInt32) -> UInt8 {
    scalar < 0x300 ? 0 : classes[scalar] ?? 0
  }

  /// The characters of a text in a normal form, each with its change as `AlignedText.transform` takes it.
  func characters(
    of text: [UInt32], in form: NormalForm
  ) -> [(scalar: UInt32, change: Int)] {
    let decomposed = decompose(text, isCompatible: form.isCompatible)
    return form.isComposed ? compose(decomposed) : decomposed
  }

  private typealias Change = (scalar: UInt32, change: Int)

  private func decompose(_ text: [UInt32], isCompatible: Bool) -> [(scalar: UInt32, change: Int)] {
    var result: [Change] = []
    result.reserveCapacity(text.count)
    var firstUnordered = 0
    for scalar in text {
      for (index, part) in parts(of: scalar, isCompatible: isCompatible).enumerated() {
        if combiningClass(part) == 0 {
          sort(&result, from: firstUnordered)
          result.append((part, index == 0 ? 0 : 1))
          firstUnordered = result.count
        } else {
          result.append((part, index == 0 ? 0 : 1))
        }
      }
    }
    sort(&result, from: firstUnordered)
    return result
  }

  /// Orders marks by their class, those of one class as they are.
  private func sort(_ characters: inout [Change], from start: Int) {
    guard characters.count - start > 1 else { return }
    let marks = characters[start...].enumerated().sorted {
      let (a, b) = (combiningClass($0.element.scalar), combiningClass($1.element.scalar))
      return a == b ? $0.offset < $1.offset : a < b
    }
    characters.replaceSubrange(start..., with: marks.map(\.element))
  }

  private func parts(of scalar: UInt32, isCompatible: Bool) -> [UInt32] {
    if scalar < 0xA0 { return [scalar] }
    if (0xAC00..<0xAC00 + 11172).contains(scalar) {
      let index = scalar - 0xAC00
      let (leading, vowel, trailing) = (index / 588, index % 588 / 28, index % 28)
      let start = [0x1100 + leading, 0x1161 + vowel]
      return trailing == 0 ? start : start + [0x11A7 + trailing]
    }
    return (isCompatible ? compatible[scalar] : nil) ?? canonical[scalar] ?? [scalar]
  }

  /// Composes what follows a starter with it. A character that goes into another one is counted as removed
  /// after it, unless it had been added.
  private func compose(_ text: [(scalar: UInt32, change: Int)]) -> [(scalar: UInt32, change: Int)] {
    var result: [Change] = []
    result.reserveCapacity(text.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for character in text {
      let ownClass = combiningClass(character.scalar)
      let isBlocked = (starter.map { $0 + 1 < result.count } ?? true) && lastClass >= ownClass
      if let starter, !isBlocked, let whole = compose(result[starter].scalar, character.scalar) {
        result[starter].scalar = whole
        result[starter].change += character.change - 1
        continue
      }
      if ownClass == 0 { starter = result.count }
      lastClass = ownClass
      result.append(character)
    }
    return result
  }

  private func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if (0x1100..<0x1113).contains(first), (0x1161..<0x1176).contains(second) {
      return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
    }
    if (0xAC00..<0xAC00 + 11172).contains(first), (first - 0xAC00) % 28 == 0,
      (0x11A8..<0x11C3).contains(second)
    {
      return first + second - 0x11A7
    }
    return composed[Self.pair(first, second)]
  }
}

/// Reads numbers in hexadecimal digits and the signs between them.
private struct TableReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: StaticString) {
    bytes = text.bytes.filter { $0 > 0x20 }
  }

  mutating func number() -> UInt32? {
    guard position < bytes.count else { return nil }
    var value: UInt32 = 0
    while position < bytes.count, let digit = hexDigit(bytes[position]) {
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  mutating func separator() -> UInt8? {
    guard position < bytes.count else { return nil }
    position += 1
    return bytes[position - 1]
  }
}
