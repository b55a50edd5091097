public import ArgumentParser

/// A number of bytes as people write it: `512M`, `5GB`, `4GiB`, `1000`.
///
/// Without `i`, units are decimal, as Hugging Face's and llama.cpp's options have them.
public struct ByteSize: ExpressibleByArgument, Sendable {
  /// The number.
  public let bytes: Int

  public init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = argument.dropFirst(digits.count).lowercased()
    guard let number = Double(digits), let factor = Self.factor(of: unit) else { return nil }
    let bytes = number * factor
    guard bytes >= 1, bytes < 0x1p62 else { return nil }
    self.bytes = Int(bytes)
  }

  private static func factor(of unit: String) -> Double? {
    if unit.isEmpty || unit == "b" { return 1 }
    let powers = ["k": 1, "m": 2, "g": 3, "t": 4]
    guard let first = unit.first, let power = powers[String(first)] else { return nil }
    let base: Double
    switch unit.dropFirst() {
    case "", "b": base = 1000
    case "i", "ib": base = 1024
    default: return nil
    }
    return (0..<power).reduce(1) { product, _ in product * base }
  }
}
