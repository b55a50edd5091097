import TensorCore

/// Where a tensor belongs, and why.
struct Assignment: Sendable {
  /// How it is known.
  enum Reason: Sendable, Equatable {
    /// The base has the same elements there.
    case equal
    /// The base has the same elements there and in so many places, and as many tensors have them.
    case alike(Int)
    /// The base has numbers there that go with these, and nowhere else: the correlation.
    case near(Double)
    /// No other place has its shape, and no other tensor.
    case shape
    /// What its name says.
    case words([String])
    /// Its name goes with that of another part of its module: the bias of a weight.
    case module
    /// The numbers in names are in the order of the computation.
    case order
    /// All other places are taken.
    case rest
  }

  let target: Int
  let reason: Reason
  var isTransposed = false
}

extension Assignment.Reason {
  /// In words.
  var text: String {
    switch self {
    case .equal: "the base's elements"
    case .alike(let count): "the base's elements, which \(count) tensors have alike"
    case .near(let correlation):
      "near the base's elements, correlation \(Float((correlation * 1000).rounded(.down) / 1000))"
    case .shape: "the only place of its shape"
    case .words(let words):
      words.isEmpty ? "by its name" : "by its name: \(words.joined(separator: ", "))"
    case .module: "by the module that its name goes with"
    case .order: "by the order of the numbers in names"
    case .rest: "the only place left"
    }
  }

  /// How sure it is: `proven` by content, `certain` as far as shapes and places go, `likely` by names.
  var sureness: String {
    switch self {
    case .equal, .alike: "proven"
    case .near, .shape: "certain"
    case .words, .module, .order, .rest: "likely"
    }
  }
}
