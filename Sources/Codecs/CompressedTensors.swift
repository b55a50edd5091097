import TensorCore

extension Codec {
  /// Integers as compressed-tensors stores them. `pack-quantized`: `X.weight_packed` I32 `[out, words]`, codes of 1 to 8 bits
  /// packed densely along each row, `2^(bits − 1)` added; `X.weight_shape`, two integers. `int-quantized`,
  /// `naive-quantized`: `X.weight` I8 `[out, in]`. Beside them `X.weight_scale` F16, BF16 or F32, of shape `[1]` for all,
  /// `[out, 1]`, or `[out, groups]`; perhaps `X.weight_zero_point`, I8 of the same shape, or I32, packed like the codes but down the
  /// columns; and perhaps `X.weight_g_idx`, the group of each input. The weight is `(code − zero) · scale`, rounded once to
  /// the scales' type. Experts may be in one tensor, `[experts, out, …]` throughout. `marlin-24` is refused by name.
  ///
  /// Source: compressed-tensors 0.20 (`compressors/pack_quantized`, `compressors/naive_quantized`,
  /// `quantization/lifecycle/forward_helpers.py`, `_dequantize`); earlier versions also write `weight_g_idx`.
  public static let compressedTensors = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    let settings = config?["quantization_config"]
    return try table.groups(of: codecName, parts: ["weight_packed", "weight"]) {
      codes, part, module throws(CheckpointError) in
      if module["meta"] != nil, module["scale_packed"] != nil {
        throw CheckpointError(
          .unsupported("is in marlin-24, packed for one kind of processor, not decoded"),
          tensor: codes.name)
      }
      return switch (part, codes.dtype) {
      case ("weight_packed", .i32):
        try IntegerMatrix.packed(codes, module, settings).coded(module)
      case ("weight", .i8) where module["weight_scale"] != nil:
        try IntegerMatrix.bytes(codes, module).coded(module)
      default: nil
      }
    }
  }
}

private let codecName = "compressed-tensors"

private struct IntegerMatrix: CodeRows {
  let codes: Tensor
  let packed: PackedCodes
  /// The weight's shape: of one matrix, or of several.
  let shape: [Int]
  /// Rows of all matrices, and those of each.
  let rows: Int
  let outputs: Int
  let columns: Int
  let scales: Tensor
  let zeros: Tensor?
  let groups: Tensor?
  /// How many scales a row has, and whether they are those of all rows.
  let groupCount: Int
  let isWhole: Bool

  var codeCount: Int { packed.count }
  var isEven: Bool { true }
  private var offset: Int32 { 1 << Int32(packed.bits - 1) }
  private var isPacked: Bool { codes.dtype == .i32 }
  /// Words of a column of zero points.
  private var wordsOfOutputs: Int { packed.words(of: 0..<outputs).count }

  /// Codes in words.
  static func packed(
    _ codes: Tensor, _ module: StoredModule, _ settings: JSONValue?
  ) throws(CheckpointError) -> IntegerMatrix {
    let size = try module.required("weight_shape", beside: codes)
    try module.require(size, [.i64, .i32])
    guard [2, 3].contains(codes.shape.count) else {
      throw module.misfit(codes, "are those of a matrix, or of several")
    }
    try module.require(size, shape: [codes.shape.count])
    let shape = try size.integers(0..<codes.shape.count)
    guard codes.shape.dropLast() == shape.dropLast(), shape.allSatisfy({ $0 > 0 }),
      let words = codes.shape.last, let columns = shape.last
    else { throw module.misfit(codes, "are those of a weight of \(describe(shape: shape))") }
    let declared = declaredBits(settings)
    let fitting = declared.filter { bits in
      let packed = PackedCodes(bits: bits)
      return packed.fit(columns, in: words) && packed.words(of: 0..<columns).count == words
    }
    guard let bits = fitting.first, fitting.count == 1 else {
      let said = declared.map { "\($0)" }.joined(separator: " or ")
      throw module.misfit(
        codes, "are those of rows of \(columns) codes, of which the config says \(said) bits")
    }
    return try IntegerMatrix(codes, module, PackedCodes(bits: bits), shape)
  }

  /// Codes that are bytes.
  static func bytes(
    _ codes: Tensor, _ module: StoredModule
  ) throws(CheckpointError) -> IntegerMatrix {
    guard [2, 3].contains(codes.shape.count), codes.shape.allSatisfy({ $0 > 0 }) else {
      throw module.misfit(codes, "are those of a matrix, or of several")
    }
    return try IntegerMatrix(codes, module, PackedCodes(bits: 8), codes.shape)
  }

