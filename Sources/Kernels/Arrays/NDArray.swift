/// Numbers in memory, in C order (the last axis is contiguous).
///
/// The type has storage and shape, and no arithmetic: that is in the kernels.
public struct NDArray<Element: Sendable>: Sendable {
  /// The extents, outermost first; empty for a scalar.
  public private(set) var shape: [Int]
  /// The elements in C order.
  public var elements: [Element]

  /// An array of given elements.
  ///
  /// - Precondition: there are as many elements as the shape says.
  public init(shape: [Int], elements: [Element]) {
    precondition(shape.reduce(1, &*) == elements.count, "elements do not fill the shape")
    self.shape = shape
    self.elements = elements
  }

  /// An array of one repeated value.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public init(shape: [Int], repeating value: Element) {
    self.shape = shape
    elements = Array(repeating: value, count: shape.reduce(1, &*))
  }

  /// An array that `fill` fills.
  ///
  /// - Parameter fill: assigns every element, of which none has a value before.
  @unsafe @inline(__always)
  init(shape: [Int], fill: (UnsafeMutablePointer<Element>) -> Void) {
    self.shape = shape
    let count = shape.reduce(1, &*)
    elements = unsafe Array(unsafeUninitializedCapacity: max(1, count)) { buffer, initialized in
      if let start = buffer.baseAddress { unsafe fill(start) }
      initialized = count
    }
  }

  /// The extent of the innermost axis, 1 for a scalar.
  public var width: Int { shape.last ?? 1 }

  /// The number of rows: the product of all other extents.
  public var rows: Int { shape.dropLast().reduce(1, &*) }

  /// The same elements under another shape.
  ///
  /// - Precondition: the number of elements stays.
  public func reshaped(_ shape: [Int]) -> NDArray {
    NDArray(shape: shape, elements: elements)
  }

  /// Row `index`, counted over all outer axes.
  public func row(_ index: Int) -> ArraySlice<Element> {
    elements[index * width..<(index + 1) * width]
  }
}

extension NDArray: Equatable where Element: Equatable {}

extension NDArray {
  /// Replaces a range of columns of every row.
  ///
  /// - Precondition: `part` has as many rows, and is as wide as the range.
  public mutating func replaceColumns(_ columns: Range<Int>, by part: NDArray) {
    precondition(part.rows == rows && part.width == columns.count)
    for row in 0..<rows {
      let start = row * width
      elements.replaceSubrange(
        start + columns.lowerBound..<start + columns.upperBound, with: part.row(row))
    }
  }
}

/// Arrays that `fill` fills, as `NDArray(shape:fill:)`.
@unsafe @inline(__always)
func arrays<Element: Sendable>(
  shapes: [[Int]], fill: ([UnsafeMutablePointer<Element>]) -> Void
) -> [NDArray<Element>] {
  func with(
    _ rest: ArraySlice<[Int]>, _ starts: [UnsafeMutablePointer<Element>]
  ) -> [NDArray<Element>] {
    guard let shape = rest.first else {
      unsafe fill(starts)
      return []
    }
    var others: [NDArray<Element>] = []
    let first = unsafe NDArray<Element>(shape: shape) { start in
      others = unsafe with(rest.dropFirst(), starts + [start])
    }
    return [first] + others
  }
  return unsafe with(shapes[...], [])
}
