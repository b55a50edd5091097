import TensorCore

/// A value of config.json that a conversion changes.
public struct ConfigChange: Sendable, Equatable {
  /// The key.
  public let key: String
  /// What it said.
  public let from: String
  /// What it says in the target, `nil` if it is not there.
  public let to: String?
}

/// A config.json that names the type of weights that are cast: all else stays, byte for byte.
struct CastConfig {
  private(set) var bytes: [UInt8] = []
  private(set) var changes: [ConfigChange] = []

  /// Replaces what `dtype`, and its former name `torch_dtype`, say, in nested objects too, since every
  /// weight is cast. Frameworks load weights as what these say, whatever the file holds.
  init(_ text: [UInt8], castTo dtype: DType) {
    guard let name = frameworkNames[dtype] else {
      bytes = text
      return
    }
    var start = 0
    while start < text.count {
      guard let (key, value) = typeMember(of: text, at: start) else {
        bytes.append(text[start])
        start += 1
        continue
      }
      let old = String(decoding: text[value], as: UTF8.self)
      bytes += text[start..<value.lowerBound] + Array(name.utf8)
      let change = ConfigChange(key: key, from: old, to: name)
      if old != name, !changes.contains(change) { changes.append(change) }
      start = value.upperBound
    }
  }
}

/// A type by the name that frameworks have for it.
func dtype(named name: String) -> DType? {
  frameworkNames.first { $0.value == name }?.key
}

/// What frameworks call the types that weights can have.
private let frameworkNames: [DType: String] = [
  .f64: "float64", .f32: "float32", .f16: "float16", .bf16: "bfloat16",
]

/// The member at a quotation mark that says which type the weights have, and where its value stands.
///
/// In JSON a text in quotation marks that a colon follows is a key, wherever it is.
private func typeMember(of text: [UInt8], at start: Int) -> (key: String, value: Range<Int>)? {
  guard text[start] == UInt8(ascii: "\""), start == 0 || text[start - 1] != UInt8(ascii: "\\")
  else {
    return nil
  }
  for key in ["dtype", "torch_dtype"] {
    let quoted = Array("\"\(key)\"".utf8)
    guard text[start...].starts(with: quoted) else { continue }
    var place = start + quoted.count
    func skip(_ isSkipped: (UInt8) -> Bool) {
      while place < text.count, isSkipped(text[place]) { place += 1 }
    }
    let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    skip(isSpace)
    guard place < text.count, text[place] == UInt8(ascii: ":") else { return nil }
    place += 1
    skip(isSpace)
    guard place < text.count, text[place] == UInt8(ascii: "\"") else { return nil }
    place += 1
    let value = place
    skip { $0 != UInt8(ascii: "\"") }
    let name = String(decoding: text[value..<place], as: UTF8.self)
    return frameworkNames.values.contains(name) ? (key, value..<place) : nil
  }
  return nil
}
