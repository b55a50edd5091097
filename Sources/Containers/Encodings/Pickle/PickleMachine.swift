import TensorCore

/// The machine that a pickle is a program for.
struct PickleMachine {
  private(set) var heap: PickleHeap
  var reader: PickleReader
  private var stack: [PickleValue] = []
  /// Where marks are: how high the stack was.
  private var marks: [Int] = []
  private var memo = PickleMemo()

  init(_ reader: PickleReader, memory: Int = Limits.pickleMemory) {
    self.reader = reader
    heap = PickleHeap(limit: memory)
  }

  /// Where the next opcode is.
  var position: Int { reader.position }

  /// Goes on to the opcode that ends the pickle, and returns what is on the stack.
  mutating func run() throws(CheckpointError) -> PickleValue {
    while true {
      let offset = reader.offset
      do throws(CheckpointError) {
        let code = try reader.byte()
        guard let opcode = PickleOpcode(rawValue: code) else {
          throw Self.fault("0x\(String(code, radix: 16)) is no opcode")
        }
        if opcode == .stop { return try pop() }
        try step(opcode)
      } catch {
        var error = error
        error.offset = error.offset ?? offset
        throw error
      }
    }
  }

  static func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed("the pickle is broken: \(reason)"))
  }

  // MARK: The stack

  mutating func push(_ value: PickleValue) throws(CheckpointError) {
    guard stack.count < Limits.pickleStack else {
      throw CheckpointError(
        .limitExceeded(
          "the height of a pickle's stack", limit: Limits.pickleStack, found: stack.count + 1))
    }
    stack.append(value)
  }

  private mutating func pop() throws(CheckpointError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw Self.fault("nothing is on the stack")
    }
    return value
  }

  private func top() throws(CheckpointError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw Self.fault("nothing is on the stack")
    }
    return value
  }

  /// Takes everything off the stack down to the last mark, and the mark, and does something with it.
  private mutating func takeMarked<Result>(
    _ body: (inout PickleHeap, ArraySlice<PickleValue>) throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    guard let mark = marks.popLast() else { throw Self.fault("no mark is on the stack") }
    let result = try body(&heap, stack[mark...])
    stack.removeSubrange(mark...)
    return result
  }

  private mutating func takeLast<Result>(
    _ count: Int,
    _ body: (inout PickleHeap, ArraySlice<PickleValue>) throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw Self.fault("nothing is on the stack")
    }
    let result = try body(&heap, stack.suffix(count))
    stack.removeLast(count)
    return result
  }

  // MARK: Opcodes

  private mutating func step(_ opcode: PickleOpcode) throws(CheckpointError) {
    switch opcode {
    case .proto:
      let version = try reader.byte()
      guard version <= 5 else {
        throw CheckpointError(.unsupported("pickles of protocol \(version) are not known"))
      }
    case .frame: _ = try reader.count(8)
    case .none: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .binInt: try push(.int(Int(Int32(truncatingIfNeeded: try reader.number(4)))))
    case .binInt1: try push(.int(Int(try reader.byte())))
    case .binInt2: try push(.int(Int(try reader.number(2))))
    case .binFloat:
      try push(.float(Double(bitPattern: UInt64(try reader.number(8)).byteSwapped)))
    case .int, .long, .float, .long1, .long4: try push(try readNumber(opcode))
    case .string, .unicode: try push(try readLine(opcode))
    case .binUnicode, .shortBinUnicode, .binUnicode8, .binString, .shortBinString, .binBytes,
      .shortBinBytes, .binBytes8, .byteArray8:
      try push(try readText(opcode))
    case .mark, .pop, .popMark, .dup: try stepStack(opcode)
    case .put, .binPut, .longBinPut, .memoize, .get, .binGet, .longBinGet: try stepMemo(opcode)
    case .emptyTuple, .tuple1, .tuple2, .tuple3, .tuple, .emptyList, .list, .emptyDict, .dict,
      .emptySet, .frozenSet:
      try stepMaking(opcode)
    case .append, .appends, .addItems, .setItem, .setItems, .build: try stepFilling(opcode)
    case .global, .stackGlobal, .reduce, .newObject, .newObjectEx, .inst, .obj, .persistent,
      .binPersistent:
      try stepNaming(opcode)
    case .extension1, .extension2, .extension4:
      throw CheckpointError(
        .unsupported("the pickle names a class by a number of somebody's registry"))
    case .nextBuffer, .readOnlyBuffer:
      throw CheckpointError(.unsupported("the pickle has buffers outside of it"))
    case .stop: break
    }
  }

  private mutating func stepStack(_ opcode: PickleOpcode) throws(CheckpointError) {
    switch opcode {
    case .mark:
      guard marks.count < Limits.pickleStack else {
        throw CheckpointError(
          .limitExceeded(
            "the number of a pickle's marks", limit: Limits.pickleStack, found: marks.count))
      }
      marks.append(stack.count)
    case .dup: try push(try top())
    case .popMark: try takeMarked { _, _ in }
    default:
      // A mark on top is what is taken off.
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
    }
  }

  private mutating func stepMemo(_ opcode: PickleOpcode) throws(CheckpointError) {
    switch opcode {
    case .memoize: try memo.put(try top(), at: memo.count, &heap)
    case .binPut: try memo.put(try top(), at: Int(try reader.byte()), &heap)
    case .longBinPut: try memo.put(try top(), at: Int(try reader.number(4)), &heap)
    case .put: try memo.put(try top(), at: try readIndex(), &heap)
    case .binGet: try push(try memo.get(Int(try reader.byte())))
    case .longBinGet: try push(try memo.get(Int(try reader.number(4))))
    default: try push(try memo.get(try readIndex()))
    }
  }

  private mutating func stepMaking(_ opcode: PickleOpcode) throws(CheckpointError) {
    let value: PickleValue
    switch opcode {
    case .emptyTuple: value = try heap.tuple([])
    case .tuple1:
      value = try takeLast(1) { heap, values throws(CheckpointError) in try heap.tuple(values) }
    case .tuple2:
      value = try takeLast(2) { heap, values throws(CheckpointError) in try heap.tuple(values) }
    case .tuple3:
      value = try takeLast(3) { heap, values throws(CheckpointError) in try heap.tuple(values) }
    case .tuple:
      value = try takeMarked { heap, values throws(CheckpointError) in try heap.tuple(values) }
    case .list, .frozenSet:
      value = try takeMarked { heap, values throws(CheckpointError) in try heap.list(values) }
    case .dict:
      value = try takeMarked { heap, values throws(CheckpointError) in
        try heap.map(try Self.pairs(values))
      }
    case .emptyDict: value = try heap.map([])
    default: value = try heap.list([])
    }
    try push(value)
  }

  private static func pairs(
    _ values: ArraySlice<PickleValue>
  ) throws(CheckpointError) -> ArraySlice<PickleValue> {
    guard values.count.isMultiple(of: 2) else { throw fault("a key has no value") }
    return values
  }

  /// Fills what lies on the stack below the values.
  private mutating func stepFilling(_ opcode: PickleOpcode) throws(CheckpointError) {
    let isFilled: Bool
    switch opcode {
    case .append:
      let value = try pop()
      isFilled = try heap.append([value], to: try top())
    case .setItem:
      let value = try pop()
      let key = try pop()
      isFilled = try heap.insert([key, value], into: try top())
    case .build:
      let state = try pop()
      isFilled = heap.build(try top(), state)
    default:
      guard let mark = marks.last, mark > 0, marks.count < 2 || mark > marks[marks.count - 2] else {
        throw Self.fault("nothing is on the stack below a mark")
      }
      let target = stack[mark - 1]
      isFilled = try takeMarked { heap, values throws(CheckpointError) in
        opcode == .setItems
          ? try heap.insert(try Self.pairs(values), into: target)
          : try heap.append(values, to: target)
      }
    }
    guard isFilled else { throw Self.fault("something is put into what cannot hold it") }
  }

  private mutating func stepNaming(_ opcode: PickleOpcode) throws(CheckpointError) {
    switch opcode {
    case .global: try push(try readGlobal())
    case .stackGlobal:
      let name = heap.string(try pop())
      guard let module = heap.string(try pop()), let name else {
        throw Self.fault("the name of a class is no text")
      }
      try push(try heap.global("\(module).\(name)"))
    case .reduce, .newObject:
      let arguments = try pop()
      try push(try heap.call(try pop(), arguments))
    case .newObjectEx:
      _ = try pop()
      let arguments = try pop()
      try push(try heap.call(try pop(), arguments))
    case .inst:
      let function = try readGlobal()
      let arguments = try takeMarked { heap, values throws(CheckpointError) in
        try heap.tuple(values)
      }
      try push(try heap.call(function, arguments))
    case .obj:
      let (function, arguments) = try takeMarked {
        heap, values throws(CheckpointError) -> (PickleValue, PickleValue) in
        guard let function = values.first else { throw Self.fault("an object has no class") }
        return (function, try heap.tuple(values.dropFirst()))
      }
      try push(try heap.call(function, arguments))
    case .persistent:
      let line = try reader.line()
      try push(try heap.add(.persistent(.text(try heap.text(line[...])))))
    default: try push(try heap.add(.persistent(try pop())))
    }
  }

  private mutating func readGlobal() throws(CheckpointError) -> PickleValue {
    let (module, name) = (try reader.line(), try reader.line())
    guard let module = String(validating: module, as: UTF8.self),
      let name = String(validating: name, as: UTF8.self)
    else { throw Self.fault("the name of a class is not UTF-8") }
    return try heap.global("\(module).\(name)")
  }
}

