/// What is known of every character: its general category, and to which sets it belongs.
///
/// The sets are those of the libraries that tokenizers is made of, each with the Unicode of its day; the
/// categories are Oniguruma's (Unicode 16). `Tools/oracle/unicode_tables.py` measures them.
struct CharacterTable: Sendable {
  /// The properties of a character: the category's number in the lowest five bits, and a bit for each set.
  struct Properties: Equatable, Sendable {
    let bits: UInt16

    /// The bit of the general category in a mask of categories.
    var category: UInt32 { 1 << UInt32(bits & 31) }

    func has(_ set: Set) -> Bool { bits & set.rawValue != 0 }
  }

  /// A set of characters.
  enum Set: UInt16 {
    /// `char::is_numeric` of Rust.
    case numeric = 0x20
    /// Punctuation to BERT: ASCII's, and Unicode's of the crate unicode_categories.
    case punctuation = 0x40
    /// Marks that BERT's accents are.
    case nonspacingMark = 0x80
    /// Marks that `StripAccents` removes.
    case combiningMark = 0x100
    /// What BERT's cleaning removes.
    case removedByBERT = 0x200
    /// `\w` of the crate regex.
    case word = 0x400
    /// `\w` of Oniguruma.
    case wordOfPatterns = 0x800
    /// `\s`, and `char::is_whitespace` of Rust.
    case space = 0x1000
    case han = 0x2000
    case hiragana = 0x4000
    case katakana = 0x8000
  }

  /// The names of the categories, in the order of their numbers.
  static let categoryNames = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn",
  ]

  /// The table, made when it is first needed.
  static let shared = CharacterTable()

  /// For each 256 characters where their properties begin in `pages`.
  private let starts: [Int32]
  private let pages: [UInt16]

  private init() {
    var properties: [UInt16] = []
    properties.reserveCapacity(0x110000)
    let numbers = UnicodeTables.properties
    var number = 0
    var count = 0
    func extend() {
      if count > 0 { properties += repeatElement(numbers[number], count: count) }
    }
    let signs = Self.signs
    for byte in UnicodeTables.runs.bytes {
      if let digit = hexDigit(byte) {
        count = count << 4 | digit
      } else if byte > 0x20 {
        extend()
        number = signs[Int(byte)]
        count = 0
      }
    }
    extend()
    (starts, pages) = Self.paged(properties)
  }

  /// The number that each sign stands for: those that are no hexadecimal digit, quote or backslash.
  private static var signs: [Int] {
    var signs = [Int](repeating: 0, count: 128)
    var next = 0
    for byte in UInt8(0x21)..<0x7F where hexDigit(byte) == nil && byte != 0x22 && byte != 0x5C {
      signs[Int(byte)] = next
      next += 1
    }
    return signs
  }

  /// Equal pages once.
  private static func paged(_ properties: [UInt16]) -> ([Int32], [UInt16]) {
    var known: [ArraySlice<UInt16>: Int32] = [:]
    var starts: [Int32] = []
    var pages: [UInt16] = []
    for start in stride(from: 0, to: properties.count, by: 256) {
      let page = properties[start..<start + 256]
      // Equal slices hash alike, whatever their indices.
      if let index = known[page] {
        starts.append(index)
      } else {
        known[page] = Int32(pages.count)
        starts.append(Int32(pages.count))
        pages += page
      }
    }
    return (starts, pages)
  }

  /// The properties of a character.
  @inline(__always)
  subscript(_ scalar: UInt32) -> Properties {
    Properties(bits: pages[Int(starts[Int(scalar >> 8)]) + Int(scalar & 0xFF)])
  }

  /// Whether a character belongs to a set.
  func contains(_ scalar: UInt32, _ set: Set) -> Bool { self[scalar].has(set) }
}

/// The value of a hexadecimal digit as the tables have them.
func hexDigit(_ byte: UInt8) -> Int? {
  switch byte {
  case 0x30...0x39: Int(byte) - 0x30
  case 0x61...0x66: Int(byte) - 0x57
  default: nil
  }
}

extension StaticString {
  /// The bytes of the text.
  var bytes: [UInt8] { withUTF8Buffer { unsafe Array($0) } }
}
