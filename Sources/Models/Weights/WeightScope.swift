public import Kernels
public import TensorCore

/// Where a module asks for its weights: declaring is loading.
///
/// An architecture's modules ask a scope for each weight, with its shape and role. A declaring scope
/// writes down what was asked and answers with empty arrays; a loading scope answers with numbers.
/// So names and shapes stand in one place, the module's initialiser.
public struct WeightScope<Scalar: ComputeScalar> {
  /// The canonical path of this scope, empty at the root.
  public let path: String
  /// The path of the model inside of which this scope is, with its dot; empty for the outermost.
  private let model: String
  let visitor: any WeightVisitor
  private let isUnused: Bool
  /// The tables that are read whole, once for all scopes of this root; `nil` reads rows from files.
  let resident: ResidentTables<Scalar>?
  /// The path of the module that is read when it is used, of which this scope is a part.
  private let deferral: String?
  /// Whether all weights in it may be missing.
  private let isPassenger: Bool

  /// The root scope that answers with the weights of `graph`.
  ///
  /// - Parameter keepsTables: whether the matrices that are read by rows are kept in memory too.
  public init(loading graph: WeightGraph, keepsTables: Bool = false) {
    self.init(visitor: Loading(graph), resident: keepsTables ? ResidentTables() : nil)
  }

  init(
    path: String = "", model: String = "", visitor: any WeightVisitor, isUnused: Bool = false,
    resident: ResidentTables<Scalar>? = nil, deferral: String? = nil, isPassenger: Bool = false
  ) {
    self.path = path
    self.model = model
    self.visitor = visitor
    self.isUnused = isUnused
    self.resident = resident
    self.deferral = deferral
    self.isPassenger = isPassenger
  }

  /// The same scope for a module that is read when it is used.
  var readingLater: WeightScope {
    WeightScope(
      path: path, model: model, visitor: visitor, isUnused: isUnused, resident: resident,
      deferral: deferral ?? path, isPassenger: isPassenger)
  }

  /// The same scope for modules that no output depends on and files may lack, each of them whole.
  package var passengers: WeightScope {
    WeightScope(
      path: path, model: model, visitor: visitor, isUnused: true, resident: resident,
      deferral: deferral, isPassenger: true)
  }

  /// The scope of the module `name` inside this one.
  ///
  /// - Parameter isUnused: whether no output of the head depends on the module.
  public func module(
    _ name: String, _ kind: ModuleKind, isUnused: Bool = false
  ) -> WeightScope {
    let inner = WeightScope(
      path: joined(name), model: model, visitor: visitor, isUnused: self.isUnused || isUnused,
      resident: resident, deferral: deferral, isPassenger: isPassenger)
    visitor.enter(inner.path, kind)
    return inner
  }

  /// The scope of a whole model inside this one, whose ties are paths of its own.
  func innerModel(_ name: String) -> WeightScope {
    let inner = WeightScope(
      path: joined(name), model: joined(name) + ".", visitor: visitor, isUnused: isUnused,
      resident: resident, deferral: deferral, isPassenger: isPassenger)
    visitor.enter(inner.path, .model)
    return inner
  }

  /// Says what the module of this scope is, beside its weights, if outputs depend on it.
  public func declare(_ fact: LayerFact) {
    if !isUnused { visitor.declare(fact, at: path) }
  }

  /// The weight `name`, whole.
  ///
  /// - Parameters:
  ///   - shape: what it must have.
  ///   - role: what it is for.
  ///   - origin: what it is unless the checkpoint stores it; paths are those of its model.
  /// - Throws: `CheckpointError` when its bytes cannot be read, or no file holds as many weights.
  public func weight(
    _ name: String, _ shape: [Int], _ role: WeightRole, origin: WeightOrigin? = nil
  ) throws(CheckpointError) -> NDArray<Scalar> {
    guard let tensor = visitor.visit(slot(name, shape, role, origin)) else {
      // What declares heads or experts one by one must come to an end.
      if visitor.isFull { throw Declaration.tooMany }
      return NDArray(shape: [0], elements: [])
    }
    return try NDArray(reading: tensor)
  }

  /// The matrix `name`, to be read row by row, because it may be the largest of the model.
  public func rows(
    _ name: String, _ shape: [Int], _ role: WeightRole, origin: WeightOrigin? = nil
  ) -> WeightRows<Scalar> {
    let slot = slot(name, shape, role, origin, isReadByRows: true)
    let tensor = visitor.visit(slot)
    return WeightRows(
      tensor: tensor, owner: visitor.owner(of: slot), resident: slot.isUnused ? nil : resident)
  }

  /// Numbers that some files store and nothing reads: checked where they are there, and left out.
  public func constant(_ name: String, _ shape: [Int], _ formula: Formula) {
    _ = visitor.visit(
      WeightSlot(
        path: joined(name), shape: shape, role: .constant, origin: .computed(formula),
        isUnused: true))
  }

  private func slot(
    _ name: String, _ shape: [Int], _ role: WeightRole, _ origin: WeightOrigin?,
    isReadByRows: Bool = false
  ) -> WeightSlot {
    WeightSlot(
      path: joined(name), shape: shape, role: role,
      origin: origin?.inside(model) ?? (isPassenger ? .passenger : nil),
      isUnused: isUnused, isReadByRows: isReadByRows, deferral: deferral)
  }

