import CommandSupport
import TensorCore
import TransformerKit

/// The values of a tensor of which a screen shows a part.
///
/// Of an array with more than two axes a matrix of the last two is shown, and one goes from one to the next; a vector stands in
/// as many rows as it needs.
struct ValueView {
  /// What is shown of two tensors.
  enum Side: CaseIterable {
    case a
    case b
    case difference
  }

  let item: BrowsedItem
  private let a: Tensor?
  private let b: Tensor?
  private(set) var side: Side
  /// Which matrix, and where in it the part begins.
  private var matrix = 0
  private var top = 0
  private var left = 0
  /// The rows and columns that the last screen had.
  private var shown = (rows: 1, columns: 1)
  /// What was found of the whole tensor, when it was asked for.
  private var statistics: [String] = []

  /// Opens a tensor.
  ///
  /// - Throws: `CheckpointError` if it cannot be had.
  init(_ item: BrowsedItem) throws(CheckpointError) {
    self.item = item
    (a, b) = try item.open()
    side = a == nil ? .b : .a
  }

  private var tensor: Tensor? { side == .b ? b : a }
  private var shape: [Int] { tensor?.shape ?? [] }
  private var matrices: Int { shape.dropLast(2).reduce(1, *) }
  private var isVector: Bool { shape.count < 2 }
  private var height: Int {
    isVector ? (length + shown.columns - 1) / shown.columns : shape[shape.count - 2]
  }
  private var length: Int { shape.last ?? 1 }

  /// What a key does here; `false` if it is for the list.
  mutating func press(_ key: Key) -> Bool {
    switch key {
    case .up, .character("k"): move(rows: -1)
    case .down, .character("j"): move(rows: 1)
    case .pageUp: move(rows: -shown.rows)
    case .pageDown, .character(" "): move(rows: shown.rows)
    case .left, .character("h"): move(columns: -shown.columns)
    case .right, .character("l"): move(columns: shown.columns)
    case .home, .character("g"): (top, left) = (0, 0)
    case .end, .character("G"):
      move(rows: height)
      if !isVector { move(columns: length) }
    case .character("["): turn(-1)
    case .character("]"): turn(1)
    case .tab: turnSide()
    case .character("s"): toggleStatistics()
    default: return false
    }
    return true
  }

  private mutating func move(rows: Int = 0, columns: Int = 0) {
    top = max(0, min(top + rows, height - shown.rows))
    if !isVector { left = max(0, min(left + columns, length - shown.columns)) }
  }

  private mutating func turn(_ step: Int) {
    matrix = max(0, min(matrix + step, matrices - 1))
  }

  /// From A to B to what is between them.
  private mutating func turnSide() {
    guard let a, let b else { return }
    let hasDifference = a.shape == b.shape
    side =
      switch side {
      case .a: .b
      case .b: hasDifference ? .difference : .a
      case .difference: .a
      }
    statistics = []
    if !hasDifference { (matrix, top, left) = (0, 0, 0) }
  }

  private mutating func toggleStatistics() {
    guard statistics.isEmpty, side != .difference, let tensor else { return statistics = [] }
    do throws(CheckpointError) {
      let options = StatisticsOptions(bars: StatisticsReport.bars(forWidth: 40))
      guard let found = try TransformerKit.statistics(of: [tensor], options: options).first else {
        return
      }
      statistics = Self.lines(of: found)
    } catch {
      statistics = ["\(error)"]
    }
  }

  private static func lines(of found: TensorStatistics) -> [String] {
    let ends = [("min", found.minimum), ("max", found.maximum), ("mean", found.mean)].map {
      "\($0.0) \($0.1?.shortText ?? "-")"
    }
    let sizes = [
      "std \(found.deviation.map { describe(number: $0) } ?? "-")",
      "norm \(describe(number: found.norm))",
    ]
    let counts = [
      ("zeros", found.zeros), ("subnormal", found.subnormals), ("NaN", found.nan),
      ("inf", found.infinite),
    ].map { "\($0.0) \($0.1)" }
    return [ends, sizes, counts].map { $0.joined(separator: "  ") }
      + (found.histogram.map { ["|" + describe(bars: $0.counts) + "|"] } ?? [])
  }

  // MARK: The screen

  /// What is shown in so many lines.
  mutating func lines(width: Int, height: Int) -> [String] {
    guard let tensor else { return [] }
    let name = escaped(side == .b ? item.other ?? item.name : item.name)
    let sides =
      b == nil || a == nil
      ? "" : [Side.a: "A  ", .b: "B  ", .difference: "B − A  "][side] ?? ""
    var head = [name, "\(sides)\(tensor.dtype) \(describe(shape: shape))  \(item.mark)"]
    head += statistics
    let room = height - head.count - 1
    guard room > 0, tensor.elementCount > 0 else {
      return head + (tensor.elementCount > 0 ? [] : ["no elements"])
    }
    shown = (room, 1)
    do throws(CheckpointError) {
      let body = try grid(width: width, rows: room)
      return head + [position] + body
    } catch {
      return head + wrapped("\(error)", width: width)
    }
  }

  /// Which part is shown.
  private var position: String {
    if shape.isEmpty { return "" }
    let rows = top..<min(top + shown.rows, height)
    if isVector {
      return "\(rows.lowerBound * shown.columns) to"
        + " \(min(rows.upperBound * shown.columns, length) - 1) of \(length)"
    }
    let columns = left..<min(left + shown.columns, length)
    let place = matrices > 1 ? "\(describe(shape: index(of: matrix)))  " : ""
    return "\(place)rows \(rows.lowerBound) to \(rows.upperBound - 1) of \(height),"
      + " columns \(columns.lowerBound) to \(columns.upperBound - 1) of \(length)"
  }

  /// The leading indices of a matrix.
  private func index(of matrix: Int) -> [Int] {
    var (rest, index) = (matrix, [Int]())
    for extent in shape.dropLast(2).reversed() {
      index.insert(rest % extent, at: 0)
      rest /= extent
    }
    return index
  }

  /// The part's numbers in columns, each row behind its number.
  private mutating func grid(width: Int, rows: Int) throws(CheckpointError) -> [String] {
    let label = String(isVector ? length : height).count
    let cell = 11
    shown.columns = max(1, (width - label) / (cell + 1))
    shown.rows = rows
    top = max(0, min(top, height - 1))
    left = max(0, min(left, length - 1))
    let part: [Range<Int>]
    if isVector {
      let first = top * shown.columns
      part = shape.isEmpty ? [] : [first..<min(first + rows * shown.columns, length)]
    } else {
      part =
        index(of: matrix).map { $0..<$0 + 1 } + [
          top..<min(top + rows, height), left..<min(left + shown.columns, length),
        ]
    }
    let texts = try cells(part)
    let columns = isVector ? shown.columns : part[part.count - 1].count
    return stride(from: 0, to: texts.count, by: columns).map { start in
      let row = top + start / columns
      let number = String(isVector ? row * columns : row)
      let numbers = texts[start..<min(start + columns, texts.count)].map { Self.right($0, cell) }
      return Self.right(number, label) + " " + numbers.joined(separator: " ")
    }
  }

  private func cells(_ part: [Range<Int>]) throws(CheckpointError) -> [String] {
    guard side == .difference, let a, let b else {
      return try (tensor?.values(in: part) ?? []).map(\.shortText)
    }
    return try zip(a.values(in: part), b.values(in: part)).map { x, y in
      guard let x = x.number, let y = y.number else { return "-" }
      return describe(number: y - x)
    }
  }

  private static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
