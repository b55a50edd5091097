#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What is added to the score of each key instead of positions in the embeddings: a slope of each head
/// times the key's position ("attention with linear biases").
///
/// Press, Smith, Lewis: "Train Short, Test Long", arXiv 2108.12409, §3. They add slope × (key − query); what
/// is the same for all keys of a query changes none of its weights, so the query need not be known.
public struct ALiBi: Sendable, Equatable {
  /// What a key's position is.
  public enum Positions: Sendable {
    /// How many allowed keys stand before it in its row. Keys that nobody may see have 0.
    case amongAllowed
    /// How many keys stand before it, seen or not.
    case amongAll
  }

  /// How many heads there are.
  public let heads: Int
  /// What positions are.
  let positions: Positions
  /// What the products are multiplied by.
  public var scale: Double
  /// Whether slopes, positions and their products are rounded to bfloat16.
  let isRounded: Bool

  /// - Parameters:
  ///   - heads: how many there are.
  ///   - scale: what the products are multiplied by once they are rounded, if they are.
  ///   - isRounded: whether slopes, positions and their products are rounded to bfloat16.
  public init(heads: Int, positions: Positions, scale: Double = 1, isRounded: Bool = false) {
    self.heads = heads
    self.positions = positions
    self.scale = scale
    self.isRounded = isRounded
  }

  /// The numbers for all keys, less that of the farthest position: those that are near, which matter most,
  /// are added to scores with small numbers.
  ///
  /// - Parameters:
  ///   - keys: how many there are.
  ///   - allowed: `[batch, keys]`: those that may be seen at all; `nil` allows every key.
  /// - Returns: `[batch, heads, keys]`, or `[1, heads, keys]` for all batch members, as `ScoreBias.keys`
  ///   takes it.
  public func callAsFunction<Scalar: ComputeScalar>(
    keys: Int, allowed: NDArray<Bool>?, of _: Scalar.Type
  ) -> NDArray<Scalar> {
    let rows = positions(keys: keys, allowed: allowed)
    let slopes = Self.slopes(of: heads)
    let elements = rows.flatMap { row in
      let farthest = row.max() ?? 0
      return slopes.flatMap { slope in
        let last = product(slope, farthest)
        return row.map { Scalar(scale * (product(slope, $0) - last)) }
      }
    }
    return NDArray(shape: [rows.count, heads, keys], elements: elements)
  }

  /// The positions in each row, or in one for all.
  private func positions(keys: Int, allowed: NDArray<Bool>?) -> [[Int]] {
    guard positions == .amongAllowed, let allowed else { return [Array(0..<keys)] }
    return (0..<allowed.rows).map { row in
      var next = 0
      return allowed.row(row).map { isAllowed in
        defer { if isAllowed { next += 1 } }
        return isAllowed ? next : 0
      }
    }
  }

  private func product(_ slope: Double, _ position: Int) -> Double {
    guard isRounded else { return slope * Double(position) }
    return (slope.inBFloat16 * Double(position).inBFloat16).inBFloat16
  }
}

extension ALiBi {
  /// The slope of each head: for a power of two `n` 2^(−8/n), 2^(−16/n), … 2^−8 (§3); else those of the next
  /// lower power `n`, then the first, third, fifth, … of 2·n, as in the authors' code
  /// (ofirpress/attention_with_linear_biases: fairseq/models/transformer.py).
  public static func slopes(of heads: Int) -> [Double] {
    var power = 1
    while 2 * power <= heads { power *= 2 }
    let others = geometric(2 * power).enumerated().filter { $0.offset.isMultiple(of: 2) }
    return geometric(power) + others.map(\.element).prefix(heads - power)
  }

  /// 2^(−8/count), 2^(−16/count), … 2^−8
  private static func geometric(_ count: Int) -> [Double] {
    (1...count).map { exp2(-8 * Double($0) / Double(count)) }
  }
}

extension Double {
  /// The nearest number of bfloat16, ties to even, of what single precision makes of it: as frameworks
  /// convert. For numbers far from the largest one.
  fileprivate var inBFloat16: Double {
    let bits = Float(self).bitPattern
    let rounded = bits + 0x7FFF + (bits >> 16 & 1)
    return Double(Float(bitPattern: rounded & 0xFFFF_0000))
  }
}
