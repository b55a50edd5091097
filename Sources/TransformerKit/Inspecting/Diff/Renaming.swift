import TensorCore

/// How a name was changed, without the parts at its end that stayed and with `*` for numbers.
struct Renaming: Hashable {
  private let from: [String]
  private let to: [String]

  init(_ a: TensorName, _ b: TensorName) {
    var (x, y) = (Self.parts(a)[...], Self.parts(b)[...])
    while let end = x.last, end == y.last {
      x.removeLast()
      y.removeLast()
    }
    (from, to) = (Array(x), Array(y))
  }

  private static func parts(_ name: TensorName) -> [String] {
    name.text.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "/" }
      .map { $0.allSatisfy(\.isNumber) ? "*" : String($0) }
  }
}
