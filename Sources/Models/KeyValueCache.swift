import Kernels

/// The keys and values of an attention layer.
struct KeysAndValues<Scalar: ComputeScalar>: Sendable {
  /// `[batch, positions, heads × head size]`
  let keys: NDArray<Scalar>
  /// `[batch, positions, heads × value size]`
  let values: NDArray<Scalar>

  init(_ keys: NDArray<Scalar>, _ values: NDArray<Scalar>) {
    self.keys = keys
    self.values = values
  }

  /// With more positions behind.
  func extended(by other: KeysAndValues) -> KeysAndValues {
    KeysAndValues(
      appendPositions(keys, other.keys), appendPositions(values, other.values))
  }
}

/// What attention layers keep while a text grows, so that each step computes only what is new.
struct KeyValueCache<Scalar: ComputeScalar>: Sendable {
  /// How many positions came before the present inputs.
  var length = 0
  private var pairs: [String: KeysAndValues<Scalar>] = [:]

  /// What is kept for the layer at `path`.
  subscript(path: String) -> KeysAndValues<Scalar>? {
    get { pairs[path] }
    set { pairs[path] = newValue }
  }
}

extension States {
  /// How many positions came before the present inputs: 0, unless keys and values are kept.
  var firstPosition: Int { cache?.length ?? 0 }

  /// The keys and values of all positions so far, of which `new` are those of the present inputs.
  mutating func extendKeysAndValues(
    at path: String, by new: KeysAndValues<Scalar>
  ) -> KeysAndValues<Scalar> {
    guard cache != nil else { return new }
    let pair = cache?[path]?.extended(by: new) ?? new
    cache?[path] = pair
    return pair
  }

  /// The keys and values of a sequence that does not grow, made at the first step only.
  mutating func keepKeysAndValues(
    at path: String, _ make: () -> KeysAndValues<Scalar>
  ) -> KeysAndValues<Scalar> {
    if let pair = cache?[path] { return pair }
    let pair = make()
    cache?[path] = pair
    return pair
  }
}
