import TensorCore

extension Codec {
  /// Integers of 2, 3, 4 or 8 bits with scales and zero points of groups of inputs: `X.qweight` I32
  /// `[in · bits / 32, out]`, codes packed densely down the columns; `X.scales` F16, BF16 or F32 `[groups, out]`;
  /// `X.qzeros` I32 `[groups, out · bits / 32]`, packed along the rows; and, if inputs are not in groups one after the
  /// other, `X.g_idx` I32 `[in]`, the group of each. The weight `[out, in]` is `scale · (code − zero)`, rounded once to
  /// the scales' type. A zero point is stored less 1, unless `checkpoint_format` is `gptq_v2`.
  ///
  /// Source: Frantar et al., arXiv 2210.17323; AutoGPTQ 0.7.1 and GPTQModel 7.7 (`dequantize_weight`,
  /// `convert_gptq_v1_to_v2_format_module`: 1 is added to all zero points of a word at once, but for 3 bits).
  public static let gptq = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    let settings = config?["quantization_config"]
    if let method = settings?["quant_method"]?.string, method != "gptq" { return [] }
    return try table.groups(of: codecName, parts: ["qweight"]) {
      codes, _, module throws(CheckpointError) in
      guard settings?["quant_method"] != nil || module["g_idx"] != nil else { return nil }
      return try GPTQMatrix(codes, module, settings).coded(codes, module)
    }
  }
}

private let codecName = "gptq"

