/// Where the characters of a text begin: offsets in bytes as offsets in characters (Unicode scalars), as
/// tokenizers for Python gives them.
public struct CharacterOffsets: Sendable {
  /// For each byte the character that it belongs to.
  private let characters: [UInt32]
  private let count: Int

  /// Counts a text's characters.
  public init(_ text: String) {
    var characters: [UInt32] = []
    characters.reserveCapacity(text.utf8.count)
    var next: UInt32 = 0
    for byte in text.utf8 {
      if !isContinuation(byte) { next += 1 }
      characters.append(next - 1)
    }
    self.characters = characters
    count = Int(next)
  }

  /// The characters of a range of bytes; one that ends within a character ends before it.
  public func characters(_ bytes: Range<Int>) -> Range<Int> {
    let start = character(bytes.lowerBound)
    return start..<max(start, character(bytes.upperBound))
  }

  private func character(_ byte: Int) -> Int {
    characters.indices.contains(byte) ? Int(characters[byte]) : count
  }
}