extension PickleMachine {
  /// Text and bytes with their length before them.
  fileprivate mutating func readText(_ opcode: PickleOpcode) throws(CheckpointError) -> PickleValue
  {
    let size =
      switch opcode {
      case .shortBinUnicode, .shortBinString, .shortBinBytes: 1
      case .binUnicode, .binString, .binBytes: 4
      default: 8
      }
    let count = try reader.count(size)
    let isText = [.binUnicode, .shortBinUnicode, .binUnicode8].contains(opcode)
    guard count <= PickleReader.shortText else {
      return try heap.distant(PickleStretch(range: try reader.skip(count), isText: isText))
    }
    let text = try heap.text(try reader.bytes(count))
    switch opcode {
    case .binBytes, .shortBinBytes, .binBytes8, .byteArray8: return .bytes(text)
    default: return isText ? .text(text) : .string(text)
    }
  }

  /// Text in a line, with escapes.
  fileprivate mutating func readLine(_ opcode: PickleOpcode) throws(CheckpointError) -> PickleValue
  {
    let line = try reader.line()
    let text = opcode == .unicode ? PickleEscapes.unicode(line) : PickleEscapes.string(line)
    guard let text else {
      throw Self.fault(opcode == .unicode ? "an escape in a text is none" : "a text has no quotes")
    }
    let stored = try heap.text(text[...])
    return opcode == .unicode ? .text(stored) : .string(stored)
  }