private struct GPTQMatrix: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let zeros: Tensor
  /// The group of each input, or how many inputs a group has.
  let groups: Tensor?
  let groupSize: Int
  let inputs: Int
  let packed: PackedCodes
  let addsOne: Bool

  var codeCount: Int { packed.count }
  var isEven: Bool { true }
  var isPackedDown: Bool { true }

  init(
    _ codes: Tensor, _ module: StoredModule, _ settings: JSONValue?
  ) throws(CheckpointError) {
    let scales = try module.required("scales", beside: codes)
    let zeros = try module.required("qzeros", beside: codes)
    let groups = module["g_idx"]
    (self.codes, self.scales, self.zeros, self.groups) = (codes, scales, zeros, groups)
    addsOne = try Self.addsOne(settings, codes)
    try module.require(codes, [.i32])
    try module.require(zeros, [.i32])
    try module.require(scales, [.f16, .bf16, .f32])
    if let groups { try module.require(groups, [.i32, .i64]) }
    guard codes.shape.count == 2, scales.shape.count == 2, zeros.shape.count == 2,
      scales.shape[0] > 0, scales.shape[1] > 0, scales.shape[1] < 1 << 56
    else { throw module.misfit(codes, "are \(describe(shape: scales.shape)) scales") }
    let outputs = scales.shape[1]
    guard codes.shape[1] == outputs else {
      throw module.misfit(codes, "need \(outputs) columns")
    }
    guard zeros.shape[0] == scales.shape[0] else {
      throw module.misfit(zeros, "need \(scales.shape[0]) rows")
    }
    if let groups, groups.shape.count != 1 {
      throw module.misfit(groups, "need one number for each input")
    }
    let count = groups?.shape[0]
    // Widths of single modules may be others than that of the config.
    let declared = try settings.wholeNumber("bits")
    let mayDiffer = declared == nil || settings?["dynamic"] != nil
    let candidates = [2, 3, 4, 8].map(PackedCodes.init).filter { packed in
      (mayDiffer || packed.bits == declared)
        && packed.fit(outputs, in: zeros.shape[1])
        && packed.fit(count ?? Self.most(codes, packed), in: codes.shape[0])
    }
    // Words behind those that codes fill are rare, and none may be missing.
    let filled = candidates.filter {
      $0.fill(outputs, zeros.shape[1]) && $0.fill(count ?? Self.most(codes, $0), codes.shape[0])
    }
    guard
      let packed = candidates.first(where: { $0.bits == declared }) ?? filled.first
        ?? candidates.first
    else {
      throw module.misfit(
        codes,
        "hold no codes of \(declared.map { "\($0)" } ?? "2, 3, 4 or 8") bits for \(outputs) outputs"
          + (count.map { " and \($0) inputs" } ?? ""))
    }
    self.packed = packed
    inputs = count ?? Self.most(codes, packed)
    groupSize = try Self.groupSize(settings, inputs, scales, module, isListed: groups != nil)
  }

  /// How many codes a column has room for.
  private static func most(_ codes: Tensor, _ packed: PackedCodes) -> Int {
    codes.shape[0] < 1 << 56 ? codes.shape[0] * 32 / packed.bits : 0
  }

  /// Whether zero points are stored less 1.
  private static func addsOne(_ settings: JSONValue?, _ codes: Tensor) throws(CheckpointError)
    -> Bool
  {
    let named = settings?["checkpoint_format"]?.string ?? settings?["format"]?.string ?? "gptq"
    guard named == "gptq" || named == "gptq_v2", settings?["is_marlin_format"]?.bool != true else {
      throw CheckpointError(
        .unsupported("GPTQ's checkpoint_format \(named) is not decoded, gptq and gptq_v2 are"),
        tensor: codes.name)
    }
    return named == "gptq"
  }

  /// Inputs of a group, where they are not listed.
  private static func groupSize(
    _ settings: JSONValue?, _ inputs: Int, _ scales: Tensor, _ module: StoredModule, isListed: Bool
  ) throws(CheckpointError) -> Int {
    if isListed { return inputs }
    let groups = scales.shape[0]
    let declared = try settings.wholeNumber("group_size") ?? -1
    let size = declared > 0 ? declared : inputs.isMultiple(of: groups) ? inputs / groups : 0
    guard size > 0, (inputs - 1) / size + 1 == groups else {
      throw module.misfit(scales, "are \(inputs) inputs, in groups of \(declared)")
    }
    return size
  }

  func coded(_ codes: Tensor, _ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: (inputs, scales.shape[1]), isTransposed: true, dtype: scales.dtype)
    return CodedTensor(
      codec: codecName, stored: [codes, zeros, scales] + (groups.map { [$0] } ?? []),
      tensor: try matrix.tensor(module.weight, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let group = try group(of: row)
    let factors = try scales.numbers(group, columns)
    let zeros = try zeroPoints(of: group, columns)
    let codes = try codes(of: row, columns, code)
    return factors.indices.map { factors[$0] * Float(codes[$0] - zeros[$0]) }
  }

  private func codes(
    of row: Int, _ columns: Range<Int>, _ code: Int?
  ) throws(CheckpointError) -> [Int32] {
    if let code { return Array(repeating: Int32(code), count: columns.count) }
    return try packed.codes(ofRow: row, columns, in: codes)
  }

  /// - Throws: `CheckpointError` if there is no such group.
  private func group(of row: Int) throws(CheckpointError) -> Int {
    guard let groups else { return row / groupSize }
    let group = try groups.integers(row..<row + 1)[0]
    guard group >= 0, group < scales.shape[0] else {
      throw CheckpointError(
        .malformed("input \(row) is in group \(group), and there are \(scales.shape[0])"),
        tensor: groups.name)
    }
    return group
  }

  private func zeroPoints(of group: Int, _ columns: Range<Int>) throws(CheckpointError) -> [Int32] {
    var words = try zeros.words(group, packed.words(of: columns))
    guard addsOne else { return packed.codes(columns, in: words) }
    if packed.bits == 3 {
      return packed.codes(columns, in: words).map { ($0 + 1) & Int32(packed.mask) }
    }
    // Of each code the lowest bit.
    let ones = UInt32.max / packed.mask
    for index in words.indices { words[index] &+= ones }
    return packed.codes(columns, in: words)
  }
}
