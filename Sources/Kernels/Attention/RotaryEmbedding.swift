#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Which numbers of a head are a pair.
public enum RotaryLayout: Sendable {
  /// Those of the first half with those of the second, as Hugging Face's code has it.
  case halves
  /// Neighbours, as in the paper (arXiv 2104.09864, eq. 34).
  case pairs
}

/// How many rows a worker turns at a time.
private let rowsPerPiece = 16

/// Cosines and sines of the angles at positions.
///
/// Angles are computed in double precision whatever the result's type is.
///
/// - Parameters:
///   - positions: `[batch, length]`
/// - Returns: `[batch, length, 2 × pairs]`: the cosines, then the sines.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func rotaryTable<Scalar: ComputeScalar>(
  positions: NDArray<Int>, frequencies: RotaryFrequencies, of _: Scalar.Type
) -> NDArray<Scalar> {
  let pairs = frequencies.inverse.count
  let rows = pieces(of: positions.elements.count, size: rowsPerPiece)
  return unsafe NDArray(shape: positions.shape + [2 * pairs]) { table in
    Parallel.forEach(count: rows.count) { piece in
      for row in rows[piece] {
        let (start, position) = unsafe (table + row * 2 * pairs, Double(positions.elements[row]))
        for pair in 0..<pairs {
          let angle = position * frequencies.inverse[pair]
          unsafe start[pair] = Scalar(cos(angle) * frequencies.attentionFactor)
          unsafe start[pairs + pair] = Scalar(sin(angle) * frequencies.attentionFactor)
        }
      }
    }
  }
}

/// Turns pairs of numbers of each head by the angles of a table.
///
/// Su et al.: arXiv 2104.09864, eq. 34.
///
/// - Parameters:
///   - x: `[batch, length, heads × head size]`
///   - table: `[batch, length, 2 × pairs]`, or `[1, length, 2 × pairs]` for all batch members, as
///     `rotaryTable` makes it.
///   - heads: the number of heads in `x`.
///   - first: the first number of each head that is turned; `2 × pairs` of them are.
/// - Returns: `[batch, length, heads × head size]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func rotate<Scalar: ComputeScalar>(
  _ x: consuming NDArray<Scalar>, by table: NDArray<Scalar>, heads: Int, layout: RotaryLayout,
  first: Int = 0
) -> NDArray<Scalar> {
  let (width, size, pairs) = (x.width, x.width / heads, table.width / 2)
  precondition(x.shape.count == 3 && size * heads == width && first + 2 * pairs <= size)
  precondition(
    table.shape[1] == x.shape[1] && (table.shape[0] == 1 || table.shape[0] == x.shape[0]))
  let (ranges, tableRows) = (pieces(of: x.rows, size: rowsPerPiece), table.rows)
  // How far apart the two numbers of a pair are, and two pairs.
  let (partner, step) = layout == .halves ? (pairs, 1) : (1, 2)
  unsafe table.elements.withUnsafeBufferPointer { table in
    unsafe x.elements.withUnsafeMutableBufferPointer { values in
      guard pairs > 0, let values = values.baseAddress, let table = table.baseAddress else {
        return
      }
      Parallel.forEach(count: ranges.count) { piece in
        for row in ranges[piece] {
          let cosines = unsafe table + row % tableRows * 2 * pairs
          for head in 0..<heads {
            unsafe turn(
              values + row * width + head * size + first, partner: partner, step: step,
              cosines: cosines, sines: cosines + pairs, count: pairs)
          }
        }
      }
    }
  }
  return x
}

/// Turns `count` pairs: the first number of each is `step` from that of the next.
@inline(__always)
private func turn<Scalar: ComputeScalar>(
  _ x: UnsafeMutablePointer<Scalar>, partner: Int, step: Int, cosines: UnsafePointer<Scalar>,
  sines: UnsafePointer<Scalar>, count: Int
) {
  for pair in 0..<count {
    let (a, b) = unsafe (x[pair * step], x[pair * step + partner])
    unsafe x[pair * step] = a * cosines[pair] - b * sines[pair]
    unsafe x[pair * step + partner] = b * cosines[pair] + a * sines[pair]
  }
}
