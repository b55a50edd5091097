import TensorCore

extension Codec {
  /// What bitsandbytes stores. In 4 bits: `X.weight`, two codes a byte, the upper half first, whatever its type is;
  /// `X.weight.quant_map` F32 `[16]`, what each code stands for; `X.weight.absmax` F32, a scale for each block of the flat
  /// weight; and `X.weight.quant_state.bitsandbytes__nf4` or `…__fp4`, a JSON text with `blocksize`, `dtype` and `shape`. The weight is
  /// `quant_map[code] · absmax` in single precision, rounded once to `dtype`. Where scales are quantised, too, `absmax` is U8 and stands for
  /// `nested_quant_map[code] · nested_absmax + nested_offset`, each step in single precision. In 8 bits: `X.weight` I8 `[out, in]` and `X.SCB`
  /// F32 `[out]`; the weight is F32, `code · SCB · (1 / 127)`, each product rounded.
  ///
  /// Source: Dettmers et al., arXiv 2305.14314, section 3; bitsandbytes 0.50 (`functional.py`, `QuantState.from_dict`;
  /// `backends/default/ops.py`; `_ops.py`, `int8_vectorwise_dequant`).
  public static let bitsAndBytes = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, _ throws(CheckpointError) in
    var found: [CodedTensor] = []
    for tensor in table.tensors {
      if let codes = StoredModule(tensor, part: "weight", in: table, codec: codecName) {
        if codes["SCB"] != nil, tensor.dtype == .i8 {
          found.append(try ByteRows(tensor, codes).coded(codes))
        } else if let state = codes.state {
          found.append(try HalfByteCodes(tensor, state, codes).coded(state, codes))
        }
      }
    }
    return found
  }
}

private let codecName = "bitsandbytes"

extension StoredModule {
  /// What says how a weight is coded in 4 bits.
  fileprivate var state: Tensor? {
    self["weight.quant_state.bitsandbytes__nf4"] ?? self["weight.quant_state.bitsandbytes__fp4"]
  }
}

/// Bytes with a scale for each row.
private struct ByteRows: CodeRows {
  let codes: Tensor
  let scales: Tensor

  var codeCount: Int { 256 }
  var isEven: Bool { true }

  init(_ codes: Tensor, _ module: StoredModule) throws(CheckpointError) {
    self.codes = codes
    scales = try module.required("SCB", beside: codes)
    try module.require(scales, [.f32])
    guard codes.shape.count == 2, codes.shape.allSatisfy({ $0 > 0 }) else {
      throw module.misfit(codes, "are those of a matrix")
    }
    try module.require(scales, shape: [codes.shape[0]])
    guard let format = module["weight_format"] else { return }
    guard format.elementCount == 1, try format.integers(0..<1) == [0] else {
      throw CheckpointError(
        .unsupported("\(codecName) stores other orders than rows here, which are not decoded"),
        tensor: format.name)
    }
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: (codes.shape[0], codes.shape[1]), isTransposed: false, dtype: .f32)
    return CodedTensor(
      codec: codecName, stored: [codes, scales] + [module["weight_format"]].compactMap(\.self),
      tensor: try matrix.tensor(module.weight, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let scale = try scales.numbers(row, 0..<1)[0]
    let first = row * codes.shape[1]
    let bytes =
      if let code { [UInt8](repeating: UInt8(code) ^ 0x80, count: columns.count) } else {
        try codes.bytes(of: first + columns.lowerBound..<first + columns.upperBound)
      }
    return bytes.map { Float(Int8(bitPattern: $0)) * scale * reciprocal }
  }
}

/// 1 / 127, as bitsandbytes spells it.
private let reciprocal = Float(7.874015718698502e-3)

/// Codes of four bits in one row, with a scale for each block.
private struct HalfByteCodes: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let map: [Float]
  let nested: Nested?
  let blockSize: Int
  let shape: [Int]
  let count: Int
  let dtype: DType

  /// Scales that are codes themselves.
  struct Nested: Sendable {
    let scales: Tensor
    let map: [Float]
    let blockSize: Int
    let offset: Float
  }

  var codeCount: Int { 16 }
  /// Of 8 bits for a scale, the largest step is 2⁻⁷ of what scales are from their mean.
  var scaleRounding: Double { nested == nil ? 0 : 0x1p-6 }
  var isEven: Bool { false }