  private func joined(_ name: String) -> String {
    path.isEmpty ? name : path + "." + name
  }
}

/// What a scope does with the weights it is asked for.
protocol WeightVisitor: AnyObject {
  /// A module begins.
  func enter(_ path: String, _ kind: ModuleKind)
  /// A weight is asked for. Returns its tensor, or `nil` when only declaring.
  func visit(_ slot: WeightSlot) -> Tensor?
  /// The path of the weight whose numbers the slot has: its own, or that of the one it is tied to.
  func owner(of slot: WeightSlot) -> String
  /// The module at a path says what it is.
  func declare(_ fact: LayerFact, at path: String)
  /// Whether it wants to hear of weights that are read later: who declares does.
  var entersDeferred: Bool { get }
  /// Whether it takes no more weights.
  var isFull: Bool { get }
}

extension WeightVisitor {
  func declare(_ fact: LayerFact, at path: String) {}

  var entersDeferred: Bool { false }

  var isFull: Bool { false }
}

/// What an architecture declares: its modules, their weights in order, and what its layers are.
package struct Declared: Sendable {
  package let root: ModuleNode
  package let slots: [WeightSlot]
  /// What layers say of themselves, by the paths of their modules.
  package let layers: [String: LayerFact]

  /// The same without the weights that are not there.
  func keeping(_ isThere: (WeightSlot) -> Bool) -> Declared {
    let kept = slots.filter(isThere)
    return Declared(root: root.keeping(Set(kept.map(\.path))), slots: kept, layers: layers)
  }
}

/// Writes down what is asked. What several modules share is one weight.
final class Declaration: WeightVisitor {
  private(set) var slots: [WeightSlot] = []
  private var paths: Set<String> = []
  private var kinds: [String: ModuleKind] = [:]
  private var children: [String: [String]] = [:]
  private(set) var layers: [String: LayerFact] = [:]

  func declare(_ fact: LayerFact, at path: String) { layers[path] = fact }

  var entersDeferred: Bool { true }

  /// What was declared, as a model of that name.
  func declared(named name: String) -> Declared {
    Declared(root: root(named: name), slots: slots, layers: layers)
  }

  func enter(_ path: String, _ kind: ModuleKind) {
    guard kinds.updateValue(kind, forKey: path) == nil else { return }
    children[split(path).parent, default: []].append(path)
  }

  /// The most weights that a model is believed to have: the largest mixtures of experts have a tenth.
  static let mostWeights = 1 << 19

  /// What is said of a config that asks for more.
  static let tooMany = CheckpointError(
    .malformed("config: the model has more than \(mostWeights) weights; no file holds them"))

  var isFull: Bool { slots.count >= Self.mostWeights }

  func visit(_ slot: WeightSlot) -> Tensor? {
    if !isFull, paths.insert(slot.path).inserted { slots.append(slot) }
    return nil
  }

  func owner(of slot: WeightSlot) -> String { slot.path }

  /// What was declared, as a tree.
  func root(named name: String) -> ModuleNode {
    let slotsOfModule = Dictionary(grouping: slots) { split($0.path).parent }
    func node(_ path: String, _ name: String) -> ModuleNode {
      ModuleNode(
        name: name, kind: kinds[path] ?? .model,
        modules: (children[path] ?? []).map { node($0, split($0).name) },
        slots: slotsOfModule[path] ?? [])
    }
    return node("", name)
  }

  private func split(_ path: String) -> (parent: String, name: String) {
    guard let dot = path.lastIndex(of: ".") else { return ("", path) }
    return (String(path[..<dot]), String(path[path.index(after: dot)...]))
  }
}

/// Hands out the tensors of a graph.
final class Loading: WeightVisitor {
  private let graph: WeightGraph

  init(_ graph: WeightGraph) {
    self.graph = graph
  }

  func enter(_ path: String, _ kind: ModuleKind) {}

  func visit(_ slot: WeightSlot) -> Tensor? {
    graph.tensor(at: slot.path)
  }

  func owner(of slot: WeightSlot) -> String { graph.ties[slot.path] ?? slot.path }
}

/// Tells the system which bytes will be needed soon. Embeddings are left out, of which a stage needs
/// some rows only.
final class Announcing: WeightVisitor {
  private let graph: WeightGraph
  /// Of a matrix over a vocabulary the beginning is enough: the rest is read on in order.
  private static let mostBytes = 32 << 20

  init(_ graph: WeightGraph) {
    self.graph = graph
  }

  func enter(_ path: String, _ kind: ModuleKind) {}

  func visit(_ slot: WeightSlot) -> Tensor? {
    if slot.role != .embedding, !slot.isUnused, let bytes = graph.tensor(at: slot.path)?.bytes {
      bytes.announce(0..<min(bytes.count, Self.mostBytes))
    }
    return nil
  }

  func owner(of slot: WeightSlot) -> String { slot.path }
}

extension WeightGraph {
  /// Lets the system bring a stage's weights from the disk while another stage runs.
  public func announce<Scalar: ComputeScalar>(_ stage: Stage<Scalar>) {
    // Nothing is read, so nothing can fail.
    _ = try? stage.load(WeightScope(visitor: Announcing(self)))
  }
}
