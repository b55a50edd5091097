/// How the products of one head's queries and keys of a batch member become scores.
@safe struct HeadScoring<Scalar: ComputeScalar> {
  let scale: Scalar
  let softcap: Scalar?
  /// The score of a key without a value.
  let sink: Scalar?
  /// What the head's queries that see nothing attend to.
  let fallback: KeyPlan.Fallback
  private let reach: KeyReach
  private let bias: BiasRows<Scalar>?
  private let hidden: HiddenKeys<Scalar>

  init(
    _ scores: Scores<Scalar>, _ numbers: Numbers<Scalar>, _ form: AttentionForm,
    _ task: AttentionTask
  ) {
    scale = Scalar(scores.scale)
    softcap = scores.softcap.map { Scalar($0) }
    sink = scores.sinks?.elements[task.head]
    fallback = scores.keys.fallback
    reach = KeyReach(scores.keys, of: task.member, keys: form.keys)
    bias = scores.bias.map {
      unsafe BiasRows(
        start: numbers.bias + $0.offset + task.member * $0.batch + task.head * $0.head,
        query: $0.query, key: $0.key)
    }
    hidden = HiddenKeys(scores.keys, numbers, form, task.member)
  }

  /// Which of a tile's scores are those of keys that a query reaches. Where keys outside its reach may be
  /// seen too, all are.
  @inline(__always)
  func seen(by query: Int, in keys: Range<Int>) -> Range<Int> {
    if hidden.includesReach { return 0..<keys.count }
    let seen = reach(query).clamped(to: keys)
    return seen.lowerBound - keys.lowerBound..<seen.upperBound - keys.lowerBound
  }

  /// The score of a key that a query does not reach, which counts only while no other key has a larger one.
  @inline(__always)
  func unreached(isAhead: Bool, isHidden: Bool) -> Scalar {
    let masked = -Scalar.greatestFiniteMagnitude
    return switch fallback {
    case .all: masked
    case .allowed: isHidden ? masked : -10_000
    case .past: isAhead || isHidden ? -.infinity : masked
    }
  }

  /// What is added to the scores of a tile's keys, `nil` for nothing.
  ///
  /// - Parameter scratch: room for as many numbers.
  @inline(__always)
  func bias(
    of query: Int, for keys: Range<Int>, scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar>? {
    guard let bias else { return nil }
    let start = unsafe bias.start + query * bias.query + keys.lowerBound * bias.key
    if bias.key == 1 { return unsafe start }
    for index in 0..<keys.count { unsafe scratch[index] = start[index * bias.key] }
    return unsafe UnsafePointer(scratch)
  }

  /// For each key of a tile 1 if it is hidden, else 0; `nil` if only the reach hides any.
  ///
  /// - Parameter scratch: room for as many numbers.
  @inline(__always)
  func hidden(
    from query: Int, of keys: Range<Int>, scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar>? {
    switch hidden {
    case .none: return nil
    case .same(let numbers): return unsafe numbers + keys.lowerBound
    case .each(let allowed, let stride, let global):
      let reach = reach(query)
      for (index, key) in keys.enumerated() {
        var isSeen = reach.contains(key)
        if let global = unsafe global { isSeen = unsafe isSeen || global[key] }
        if let allowed = unsafe allowed { isSeen = unsafe isSeen && allowed[query * stride + key] }
        unsafe scratch[index] = isSeen ? 0 : 1
      }
      return unsafe UnsafePointer(scratch)
    }
  }
}

/// Where the arrays of an attention's scores are.
@safe struct Numbers<Scalar: ComputeScalar> {
  let bias: UnsafePointer<Scalar>
  /// What `hiddenNumbers` makes.
  let hidden: UnsafePointer<Scalar>?
  let allowed: UnsafePointer<Bool>
  let global: UnsafePointer<Bool>
}

/// A head's bias: where that of the first query and key is, and how far others are.
@safe private struct BiasRows<Scalar: ComputeScalar> {
  let start: UnsafePointer<Scalar>
  let query: Int
  let key: Int
}

/// The keys that are hidden from queries which reach them.
@safe private enum HiddenKeys<Scalar: ComputeScalar> {
  case none
  /// For each key 1 if it is hidden, from every query.
  case same(UnsafePointer<Scalar>)
  /// From each query others: the allowed ones, rows so far apart, and those that every query sees.
  case each(allowed: UnsafePointer<Bool>?, stride: Int, global: UnsafePointer<Bool>?)

  init(_ plan: KeyPlan, _ numbers: Numbers<Scalar>, _ form: AttentionForm, _ member: Int) {
    if let hidden = unsafe numbers.hidden {
      self = unsafe .same(hidden + member * form.keys)
    } else if plan.isSameForAllQueries {
      self = .none
    } else {
      let rows = plan.allowed?.shape.count == 3 ? form.queries : 1
      let allowed = plan.allowed == nil ? nil : unsafe numbers.allowed + member * rows * form.keys
      let global = plan.global == nil ? nil : unsafe numbers.global + member * form.keys
      self = unsafe .each(allowed: allowed, stride: rows == 1 ? 0 : form.keys, global: global)
    }
  }

  /// Whether what lies outside the reach is among the hidden ones.
  var includesReach: Bool { if case .each = self { true } else { false } }
}

extension KeyPlan {
  /// Whether no query but by its reach sees other keys than the next.
  fileprivate var isSameForAllQueries: Bool { global == nil && allowed?.shape.count != 3 }

  /// `[batch, keys]`: 1 for each key that no query may see, so that they are compared eight at a time; `nil`
  /// if there is none, or it is another from query to query.
  func hiddenNumbers<Scalar: ComputeScalar>(_: Scalar.Type) -> [Scalar]? {
    guard isSameForAllQueries, let allowed, allowed.elements.contains(false) else { return nil }
    return allowed.elements.map { $0 ? 0 : 1 }
  }
}
