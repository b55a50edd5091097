public import Kernels
package import TensorCore

/// What a layer of experts is made of.
public struct ExpertsShape: Sendable, Equatable {
  /// Who is chosen, and how much each counts.
  public var routing: Routing
  /// The width inside an expert.
  public var hidden: Int
  /// How an expert joins its gate and what goes through it; `nil` where it has no gate,
  var gating: Gating?
  /// and what is applied to what goes through it.
  var activation: Activation
  /// Whether experts have biases.
  var bias: Bool
  /// The width inside the network that all positions go through beside the chosen experts, if there is one.
  public var sharedHidden: Int?
  /// Whether a sigmoid of the stream says how much that one counts.
  package var gatesShared: Bool
  var sharedBias: Bool

  /// Describes a layer of experts.
  package init(
    routing: Routing, hidden: Int, gating: Gating?, activation: Activation = .linear,
    bias: Bool = false, sharedHidden: Int? = nil, gatesShared: Bool = false,
    sharedBias: Bool = false
  ) {
    self.routing = routing
    self.hidden = hidden
    self.gating = gating
    self.activation = activation
    self.bias = bias
    self.sharedHidden = sharedHidden
    self.gatesShared = gatesShared
    self.sharedBias = sharedBias
  }
}

/// A layer of feed-forward networks, of which each position goes through a few that a router chooses, and
/// through a shared one if there is one.
///
/// Shazeer et al., arXiv 1701.06538, §2; shared experts: Dai et al., arXiv 2401.06066, §3.2; a capacity: Fedus et
/// al., arXiv 2101.03961, §2.2. The weights of an expert are read when a position has chosen it, one expert after the
/// other.
public struct Experts<Scalar: ComputeScalar> {
  private let router: Router<Scalar>
  private let experts: [Deferred<FeedForward<Scalar>>]
  private let shared: FeedForward<Scalar>?
  private let sharedGate: Linear<Scalar>?
  private let capacity: Int?

  /// - Parameter width: of the stream it reads and writes.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, _ shape: ExpertsShape
  ) throws(CheckpointError) {
    capacity = shape.routing.capacity
    router = try Router(scope.module("router", .router), width: width, shape.routing)
    let each = scope.module("experts", .sequence)
    experts = (0..<shape.routing.experts).map { number in
      each.module("\(number)", .feedForward).deferred { scope throws(CheckpointError) in
        try FeedForward(
          scope, width: width, hidden: shape.hidden, activation: shape.activation,
          gating: shape.gating, bias: shape.bias)
      }
    }
    shared = try shape.sharedHidden.map { hidden throws(CheckpointError) in
      try FeedForward(
        scope.module("shared", .feedForward), width: width, hidden: hidden,
        activation: shape.activation, gating: shape.gating, bias: shape.sharedBias)
    }
    sharedGate =
      shape.gatesShared
      ? try Linear(
        scope.module("shared_gate", .linear), in: width, out: 1, bias: false, activation: .sigmoid)
      : nil
    scope.declare(.experts(shape))
  }

  /// `[…, length, width]` to the same, of which each text has the experts' capacity for itself.
  ///
  /// - Parameter addend: `[…, width]`, added to the result.
  /// - Throws: `CheckpointError` when the weights of an expert cannot be read.
  package func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>? = nil
  ) throws(CheckpointError) -> NDArray<Scalar> {
    let rows = x.reshaped([x.rows, x.width])
    let (chosen, weights) = router(rows)
    var sum = addend ?? NDArray(shape: x.shape, repeating: 0)
    let length = x.shape.count > 1 ? x.shape[x.shape.count - 2] : 1
    for (number, places) in places(of: chosen, length: length).enumerated() where !places.isEmpty {
      let positions = places.map { $0 / chosen.width }
      let y = try experts[number]()(
        gatherRows(rows, NDArray(shape: [places.count], elements: positions)))
      add(y, times: places.map { weights.elements[$0] }, to: positions, of: &sum)
    }
    return addShared(x, to: sum)
  }

  /// For each expert the places where it was chosen, in order, but for those of a text that come after as many as it
  /// takes.
  private func places(of chosen: NDArray<Int>, length: Int) -> [[Int]] {
    var places = [[Int]](repeating: [], count: experts.count)
    var taken = [Int](repeating: 0, count: experts.count)
    for (place, number) in chosen.elements.enumerated() {
      if place % (length * chosen.width) == 0 {
        for number in taken.indices { taken[number] = 0 }
      }
      taken[number] += 1
      if let capacity, taken[number] > capacity { continue }
      places[number].append(place)
    }
    return places
  }

  /// Adds each row of `y`, weighted, to a position of the sum.
  private func add(
    _ y: NDArray<Scalar>, times weights: [Scalar], to positions: [Int],
    of sum: inout NDArray<Scalar>
  ) {
    let width = y.width
    var sums = sum.elements.mutableSpan
    let terms = y.elements.span
    for (row, position) in positions.enumerated() {
      let weight = weights[row]
      for column in 0..<width {
        sums[position * width + column] += weight * terms[row * width + column]
      }
    }
  }

  private func addShared(_ x: NDArray<Scalar>, to sum: NDArray<Scalar>) -> NDArray<Scalar> {
    guard let shared else { return sum }
    guard let sharedGate else { return shared(x, adding: sum) }
    return Kernels.add(multiplyBroadcasting(shared(x), sharedGate(x)), sum)
  }
}
