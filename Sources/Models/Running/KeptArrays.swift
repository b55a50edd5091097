package import Kernels

/// What layers keep while a text grows, so that each step computes only what is new: arrays by name.
struct KeptArrays<Scalar: ComputeScalar>: Sendable {
  /// How many positions came before the present inputs.
  var length = 0
  /// How many of the last positions may be forgotten again at any time.
  let reserve: Int
  private var growing: [String: GrowingArray<Scalar>] = [:]
  private var fixed: [String: NDArray<Scalar>] = [:]

  /// Keeps nothing yet.
  init(reserve: Int) {
    self.reserve = reserve
  }

  /// The array of all positions so far, of which `new`, `[batch, positions, width]`, are the last.
  mutating func extend(
    _ name: String, by new: NDArray<Scalar>, before: Int?
  ) -> GrowingArray<Scalar> {
    // In place: nobody else has the array between two steps.
    growing[name]?.append(new)
    if let array = growing[name] { return array }
    let array = GrowingArray(new, before: before, reserve: reserve)
    growing[name] = array
    return array
  }

  /// What does not grow: made at the first step, or replaced at each.
  subscript(name: String) -> NDArray<Scalar>? {
    get { fixed[name] }
    set { fixed[name] = newValue }
  }

  /// Whether the last positions can be forgotten: not if a window has dropped what they leave it with.
  func canForget(_ positions: Int) -> Bool {
    positions <= length && growing.values.allSatisfy { $0.canRemoveLast(positions) }
  }

  /// Goes on with the texts of these numbers, in any order and as often as they are named.
  mutating func select(_ texts: [Int]) {
    for name in growing.keys { growing[name]?.select(texts) }
    fixed = fixed.mapValues { $0.selectingRows(texts) }
  }

  /// Forgets the last positions of all that grows.
  mutating func forget(_ positions: Int) {
    for name in growing.keys { growing[name]?.removeLast(positions) }
    length -= positions
  }
}

extension States {
  /// How many positions came before the present inputs: 0, unless arrays are kept.
  package var firstPosition: Int { kept?.length ?? 0 }

  /// The array of all positions so far, of which `new` are those of the present inputs.
  ///
  /// - Parameters:
  ///   - name: the layer's path, and what it is: `decoder.blocks.3.attention.keys`.
  ///   - new: `[batch, positions, width]`
  ///   - before: how many positions before a new one matter to it, so that others may be dropped; `nil` if
  ///     all do.
  package mutating func extend(
    _ name: String, by new: NDArray<Scalar>, before: Int? = nil
  ) -> GrowingArray<Scalar> {
    kept?.extend(name, by: new, before: before) ?? GrowingArray(new)
  }

  /// Arrays of a sequence that does not grow, made at the first step only.
  package mutating func keep(
    _ names: [String], _ make: () -> [NDArray<Scalar>]
  ) -> [NDArray<Scalar>] {
    let present = names.compactMap { kept?[$0] }
    if !names.isEmpty && present.count == names.count { return present }
    let made = make()
    for (name, array) in zip(names, made) { kept?[name] = array }
    return made
  }

  /// What the last step left under a name, `nil` at the first one: the state of a recurrent layer. Setting
  /// it keeps it for the next step, if there is one.
  package subscript(kept name: String) -> NDArray<Scalar>? {
    get { kept?[name] }
    set { kept?[name] = newValue }
  }

  /// Goes on with the texts of these numbers, in any order and as often as they are named, as long as there are as
  /// many, and each goes on from one with the same encoder's text.
  package mutating func select(_ texts: [Int]) { kept?.select(texts) }

  /// Whether the last positions can be forgotten. See `forget`.
  package func canForget(_ positions: Int) -> Bool { kept?.canForget(positions) ?? false }

  /// Goes back to before the last positions, whose inputs were not what they should have been. What
  /// recurrent layers keep does not go back.
  ///
  /// - Precondition: `canForget(positions)`
  package mutating func forget(_ positions: Int) { kept?.forget(positions) }
}
