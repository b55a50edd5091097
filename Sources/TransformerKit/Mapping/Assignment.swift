import TensorCore

/// Where a tensor belongs, and why.
struct Assignment: Sendable {
  /// How it is known.
  enum Reason: Sendable, Equatable {
    /// The base has the same elements there.
    case equal
    /// Tensors with names that are alike but for numbers go there.
    case alike
    /// The base has numbers there that go with these, and nowhere else: the correlation.
    case near(Double)
    /// No other place has its shape, and no other tensor.
    case shape
    /// It is the same weight in the model, or none, wherever it stands.
    case tied
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
  /// Whether the base has the same elements there, and elsewhere, too, or other tensors have them.
  var isShared = false

  /// Why it is there.
  var evidence: String {
    isShared ? "the base's elements, as others; \(reason.text)" : reason.text
  }
}

extension Assignment.Reason {
  /// In words.
  var text: String {
    switch self {
    case .equal: "the base's elements"
    case .tied: "one weight, or none, in the model"
    case .alike: "by the names of other layers"
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
    case .equal: "proven"
    case .near, .shape, .alike, .tied: "certain"
    case .words, .module, .order, .rest: "likely"
    }
  }
}
