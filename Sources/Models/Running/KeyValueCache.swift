import Kernels

/// The keys and values of an attention layer, with room for more.
struct KeysAndValues<Scalar: ComputeScalar>: Sendable {
  /// `[batch, room, heads × head size]`
  private(set) var keys: NDArray<Scalar>
  /// `[batch, room, heads × value size]`
  private(set) var values: NDArray<Scalar>
  /// How many positions there are.
  private(set) var count: Int

  init(_ keys: NDArray<Scalar>, _ values: NDArray<Scalar>) {
    self.keys = keys
    self.values = values
    count = keys.shape[1]
  }

  /// Adds positions behind. When there is no more room it is doubled, so that a long text copies each
  /// of its positions once or twice, and not at every step.
  mutating func append(_ other: KeysAndValues) {
    let room = keys.shape[1]
    let needed = count + other.count
    if needed > room {
      keys = keys.withRoom(for: max(needed, 2 * room))
      values = values.withRoom(for: max(needed, 2 * room))
    }
    replacePositions(of: &keys, from: count, by: other.keys)
    replacePositions(of: &values, from: count, by: other.values)
    count = needed
  }
}

extension NDArray where Element: ComputeScalar {
  /// The sequences `[batch, length, width]` at the beginning of longer ones.
  fileprivate func withRoom(for positions: Int) -> NDArray {
    var longer = NDArray(shape: [shape[0], positions, width], repeating: 0)
    replacePositions(of: &longer, from: 0, by: self)
    return longer
  }
}

/// What attention layers keep while a text grows, so that each step computes only what is new.
struct KeyValueCache<Scalar: ComputeScalar>: Sendable {
  /// How many positions came before the present inputs.
  var length = 0
  private var pairs: [String: KeysAndValues<Scalar>] = [:]

  /// The keys and values of all positions so far of the layer at `path`, of which `new` are the last.
  mutating func extend(_ path: String, by new: KeysAndValues<Scalar>) -> KeysAndValues<Scalar> {
    // In place: nobody else has the arrays between two steps.
    pairs[path]?.append(new)
    return keep(path) { new }
  }

  /// What is kept for the layer at `path`, made if there is nothing.
  mutating func keep(
    _ path: String, _ make: () -> KeysAndValues<Scalar>
  ) -> KeysAndValues<Scalar> {
    if let pair = pairs[path] { return pair }
    let pair = make()
    pairs[path] = pair
    return pair
  }
}

extension States {
  /// How many positions came before the present inputs: 0, unless keys and values are kept.
  var firstPosition: Int { cache?.length ?? 0 }

  /// The keys and values of all positions so far, of which `new` are those of the present inputs.
  mutating func extendKeysAndValues(
    at path: String, by new: KeysAndValues<Scalar>
  ) -> KeysAndValues<Scalar> {
    cache?.extend(path, by: new) ?? new
  }

  /// The keys and values of a sequence that does not grow, made at the first step only.
  mutating func keepKeysAndValues(
    at path: String, _ make: () -> KeysAndValues<Scalar>
  ) -> KeysAndValues<Scalar> {
    cache?.keep(path, make) ?? make()
  }
}
