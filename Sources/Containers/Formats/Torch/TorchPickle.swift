import TensorCore

/// Writes the pickle of a plain state dict: an ordered dictionary of tensors, in protocol 2, which
/// `torch.load` reads with `weights_only=True`. Or one around that, which says what the model is made of.
struct TorchPickle {
  private(set) var bytes: [UInt8] = [0x80, 2]
  /// The numbers under which names and texts have been put aside.
  private var memo: [String: Int] = [:]

  /// The arguments of the model, if they are said.
  private let arguments: (arguments: JSONValue, key: String, weights: String)?

  /// Begins a dictionary.
  init(arguments: JSONValue? = nil) {
    self.arguments = arguments.map { TorchArguments.placed($0) }
    if let placed = self.arguments {
      begin()
      text(Array(placed.weights.utf8))
    }
    makeOrderedDict()
    add(.mark)
  }

  /// Adds a tensor, which is all of a storage in C order.
  ///
  /// - Parameters:
  ///   - shape: torch's shape.
  ///   - storage: the name of the storage.
  ///   - count: the elements of the storage, as its class counts them.
  mutating func add(
    _ name: TensorName, shape: [Int], storage: String, count: Int,
    of names: (storage: String, dtype: String?)
  ) {
    text(Array(name.text.utf8))
    global("torch._utils", names.dtype == nil ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3")
    bytes += [PickleOpcode.mark.rawValue, PickleOpcode.mark.rawValue]
    remembered("storage")
    global(names.dtype == nil ? "torch" : "torch.storage", names.storage)
    text(Array(storage.utf8))
    remembered("cpu")
    integer(count)
    bytes += [PickleOpcode.tuple.rawValue, PickleOpcode.binPersistent.rawValue]
    integer(0)
    tuple(shape)
    tuple(rowMajorStrides(shape.map { max(1, $0) }))
    bytes.append(PickleOpcode.newFalse.rawValue)
    makeOrderedDict()
    if let dtype = names.dtype { global("torch", dtype) }
    bytes += [PickleOpcode.tuple.rawValue, PickleOpcode.reduce.rawValue]
  }

  /// Ends the dictionary and the pickle.
  mutating func finish() {
    end()
    if let arguments {
      text(Array(arguments.key.utf8))
      add(arguments: arguments.arguments)
      end()
    }
    add(.stop)
  }

  // MARK: Values

  mutating func add(_ opcode: PickleOpcode) { bytes.append(opcode.rawValue) }

  /// Begins a plain dictionary, whose keys and values follow.
  mutating func begin() {
    add(.emptyDict)
    add(.mark)
  }

  /// Ends a dictionary.
  mutating func end() { add(.setItems) }

  private mutating func makeOrderedDict() {
    global("collections", "OrderedDict")
    bytes += [PickleOpcode.emptyTuple.rawValue, PickleOpcode.reduce.rawValue]
  }

  private mutating func tuple(_ numbers: [Int]) {
    bytes.append(PickleOpcode.mark.rawValue)
    for number in numbers { integer(number) }
    bytes.append(PickleOpcode.tuple.rawValue)
  }

  mutating func integer(_ value: Int) {
    switch value {
    case 0...0xFF: bytes += [PickleOpcode.binInt1.rawValue, UInt8(value)]
    case 0...0xFFFF: bytes += [PickleOpcode.binInt2.rawValue] + UInt16(value).littleEndianBytes
    case 0...Int(Int32.max):
      bytes += [PickleOpcode.binInt.rawValue] + Int32(value).littleEndianBytes
    case Int(Int32.min)..<0:
      bytes += [PickleOpcode.binInt.rawValue] + Int32(value).littleEndianBytes
    default: bytes += [PickleOpcode.long1.rawValue, 8] + value.littleEndianBytes
    }
  }

  mutating func float(_ value: Double) {
    add(.binFloat)
    bytes += value.bitPattern.littleEndianBytes.reversed()
  }

  mutating func text(_ utf8: [UInt8]) {
    bytes.append(PickleOpcode.binUnicode.rawValue)
    bytes += UInt32(utf8.count).littleEndianBytes + utf8
  }

  private mutating func remembered(_ word: String) {
    once(word) { $0.text(Array(word.utf8)) }
  }

  private mutating func global(_ module: String, _ name: String) {
    once("\(module)\n\(name)\n") { pickle in
      pickle.bytes.append(PickleOpcode.global.rawValue)
      pickle.bytes += "\(module)\n\(name)\n".utf8
    }
  }

  /// Writes something once, and from then on a reference to it.
  private mutating func once(_ key: String, _ write: (inout TorchPickle) -> Void) {
    if let number = memo[key] {
      bytes += [PickleOpcode.binGet.rawValue, UInt8(number)]
      return
    }
    write(&self)
    bytes += [PickleOpcode.binPut.rawValue, UInt8(memo.count)]
    memo[key] = memo.count
  }
}
