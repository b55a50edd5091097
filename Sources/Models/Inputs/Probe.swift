import Kernels

/// A small, fixed generator of pseudo-random numbers, so that the built-in probe, and what is drawn with a seed,
/// is the same everywhere and always.
///
/// SplitMix64: Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014, fig. 16.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) {
    state = seed
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// The seed of the built-in probe.
public let probeSeed: UInt64 = 0x7466_6B69_74  // "tfkit"

/// Makes inputs for a declaration.
struct ProbeMaker {
  /// How long they are.
  struct Extents {
    let batch: Int
    let length: Int
    let decoderLength: Int
  }

  private var generator = SplitMix64(seed: probeSeed)

  /// Inputs that show as many mistakes as inputs can: padded, every type, ids from the whole vocabulary.
  mutating func probe(_ slots: [InputSlot], _ extents: Extents) -> ModelInputs {
    inputs(slots, extents, isWhole: true) { maker, slot, length in
      switch slot.content {
      case .grids:
        maker.grids(pictures: slot.axes.first.map { extents[$0] } ?? 1, patches: extents.length)
      case .types(let types):
        maker.segments(batch: extents.batch, length: length, types: types)
      // What a decoder beside an encoder reads is seen whole.
      case .mask where slot.axes.last?.isOwnLength == true:
        maker.mask(batch: slot.axes.first.map { extents[$0] } ?? extents.batch, length: length)
      default: nil
      }
    }
  }

  /// Random ids and numbers without padding, and without what may be missing.
  mutating func sample(_ slots: [InputSlot], _ extents: Extents) -> ModelInputs {
    inputs(slots, extents, isWhole: false) { maker, slot, _ in
      guard case .grids = slot.content else { return nil }
      return maker.grids(
        pictures: slot.axes.first.map { extents[$0] } ?? 1, patches: extents.length)
    }
  }

  /// What decides the extents is random; `companion` makes the rest, or leaves it out.
  private mutating func inputs(
    _ slots: [InputSlot], _ extents: Extents, isWhole: Bool,
    companion: (inout ProbeMaker, InputSlot, Int) -> NDArray<Int>?
  ) -> ModelInputs {
    var inputs = ModelInputs([:])
    let hasChoices = slots.contains { $0.leads && $0.hasChoices }
    for slot in slots {
      let length = slot.axes.last.map { extents[$0] } ?? extents.length
      if case .numbers = slot.content {
        guard isWhole || !slot.mayBeMissing else { continue }
        inputs.numbers[slot.name] = numbers(slot.axes.map { extents[$0] })
        continue
      }
      var array: NDArray<Int>?
      if case .ids(let limit) = slot.content, slot.leads {
        array = ids(batch: extents.batch, length: length, below: limit)
      } else {
        array = companion(&self, slot, length)
      }
      inputs[slot.name] = array.map { hasChoices ? $0.reshaped([1] + $0.shape) : $0 }
    }
    return inputs
  }

  /// Random numbers from −1 to 1.
  mutating func numbers(_ shape: [Int]) -> NDArray<Double> {
    let count = shape.reduce(1, *)
    return NDArray(
      shape: shape, elements: (0..<count).map { _ in Double.random(in: -1..<1, using: &generator) })
  }

  /// Random ids below `limit`.
  mutating func ids(batch: Int, length: Int, below limit: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { _ in Int.random(in: 0..<limit, using: &generator) }
    return NDArray(shape: [batch, length], elements: elements)
  }

  /// Runs of ids 0, 1, …, so that every type occurs, and a type beside each other.
  func segments(batch: Int, length: Int, types: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { index in
      let (row, position) = (index / length, index % length)
      return (position * types / length + row) % types
    }
    return NDArray(shape: [batch, length], elements: elements)
  }

  /// The rows and columns of patches of pictures, fewer with every picture.
  func grids(pictures: Int, patches: Int) -> NDArray<Int> {
    let elements = (0..<pictures).flatMap { picture in
      let count = max(1, patches - patches * picture / pictures)
      let rows = max(1, (1...count).last { $0 * $0 * (picture + 1) <= count } ?? 1)
      return [rows, count / rows]
    }
    return NDArray(shape: [pictures, 2], elements: elements)
  }

  /// All ones in the first row; in the others the last part is padding, more with every row.
  func mask(batch: Int, length: Int) -> NDArray<Int> {
    let elements = (0..<batch * length).map { index in
      let (row, position) = (index / length, index % length)
      return position < max(1, length - length * row / batch) ? 1 : 0
    }
    return NDArray(shape: [batch, length], elements: elements)
  }
}

extension ProbeMaker.Extents {
  /// The extent of an axis; choices stand in the batch.
  subscript(axis: InputSlot.Axis) -> Int {
    switch axis {
    case .batch: batch
    // One more, so that what confuses them is seen.
    case .pictures: batch + 1
    case .choices: 1
    case .length, .sourceLength, .patches: length
    case .samples(let each, let first): first + (length - 1) * each
    case .frames(let each): 1 + (length - 1) * each
    case .decoderLength: decoderLength
    case .predictions, .memory: max(1, length / 4)
    case .size(let size): size
    case .height(_, let usual), .width(_, let usual), .places(let usual): usual
    }
  }
}

extension InputSlot.Axis {
  /// Whether it is the length of what a model reads, and not that of what a decoder beside an encoder does.
  fileprivate var isOwnLength: Bool {
    switch self {
    case .length, .sourceLength, .samples, .frames, .patches: true
    default: false
    }
  }
}

extension InputSlot {
  /// Whether there is an axis of choices.
  var hasChoices: Bool {
    axes.contains { if case .choices = $0 { true } else { false } }
  }
}