  init(_ codes: Tensor, _ state: Tensor, _ module: StoredModule) throws(CheckpointError) {
    self.codes = codes
    let says = try Self.read(state)
    let kind = String(state.name.text.suffix(3))
    let (size, dtypes) = (says["blocksize"]?.int ?? 0, ["float16", "bfloat16", "float32"])
    let extents = says["shape"]?.elements?.compactMap(\.int) ?? []
    let number = says["dtype"]?.string.flatMap { dtypes.firstIndex(of: $0) }
    guard says["quant_type"]?.string == kind, size > 0, let number, !extents.isEmpty,
      extents.count == says["shape"]?.elements?.count, extents.allSatisfy({ $0 > 0 }),
      let count = checkedElementCount(of: extents)
    else {
      throw CheckpointError(
        .malformed("is no state of a weight in \(kind): quant_type, blocksize, dtype and shape"),
        tensor: state.name)
    }
    (blockSize, shape, self.count, dtype) = (size, extents, count, [.f16, .bf16, .f32][number])
    // The last code may be alone in its byte, and the last byte in a wider element.
    let (bytes, width) = (count / 2 + count % 2, codes.dtype.byteWidth ?? 1)
    guard codes.byteCount >= bytes, codes.byteCount - bytes < width else {
      throw module.misfit(codes, "need \(bytes) bytes for \(describe(shape: extents))")
    }
    scales = try module.required("weight.absmax", beside: codes)
    map = try Self.map("weight.quant_map", 16, module, codes)
    let blocks = (count - 1) / size + 1
    let isNested = module["weight.nested_absmax"] != nil
    try module.require(scales, isNested ? [.u8] : [.f32])
    try module.require(scales, shape: [blocks])
    nested = isNested ? try Self.nested(says, blocks, module, codes) : nil
  }

  private static func nested(
    _ says: JSONValue, _ blocks: Int, _ module: StoredModule, _ codes: Tensor
  ) throws(CheckpointError) -> Nested {
    let scales = try module.required("weight.nested_absmax", beside: codes)
    let map = try map("weight.nested_quant_map", 256, module, codes)
    guard let size = says["nested_blocksize"]?.int, size > 0,
      let offset = says["nested_offset"]?.double,
      says["nested_dtype"]?.string ?? "float32" == "float32"
    else {
      throw CheckpointError(
        .malformed("its state has no nested_blocksize, nested_offset and float32 for nested_dtype"),
        tensor: codes.name)
    }
    try module.require(scales, [.f32])
    try module.require(scales, shape: [(blocks - 1) / size + 1])
    return Nested(scales: scales, map: map, blockSize: size, offset: Float(offset))
  }

  /// What codes stand for.
  private static func map(
    _ part: String, _ count: Int, _ module: StoredModule, _ codes: Tensor
  ) throws(CheckpointError) -> [Float] {
    let map = try module.required(part, beside: codes)
    try module.require(map, [.f32])
    try module.require(map, shape: [count])
    return try map.numbers(0, 0..<count)
  }

  /// The text of a state.
  private static func read(_ state: Tensor) throws(CheckpointError) -> JSONValue {
    guard state.dtype == .u8, state.byteCount <= 1 << 16 else {
      throw CheckpointError(
        .malformed("\(state.dtype) of \(state.byteCount) bytes are no text of a state"),
        tensor: state.name)
    }
    do {
      return try JSONValue(parsing: state.bytes.read(0..<state.byteCount), grammar: .python)
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(.malformed("is no JSON text"), tensor: state.name)
    }
  }

  func coded(_ state: Tensor, _ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(rows: self, shape: (1, count), isTransposed: false, dtype: dtype)
    let others = ["absmax", "nested_absmax", "nested_quant_map", "quant_map"].compactMap {
      module["weight." + $0]
    }
    return CodedTensor(
      codec: codecName, stored: [codes] + others + [state],
      tensor: try matrix.tensor(module.weight, shape: shape, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let blocks = columns.lowerBound / blockSize..<(columns.upperBound - 1) / blockSize + 1
    let factors = try factors(blocks)
    let first = columns.lowerBound / 2
    let bytes = try code == nil ? codes.bytes.read(first..<(columns.upperBound + 1) / 2) : []
    return columns.map { element in
      let factor = factors[element / blockSize - blocks.lowerBound]
      if let code { return map[code] * factor }
      let byte = bytes[element / 2 - first]
      return map[Int(element.isMultiple(of: 2) ? byte >> 4 : byte & 15)] * factor
    }
  }

  /// The scales of blocks.
  private func factors(_ blocks: Range<Int>) throws(CheckpointError) -> [Float] {
    guard let nested else { return try scales.singlePrecision(of: blocks) }
    let codes = try scales.bytes(of: blocks)
    let first = blocks.lowerBound / nested.blockSize
    let outer = try nested.scales.singlePrecision(
      of: first..<(blocks.upperBound - 1) / nested.blockSize + 1)
    return blocks.map { block in
      let scaled =
        nested.map[Int(codes[block - blocks.lowerBound])] * outer[block / nested.blockSize - first]
      return scaled + nested.offset
    }
  }
}
