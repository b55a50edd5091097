public import Kernels
package import TensorCore

/// How a layer chooses among its experts.
public struct Routing: Sendable, Equatable {
  /// How experts are scored.
  public enum Scoring: Sendable, Equatable {
    /// By a softmax over all of them.
    case softmax
    /// By the logits, of which those of the chosen ones go through a softmax.
    case softmaxOfChosen
    /// Each by a sigmoid.
    case sigmoid
  }

  /// Groups of neighbours, of which the best are looked at.
  public struct Groups: Sendable, Equatable {
    package var count: Int
    package var chosen: Int
    /// How many of a group's best scores are added up to the group's.
    var summed: Int

    /// Describes groups.
    package init(
      count: Int, chosen: Int, summed: Int
    ) {
      self.count = count
      self.chosen = chosen
      self.summed = summed
    }
  }

  /// How many experts there are.
  public var experts: Int
  /// How many of them each position goes through.
  public var active: Int
  package var scoring: Scoring
  /// Whether logits have a bias.
  var hasBias: Bool
  /// Whether scores have a bias that decides who is chosen, and is no part of a weight.
  var hasChoiceBias: Bool
  /// `nil` where all experts are one group.
  package var groups: Groups?
  /// Whether the weights of the chosen ones are made to sum up to one,
  package var isNormalised: Bool
  /// and what they are multiplied by then.
  package var scale: Double
  /// How many positions of a text an expert takes, those that come first; `nil` for all. The others go through none.
  package var capacity: Int?

  /// Describes a choice of experts.
  package init(
    experts: Int, active: Int, scoring: Scoring, hasBias: Bool = false, hasChoiceBias: Bool = false,
    groups: Groups? = nil, isNormalised: Bool = false, scale: Double = 1.0, capacity: Int? = nil
  ) {
    self.experts = experts
    self.active = active
    self.scoring = scoring
    self.hasBias = hasBias
    self.hasChoiceBias = hasChoiceBias
    self.groups = groups
    self.isNormalised = isNormalised
    self.scale = scale
    self.capacity = capacity
  }
}

/// Chooses some experts for each position, and says how much each of them counts.
///
/// Shazeer et al., arXiv 1701.06538, §2.1; groups and biases: arXiv 2412.19437, §2.1.2.
public struct Router<Scalar: ComputeScalar> {
  private let projection: Projection<Scalar>
  private let choiceBias: NDArray<Scalar>?  // [experts]
  private let routing: Routing

  /// - Parameter width: of the stream it reads.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, _ routing: Routing
  ) throws(CheckpointError) {
    self.routing = routing
    projection = Projection(
      weight: try scope.weight("weight", [routing.experts, width], .linear),
      bias: routing.hasBias ? try scope.weight("bias", [routing.experts], .bias) : nil)
    choiceBias =
      routing.hasChoiceBias ? try scope.weight("choice_bias", [routing.experts], .bias) : nil
  }

  /// The chosen experts of each row, and their weights.
  ///
  /// - Parameter x: `[rows, width]`
  /// - Returns: `[rows, active]` each
  func callAsFunction(_ x: NDArray<Scalar>) -> (experts: NDArray<Int>, weights: NDArray<Scalar>) {
    let logits = project(x, by: projection)
    let scores =
      switch routing.scoring {
      case .softmax: softmax(logits)
      case .softmaxOfChosen: logits
      case .sigmoid: apply(.sigmoid, to: logits)
      }
    let chosen = largest(
      routing.active, of: eligible(choiceBias.map { addBroadcasting(scores, $0) } ?? scores))
    var weights = picked(scores, at: chosen.places)
    if routing.scoring == .softmaxOfChosen { weights = softmax(weights) }
    if routing.isNormalised { weights = normalised(weights) }
    return (chosen.places, routing.scale == 1 ? weights : scaled(weights, by: routing.scale))
  }

  /// The scores of experts that are in one of the best groups; those of others are −∞.
  private func eligible(_ scores: NDArray<Scalar>) -> NDArray<Scalar> {
    guard let groups = routing.groups, groups.chosen < groups.count else { return scores }
    let size = routing.experts / groups.count
    let best = largest(groups.summed, of: scores.reshaped([scores.rows * groups.count, size]))
    let ranks = (0..<best.values.rows).map { best.values.row($0).reduce(0, +) }
    let chosen = largest(
      groups.chosen, of: NDArray(shape: [scores.rows, groups.count], elements: ranks))
    var elements = [Scalar](repeating: -.infinity, count: scores.elements.count)
    for row in 0..<scores.rows {
      for group in chosen.places.row(row) {
        let start = row * routing.experts + group * size
        elements.replaceSubrange(
          start..<start + size, with: scores.elements[start..<start + size])
      }
    }
    return NDArray(shape: scores.shape, elements: elements)
  }

  private func picked(_ scores: NDArray<Scalar>, at places: NDArray<Int>) -> NDArray<Scalar> {
    var elements: [Scalar] = []
    elements.reserveCapacity(places.elements.count)
    for row in 0..<places.rows {
      let start = row * scores.width
      for place in places.row(row) { elements.append(scores.elements[start + place]) }
    }
    return NDArray(shape: places.shape, elements: elements)
  }

  /// Divided by their sum, which the reference keeps from being zero.
  private func normalised(_ weights: consuming NDArray<Scalar>) -> NDArray<Scalar> {
    let width = weights.width
    for row in 0..<weights.rows {
      let sum = weights.row(row).reduce(0, +) + 1e-20
      for index in row * width..<(row + 1) * width { weights.elements[index] /= sum }
    }
    return weights
  }
}