  /// The numbers of bits that groups of the config have; all, if it says none.
  private static func declaredBits(_ settings: JSONValue?) -> [Int] {
    let groups = settings?["config_groups"]?.members?.map(\.value) ?? []
    let bits = groups.compactMap { $0["weights"]?["num_bits"]?.int }.filter { (1...8).contains($0) }
    return bits.isEmpty ? Array(1...8) : Set(bits).sorted()
  }

  private init(
    _ codes: Tensor, _ module: StoredModule, _ packed: PackedCodes, _ shape: [Int]
  ) throws(CheckpointError) {
    (self.codes, self.packed, self.shape) = (codes, packed, shape)
    (outputs, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    rows = codes.elementCount / codes.shape[shape.count - 1]
    scales = try module.required("weight_scale", beside: codes)
    zeros = module["weight_zero_point"]
    groups = module["weight_g_idx"]
    try module.require(scales, [.f16, .bf16, .f32])
    isWhole = scales.elementCount == 1 && scales.shape.count < 3
    let isOne = scales.shape == [rows]
    groupCount = isWhole || isOne ? 1 : scales.shape.last ?? 0
    guard isWhole || isOne || scales.shape == shape.dropLast() + [groupCount], groupCount > 0,
      columns.isMultiple(of: groupCount)
    else { throw module.misfit(scales, "are those of a weight of \(describe(shape: shape))") }
    if let groups {
      try module.require(groups, [.i32, .i64])
      try module.require(groups, shape: [columns])
    }
    if let zeros {
      try module.require(zeros, isPacked ? [.i8, .i32] : [.i8, .i16, .i32, .i64])
      let packedShape = shape.dropLast(2) + [wordsOfOutputs, groupCount]
      try module.require(
        zeros, shape: isPacked && zeros.dtype == .i32 ? Array(packedShape) : scales.shape)
    }
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: (rows, columns), isTransposed: false, dtype: scales.dtype)
    let others: [Tensor?] = [scales, zeros, groups, module["weight_shape"], module["input_scale"]]
    return CodedTensor(
      codec: codecName, stored: [codes] + others.compactMap(\.self),
      tensor: try matrix.tensor(module.weight, shape: shape, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let codes = try codes(of: row, columns, code)
    let places = try groups(of: columns)
    let scaleRow = isWhole ? 0 : row
    let factors = try scales.numbers(scaleRow, 0..<groupCount)
    let zeros = try zeroPoints(of: scaleRow)
    return codes.indices.map { index in
      let group = places[index]
      return factors[group] * Float(codes[index] - offset - zeros[group])
    }
  }

  private func codes(
    of row: Int, _ columns: Range<Int>, _ code: Int?
  ) throws(CheckpointError) -> [Int32] {
    if let code { return Array(repeating: Int32(code), count: columns.count) }
    if isPacked {
      return packed.codes(columns, in: try codes.words(row, packed.words(of: columns)))
    }
    let first = row * self.columns
    let bytes = try codes.bytes(of: first + columns.lowerBound..<first + columns.upperBound)
    return bytes.map { Int32(Int8(bitPattern: $0)) + offset }
  }

  /// The group of each column.
  ///
  /// - Throws: `CheckpointError` if there is none of that number.
  private func groups(of columns: Range<Int>) throws(CheckpointError) -> [Int] {
    let size = self.columns / groupCount
    guard let groups else { return columns.map { $0 / size } }
    // Where inputs are in order, all are -1.
    let listed = try zip(columns, groups.integers(columns)).map { $1 == -1 ? $0 / size : $1 }
    if let wrong = listed.first(where: { $0 < 0 || $0 >= groupCount }) {
      throw CheckpointError(
        .malformed("an input is in group \(wrong), and there are \(groupCount)"),
        tensor: groups.name)
    }
    return listed
  }

  private func zeroPoints(of row: Int) throws(CheckpointError) -> [Int32] {
    guard let zeros else { return Array(repeating: 0, count: groupCount) }
    guard isPacked, zeros.dtype == .i32 else {
      let first = row * groupCount
      return try zeros.integers(first..<first + groupCount).map { Int32(clamping: $0) }
    }
    let (matrix, own) = row.quotientAndRemainder(dividingBy: outputs)
    let first = matrix * wordsOfOutputs
    return try packed.codes(ofRow: own, 0..<groupCount, in: zeros, from: first).map {
      $0 - offset
    }
  }
}
