internal import CBLAS

/// AᵀA or A·Aᵀ of a matrix that comes in parts, whichever is smaller, and from it A's singular values.
///
/// What is summed are products of doubles, so the squares of singular values are as precise as doubles
/// are beside the largest of them: singular values below about 1e-7 of the largest are not resolved.
/// That is where single precision ends anyway.
public struct GramMatrix {
  /// Rows, and columns.
  public let order: Int
  private var elements: [Double]

  /// Zero.
  public init(order: Int) {
    self.order = order
    elements = [Double](repeating: 0, count: order * order)
  }

  /// Adds AᵀA of some rows of A: `[count, order]`, row after row.
  public mutating func add(rows: [Double], count: Int) {
    precondition(rows.count == count * order, "rows of another width")
    add(rows, transposed: true, inner: count, stride: order)
  }

  /// Adds A·Aᵀ of some columns of A: `[order, count]`, row after row.
  public mutating func add(columns: [Double], count: Int) {
    precondition(columns.count == count * order, "columns of another height")
    add(columns, transposed: false, inner: count, stride: count)
  }

  private mutating func add(_ part: [Double], transposed: Bool, inner: Int, stride: Int) {
    guard order > 0, inner > 0 else { return }
    unsafe part.withUnsafeBufferPointer { part in
      unsafe elements.withUnsafeMutableBufferPointer { sum in
        unsafe tfkit_blas_gram(
          transposed ? 1 : 0, Int32(order), Int32(inner), part.baseAddress, Int32(stride),
          sum.baseAddress)
      }
    }
  }

  /// A's singular values, the largest first; `nil` if something is not finite, or LAPACK finds none.
  public consuming func singularValues() -> [Double]? {
    // Whatever is not finite in a line of A is so in its square.
    guard (0..<order).allSatisfy({ elements[$0 * order + $0].isFinite }) else { return nil }
    var values = [Double](repeating: 0, count: order)
    // What is above the diagonal in rows is below it in Fortran's columns.
    let status = Self.eigenvalues(of: &elements, order: order, into: &values)
    guard status == 0 else { return nil }
    return values.reversed().map { max(0, $0).squareRoot() }
  }

  /// LAPACK's status.
  private static func eigenvalues(
    of matrix: inout [Double], order: Int, into values: inout [Double]
  ) -> Int32 {
    if order == 0 { return 0 }
    func solve(_ work: inout [Double], _ whole: inout [Int32], _ size: (Int, Int)) -> Int32 {
      unsafe tfkit_blas_eigenvalues(
        Int32(order), &matrix, &values, &work, Int32(size.0), &whole, Int32(size.1))
    }
    var (work, whole): ([Double], [Int32]) = ([0], [0])
    // It says first what it would like to have.
    let status = solve(&work, &whole, (-1, -1))
    guard status == 0 else { return status }
    work = [Double](repeating: 0, count: Int(work[0]))
    whole = [Int32](repeating: 0, count: max(1, Int(whole[0])))
    return solve(&work, &whole, (work.count, whole.count))
  }
}
