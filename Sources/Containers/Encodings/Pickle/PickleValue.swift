/// A value that a pickle makes: a plain one, or the number of an object in its heap.
///
/// Objects know each other by number only. So a value is dropped, however deep objects are nested, without
/// following what is in it, and a cycle is nothing special.
enum PickleValue: Equatable, Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  /// A text, which may turn out not to be UTF-8.
  case text(PickleText)
  /// A text of Python 2: bytes, which may be a text or not.
  case string(PickleText)
  /// Bytes.
  case bytes(PickleText)
  /// Something made of other values.
  case object(Int32)
}

/// A short text of a pickle, or bytes, in its heap.
struct PickleText: Equatable, Sendable {
  let start: UInt32
  let count: UInt32
}

/// A long text of a pickle, or bytes, where it stands.
struct PickleStretch: Sendable {
  /// Its place in the bytes that the pickle stands in.
  let range: Range<Int>
  /// Whether it is a text, in UTF-8.
  let isText: Bool

  var count: Int { range.count }
}

/// Something made of other values.
enum PickleObject: Equatable, Sendable {
  /// Values that do not change, in `PickleHeap.pool`.
  case tuple(start: UInt32, count: UInt32)
  /// A list, or a set.
  case list([PickleValue])
  /// Keys and values in turn.
  case map([PickleValue])
  /// A class or a function, by its name; nothing is known of it. Index of `PickleHeap.names`.
  case global(Int32)
  /// What a class or a function would make of arguments. Index of `PickleHeap.calls`.
  case call(Int32)
  /// Something that stands outside the pickle, which says this about it.
  case persistent(PickleValue)
  /// Text or bytes that were left where they are. Index of `PickleHeap.stretches`.
  case distant(Int32)
  /// A whole number of more than 64 bits.
  case bigNumber
}

/// A call that a pickle asks for and that is not made: it is described.
struct PickleCall: Sendable {
  /// The class or function, most often a global.
  var function: PickleValue
  /// Its arguments, most often a tuple.
  var arguments: PickleValue
  /// What the thing that it makes is told about itself.
  var state = PickleValue.none
  /// What is appended to the thing.
  var items: [PickleValue] = []
  /// What the thing is given under keys: keys and values in turn.
  var pairs: [PickleValue] = []
}
