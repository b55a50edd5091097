import Codecs
import Containers
import Models
import TensorCore

/// A place for a tensor: a name that a dialect has, or that a base has.
struct MapTarget: Sendable {
  let name: TensorName
  /// The shapes that fit, the usual one first.
  let shapes: [[Int]]
  /// The weights in it; none if nobody knows the model.
  let paths: [String]
  /// How other dialects call the same.
  var aliases: [String] = []
  /// Whether it must be there.
  let isRequired: Bool
  /// What a base has there.
  var tensor: Tensor?
  /// Whether it is the matrix of a linear layer, or several.
  var isLinear = false
  /// Whether tensors with these shapes must be transposed to stand here.
  var isTransposed = false
}

/// Whether tensors of some shapes are matrices of linear layers, by the paths of all weights in them.
private func areMatrices(_ shapes: [[Int]], _ paths: [String], _ matrices: Set<String>) -> Bool {
  shapes.allSatisfy { $0.count == 2 } && !paths.isEmpty && paths.allSatisfy(matrices.contains)
}

extension WeightGraph {
  /// The paths of the matrices of linear layers.
  var matrices: Set<String> { Set(slots.filter { $0.role == .linear }.map(\.path)) }
}

extension [MapTarget] {
  /// The places that a dialect has for a config.
  ///
  /// - Parameter others: those of other dialects, for how they call the same.
  init(_ expected: ExpectedTensors, others: [ExpectedTensors]) {
    var aliases: [[String]: [String]] = [:]
    for other in others {
      for tensor in other.tensors { aliases[tensor.paths, default: []].append(tensor.name) }
    }
    self = expected.tensors.map { tensor in
      MapTarget(
        name: TensorName(tensor.name), shapes: tensor.shapes, paths: tensor.paths,
        aliases: (aliases[tensor.paths] ?? []).distinct, isRequired: tensor.isRequired,
        isLinear: areMatrices(tensor.shapes, tensor.paths, expected.matrices))
    }
  }

  /// The tensors of a base as they are stored; of a known model with what they are.
  init(_ base: Model) {
    let graph = base.graph
    var paths: [TensorName: [String]] = [:]
    for slot in graph.slots where graph.ties[slot.path] == nil {
      for name in graph.storedNames(at: slot.path) { paths[name, default: []].append(slot.path) }
    }
    // What is coded is found as it is stored.
    let coded = Set(base.plain.coded.flatMap(\.stored).map(\.name))
    let matrices = graph.matrices
    self = base.checkpoint.tensors.tensors.map { tensor in
      let own = paths[tensor.name] ?? []
      return MapTarget(
        name: tensor.name, shapes: [tensor.shape], paths: own,
        isRequired: !own.isEmpty || coded.contains(tensor.name), tensor: tensor,
        isLinear: areMatrices([tensor.shape], own, matrices))
    }
  }

  /// The tensors of a base in another dialect.
  ///
  /// - Parameter matrices: the paths of the matrices of linear layers.
  init(_ tensors: [WeightGraph.Translated], matrices: Set<String>) {
    self = tensors.map { translated in
      let (shape, paths) = (translated.tensor.shape, translated.parts.map(\.path))
      return MapTarget(
        name: translated.tensor.name, shapes: [shape], paths: paths, isRequired: true,
        tensor: translated.tensor, isLinear: areMatrices([shape], paths, matrices))
    }
  }

  /// The tensors of a base of which nothing else is known.
  init(_ table: TensorTable) {
    self = table.tensors.map {
      MapTarget(name: $0.name, shapes: [$0.shape], paths: [], isRequired: true, tensor: $0)
    }
  }
}

extension [MapTarget] {
  /// The same for files that have the matrices of linear layers transposed, all of them; `nil` if there are none.
  var transposed: [MapTarget]? {
    let turned = map { target -> MapTarget in
      guard target.isLinear else { return target }
      return MapTarget(
        name: target.name, shapes: target.shapes.map { $0.reversed() }, paths: target.paths,
        aliases: target.aliases, isRequired: target.isRequired,
        tensor: target.tensor?.permuted([1, 0]), isLinear: true, isTransposed: true)
    }
    return turned.contains(where: \.isTransposed) ? turned : nil
  }

  /// The same with lengths and directions in the place of kernels, where there are tensors that can only be lengths.
  /// Which ones they are of must follow from their shapes: otherwise no kernel of these has a place.
  func splitKernels(for tensors: [Tensor]) -> [MapTarget] {
    let shapes = Set(flatMap(\.shapes))
    var counts: [[Int]: Int] = [:]
    for tensor in tensors
    where tensor.shape.count == 3 && tensor.shape.dropLast() == [1, 1]
      && !shapes.contains(tensor.shape)
    {
      counts[tensor.shape, default: 0] += 1
    }
    if counts.isEmpty { return self }
    var kernels: [[Int]: Int] = [:]
    let parts = map { weightNormParts($0.name.text, $0.shapes[0]) }
    for part in parts { if let part { kernels[part[0].shape, default: 0] += 1 } }
    return zip(self, parts).flatMap { target, parts -> [MapTarget] in
      guard let parts, let count = counts[parts[0].shape] else { return [target] }
      guard count == kernels[parts[0].shape] else { return [] }
      return parts.enumerated().map { number, part in
        MapTarget(
          name: TensorName(part.name), shapes: [part.shape],
          paths: number == 0 ? target.paths.map { "\($0).lengths" } : target.paths,
          isRequired: target.isRequired)
      }
    }
  }
}