  fileprivate mutating func readNumber(_ opcode: PickleOpcode) throws(CheckpointError)
    -> PickleValue
  {
    switch opcode {
    case .long1: return try readLong(try reader.count(1))
    case .long4: return try readLong(try reader.count(4))
    case .float:
      guard let value = Double(String(decoding: try reader.line(), as: UTF8.self)) else {
        throw Self.fault("a number is none")
      }
      return .float(value)
    default: break
    }
    var digits = try reader.line()
    // Booleans of protocol 1 and before.
    if opcode == .int, digits.count == 2, digits[0] == UInt8(ascii: "0") {
      if digits[1] == UInt8(ascii: "0") { return .bool(false) }
      if digits[1] == UInt8(ascii: "1") { return .bool(true) }
    }
    if opcode == .long, digits.last == UInt8(ascii: "L") { digits.removeLast() }
    if let value = Int(String(decoding: digits, as: UTF8.self)) { return .int(value) }
    let number = digits.first == UInt8(ascii: "-") ? digits.dropFirst() : digits[...]
    guard !number.isEmpty, number.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw Self.fault("a number is none")
    }
    return try heap.add(.bigNumber)
  }

  /// A whole number of `count` bytes, least significant first, the sign in the last.
  private mutating func readLong(_ count: Int) throws(CheckpointError) -> PickleValue {
    guard count <= 8 else {
      _ = try reader.skip(count)
      return try heap.add(.bigNumber)
    }
    guard count > 0 else { return .int(0) }
    let bits = try reader.number(count)
    let shift = UInt64(64 - 8 * count)
    return .int(Int(truncatingIfNeeded: Int64(bitPattern: bits << shift) >> Int64(shift)))
  }

  fileprivate mutating func readIndex() throws(CheckpointError) -> Int {
    guard let index = Int(String(decoding: try reader.line(), as: UTF8.self)), index >= 0 else {
      throw Self.fault("the number of a memo is none")
    }
    return index
  }
}

/// What a pickle has put aside, by number.
private struct PickleMemo {
  /// The first ones, which have the numbers 0, 1, 2 and so on.
  private var dense: [PickleValue] = []
  private var sparse: [Int: PickleValue] = [:]

  var count: Int { dense.count + sparse.count }

  mutating func put(
    _ value: PickleValue, at index: Int, _ heap: inout PickleHeap
  ) throws(CheckpointError) {
    if index < dense.count {
      dense[index] = value
    } else if index == dense.count, sparse.isEmpty {
      try heap.take(16)
      dense.append(value)
    } else {
      if sparse.updateValue(value, forKey: index) == nil { try heap.take(64) }
    }
  }

  func get(_ index: Int) throws(CheckpointError) -> PickleValue {
    if index < dense.count { return dense[index] }
    guard let value = sparse[index] else {
      throw PickleMachine.fault("nothing has been put aside as \(index)")
    }
    return value
  }
}
