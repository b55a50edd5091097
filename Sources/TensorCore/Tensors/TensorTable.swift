/// The tensors of a checkpoint, in order, found by name.
public struct TensorTable: Sendable {
  /// The tensors in the order of their container.
  public private(set) var tensors: [Tensor] = []
  /// The tensors' places plus 1, and 0 for none, each at the hash of its name or at the next that was free:
  /// four bytes for each tensor and at least as many free ones, where a dictionary takes sixty.
  private var slots: [UInt32] = []

  /// An empty table.
  public init() {}

  /// A table of `tensors`.
  ///
  /// - Throws: `CheckpointError` of the problem `duplicate` for the first name that occurs twice.
  public init(_ tensors: some Sequence<Tensor>) throws(CheckpointError) {
    self.tensors = Array(tensors)
    index(atMost: self.tensors.count)
    for place in self.tensors.indices { try enter(place) }
  }

  /// Adds a tensor at the end.
  ///
  /// - Throws: `CheckpointError` of the problem `duplicate` if the name is taken.
  public mutating func append(_ tensor: Tensor) throws(CheckpointError) {
    guard self[tensor.name] == nil else {
      throw CheckpointError(.duplicate, tensor: tensor.name)
    }
    if 2 * (tensors.count + 1) > slots.count {
      index(atMost: 2 * (tensors.count + 1))
      for place in tensors.indices { try enter(place) }
    }
    tensors.append(tensor)
    try enter(tensors.count - 1)
  }

  /// The tensor of that name.
  public subscript(name: TensorName) -> Tensor? {
    guard !slots.isEmpty else { return nil }
    let place = slots[slot(of: name)]
    return place > 0 ? tensors[Int(place) - 1] : nil
  }

  /// How many tensors there are.
  public var count: Int { tensors.count }

  /// The bytes of all tensors together.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Makes room for the places of so many tensors, at least as many slots staying free.
  private mutating func index(atMost count: Int) {
    var size = 8
    while size < 2 * count { size *= 2 }
    slots = Array(repeating: 0, count: size)
  }

  private mutating func enter(_ place: Int) throws(CheckpointError) {
    let slot = slot(of: tensors[place].name)
    guard slots[slot] == 0 else {
      throw CheckpointError(.duplicate, tensor: tensors[place].name)
    }
    slots[slot] = UInt32(place + 1)
  }

  /// Where the place of that name stands, or would.
  private func slot(of name: TensorName) -> Int {
    var slot = name.hashValue & (slots.count - 1)
    while slots[slot] != 0, tensors[Int(slots[slot]) - 1].name != name {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
