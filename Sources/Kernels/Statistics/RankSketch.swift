internal import CBLAS

/// What a matrix that comes row by row does to a few directions, and from that its rank.
///
/// A matrix A of rank r takes k ≥ r random directions Ω to vectors that span r dimensions, so of the k
/// singular values of A·Ω all but r are zero (Halko, Martinsson and Tropp, "Finding structure with
/// randomness", 2011). Only (A·Ω)ᵀ(A·Ω) is kept, so a matrix of any height takes the same memory.
public struct RankSketch {
  /// The columns of the matrix.
  public let columns: Int
  /// How many directions there are: the largest rank that is told.
  public let width: Int
  /// Whether the directions are those of the axes, so that the singular values are the matrix's own.
  public var isExact: Bool { directions.isEmpty }

  /// `[columns, width]`, each 1 or -1; empty for those of the axes.
  private let directions: [Double]
  private var gram: GramMatrix

  /// The directions that are enough for the ranks that are told.
  public static let mostDirections = 80

  /// Of a matrix with that many columns, which is yet to be added. The directions depend on nothing else.
  public init(columns: Int) {
    // Half as many directions as columns would hardly be cheaper than all.
    let isExact = columns <= 2 * Self.mostDirections
    self.columns = columns
    width = isExact ? columns : Self.mostDirections
    directions = isExact ? [] : Self.signs(columns * width)
    gram = GramMatrix(order: width)
  }

  /// Numbers that are 1 or -1, from SplitMix64 (Steele, Lea and Flood, 2014).
  private static func signs(_ count: Int) -> [Double] {
    var (state, bits): (UInt64, UInt64) = (0, 0)
    return (0..<count).map { index in
      if index % 64 == 0 {
        state &+= 0x9E37_79B9_7F4A_7C15
        bits = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        bits ^= bits >> 31
      }
      defer { bits >>= 1 }
      return bits & 1 == 0 ? 1 : -1
    }
  }

  /// Adds rows of the matrix: `[count, columns]`, row after row.
  public mutating func add(rows: [Double], count: Int) {
    precondition(rows.count == count * columns, "rows of another width")
    guard count > 0, columns > 0 else { return }
    if isExact { return gram.add(rows: rows, count: count) }
    var images = [Double](repeating: 0, count: count * width)
    unsafe rows.withUnsafeBufferPointer { rows in
      unsafe directions.withUnsafeBufferPointer { directions in
        unsafe images.withUnsafeMutableBufferPointer { images in
          unsafe tfkit_blas_multiply_double(
            0, Int32(count), Int32(width), Int32(columns), rows.baseAddress, Int32(columns),
            directions.baseAddress, Int32(width), 0, images.baseAddress, Int32(width))
        }
      }
    }
    gram.add(rows: images, count: count)
  }

  /// The singular values of A·Ω, the largest first; `nil` if something is not finite.
  public consuming func singularValues() -> [Double]? { gram.singularValues() }
}
