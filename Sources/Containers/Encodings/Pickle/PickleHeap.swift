import TensorCore

/// Everything that a pickle has made, and how much memory that takes.
struct PickleHeap: Sendable {
  private(set) var objects: [PickleObject] = []
  /// The values of all tuples.
  private(set) var pool: [PickleValue] = []
  private(set) var names: [String] = []
  private(set) var calls: [PickleCall] = []
  /// Texts and bytes that were not read.
  private(set) var stretches: [PickleStretch] = []
  /// All short texts.
  private var texts: [UInt8] = []
  /// The bytes that it takes, as counted.
  private(set) var used = 0
  /// How many it may take.
  private let limit: Int

  init(limit: Int = Limits.pickleMemory) { self.limit = limit }

  /// Counts memory that is about to be taken.
  ///
  /// - Throws: `CheckpointError` if it is more than a pickle may have.
  mutating func take(_ bytes: Int) throws(CheckpointError) {
    used += bytes
    guard used <= limit else {
      throw CheckpointError(
        .limitExceeded("the memory of a pickle's objects", limit: limit, found: used))
    }
  }

  // MARK: Making

  mutating func add(_ object: PickleObject) throws(CheckpointError) -> PickleValue {
    try take(24)
    objects.append(object)
    return .object(Int32(objects.count - 1))
  }

  mutating func tuple(_ values: ArraySlice<PickleValue>) throws(CheckpointError) -> PickleValue {
    try take(16 * values.count)
    let start = UInt32(pool.count)
    pool += values
    return try add(.tuple(start: start, count: UInt32(values.count)))
  }

  mutating func list(_ values: ArraySlice<PickleValue>) throws(CheckpointError) -> PickleValue {
    try take(48 + 16 * values.count)
    return try add(.list(Array(values)))
  }

  mutating func map(_ pairs: ArraySlice<PickleValue>) throws(CheckpointError) -> PickleValue {
    try take(48 + 16 * pairs.count)
    return try add(.map(Array(pairs)))
  }

  mutating func global(_ name: String) throws(CheckpointError) -> PickleValue {
    try take(48 + name.utf8.count)
    names.append(name)
    return try add(.global(Int32(names.count - 1)))
  }

  mutating func call(
    _ function: PickleValue, _ arguments: PickleValue
  ) throws(CheckpointError) -> PickleValue {
    try take(72)
    calls.append(PickleCall(function: function, arguments: arguments))
    return try add(.call(Int32(calls.count - 1)))
  }

  mutating func text(_ bytes: ArraySlice<UInt8>) throws(CheckpointError) -> PickleText {
    try take(bytes.count)
    texts += bytes
    return PickleText(start: UInt32(texts.count - bytes.count), count: UInt32(bytes.count))
  }

  mutating func distant(_ stretch: PickleStretch) throws(CheckpointError) -> PickleValue {
    try take(24)
    stretches.append(stretch)
    return try add(.distant(Int32(stretches.count - 1)))
  }

  // MARK: Changing

  /// Appends to a list, or to what a call makes.
  ///
  /// - Returns: whether it is something that can be appended to.
  mutating func append(
    _ values: ArraySlice<PickleValue>, to value: PickleValue
  ) throws(CheckpointError) -> Bool {
    guard case .object(let number) = value else { return false }
    try take(16 * values.count)
    switch objects[Int(number)] {
    case .list(var items):
      objects[Int(number)] = .bigNumber  // so that the array is not copied
      items += values
      objects[Int(number)] = .list(items)
    case .call(let call): calls[Int(call)].items += values
    default: return false
    }
    return true
  }

  /// Gives a dictionary, or what a call makes, further keys and values.
  ///
  /// - Returns: whether it is something that can have them.
  mutating func insert(
    _ pairs: ArraySlice<PickleValue>, into value: PickleValue
  ) throws(CheckpointError) -> Bool {
    guard case .object(let number) = value else { return false }
    try take(16 * pairs.count)
    switch objects[Int(number)] {
    case .map(var all):
      objects[Int(number)] = .bigNumber
      all += pairs
      objects[Int(number)] = .map(all)
    case .call(let call): calls[Int(call)].pairs += pairs
    default: return false
    }
    return true
  }

  /// Tells what a call makes about itself.
  ///
  /// - Returns: whether it is such a thing.
  mutating func build(_ value: PickleValue, _ state: PickleValue) -> Bool {
    guard case .object(let number) = value, case .call(let call) = objects[Int(number)] else {
      return false
    }
    calls[Int(call)].state = state
    return true
  }

  // MARK: Looking

  /// The object that a value is, or `nil` if it is a plain one.
  func object(_ value: PickleValue) -> PickleObject? {
    guard case .object(let number) = value else { return nil }
    return objects[Int(number)]
  }

  func bytes(_ text: PickleText) -> ArraySlice<UInt8> {
    texts[Int(text.start)..<Int(text.start) + Int(text.count)]
  }

  /// A text, or bytes that are one; `nil` if it is neither, or not UTF-8.
  func string(_ value: PickleValue) -> String? {
    switch value {
    case .text(let text), .string(let text), .bytes(let text):
      String(validating: bytes(text), as: UTF8.self)
    default: nil
    }
  }

  /// The name of a class or function.
  func name(_ value: PickleValue) -> String? {
    guard case .global(let number)? = object(value) else { return nil }
    return names[Int(number)]
  }

  /// The values of a tuple or a list.
  func elements(_ value: PickleValue) -> ArraySlice<PickleValue>? {
    switch object(value) {
    case .tuple(let start, let count): pool[Int(start)..<Int(start) + Int(count)]
    case .list(let items): items[...]
    default: nil
    }
  }

  /// The keys and values of a dictionary, in turn.
  func pairs(_ value: PickleValue) -> [PickleValue]? {
    guard case .map(let pairs)? = object(value) else { return nil }
    return pairs
  }

  /// The call that a value is described by.
  func call(_ value: PickleValue) -> PickleCall? {
    guard case .call(let number)? = object(value) else { return nil }
    return calls[Int(number)]
  }
}
