import TensorCore

extension Codec {
  /// What Apple's mlx quantises: `X.weight` U32 `[…, rows, words]`, codes of `bits` bits one behind the other, the lowest first,
  /// and `X.scales` `[…, rows, groups]`.
  ///
  /// - `affine`: `X.scales` and `X.biases` in F16, BF16 or F32. The weight is `scale · code + bias`, product and sum each
  ///   rounded to that type.
  /// - `mxfp4`, `mxfp8`: codes in E2M1 and E4M3, scales U8, groups of 32. The weight is BF16, `code · 2^(scale − 127)`.
  /// - `nvfp4`: codes in E2M1, scales U8 that are E4M3, groups of 16. The weight is BF16, `code · scale`.
  ///
  /// Source: mlx 0.32 (`mlx.core.quantize`, `mlx.core.dequantize`); mlx-lm 0.32, which writes `quantization` into the
  /// config, with bits, groups and mode for all modules, and for each one that has others.
  static let mlxQuantized = Codec(
    name: codecName, configKeys: [settingsKeyOfMLX, settingsKey]
  ) { table, config throws(CheckpointError) in
    let settings = config?[settingsKeyOfMLX] ?? config?[settingsKey]
    return try table.groups(of: codecName, parts: ["weight"]) {
      codes, _, module throws(CheckpointError) in
      guard codes.dtype == .u32, module["scales"] != nil else { return nil }
      return try MLXMatrix(codes, module, MLXSettings(settings, module)).coded(module)
    }
  }
}

private let codecName = "mlx"

/// How a module is coded.
private struct MLXSettings {
  enum Mode: String, CaseIterable {
    case affine, mxfp4, mxfp8, nvfp4

    /// Bits and groups, where a mode has but one of each.
    var only: (bits: Int, groupSize: Int)? {
      switch self {
      case .affine: nil
      case .mxfp4: (4, 32)
      case .mxfp8: (8, 32)
      case .nvfp4: (4, 16)
      }
    }
  }

  let mode: Mode?
  let bits: Int?
  let groupSize: Int?

  /// - Throws: `CheckpointError` if a setting is none.
  init(_ settings: JSONValue?, _ module: StoredModule) throws(CheckpointError) {
    let own = settings?[String(module.name.dropLast())]
    let said = own?.members == nil ? settings : own
    bits = try said.wholeNumber("bits")
    groupSize = try said.wholeNumber("group_size")
    guard let name = said?["mode"], name != .null else {
      mode = nil
      return
    }
    guard let known = name.string.flatMap(Mode.init) else {
      throw CheckpointError(
        .unsupported("is quantised by mlx in the mode \(name.text()), which is not decoded"),
        tensor: module.weight)
    }
    mode = known
  }
}

private struct MLXMatrix: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let biases: Tensor?
  let mode: MLXSettings.Mode
  let packed: PackedCodes
  let groupSize: Int
  let shape: (rows: Int, columns: Int)

  var codeCount: Int { packed.count }
  var isEven: Bool { mode == .affine }
  var repeatable: (any RepeatableRows)? { mode == .affine ? self : nil }
  var floats: FloatCodes? { mode == .mxfp8 ? .e4m3 : nil }
  /// Codes are chosen in single precision, before scales and biases are rounded to their type; so are products and sums. This is
  /// for what another formula has made, in another type.
  var scaleRounding: Double {
    guard mode == .affine else { return 0 }
    return scales.dtype == .bf16 ? 0x1p-6 : scales.dtype == .f16 ? 0x1p-8 : 0x1p-19
  }

  /// - Throws: `CheckpointError` if parts do not fit each other, or the settings.
  init(
    _ codes: Tensor, _ module: StoredModule, _ settings: MLXSettings
  ) throws(CheckpointError) {
    self.codes = codes
    scales = try module.required("scales", beside: codes)
    let isAffine = scales.dtype != .u8
    try module.require(scales, isAffine ? [.f16, .bf16, .f32] : [.u8])
    biases = isAffine ? try module.required("biases", beside: codes) : nil
    if let biases {
      try module.require(biases, [scales.dtype])
      try module.require(biases, shape: scales.shape)
    }
    guard codes.shape.count > 1, scales.shape.dropLast() == codes.shape.dropLast(),
      let words = codes.shape.last, let groups = scales.shape.last,
      (codes.shape + [groups]).allSatisfy({ (1..<1 << 40).contains($0) })
    else { throw module.misfit(scales, "are \(describe(shape: codes.shape)) words") }
    let (bits, size, mode) = try Self.form(settings, (words, groups), isAffine: isAffine, codes)
    (groupSize, self.mode, packed) = (size, mode, PackedCodes(bits: bits))
    guard (groups * size * bits).isMultiple(of: 32), groups * size * bits / 32 == words else {
      throw module.misfit(
        scales, "have \(words) words in a row, and \(bits) bits in groups of \(size)")
    }
    shape = (codes.elementCount / words, groups * size)
  }

  /// Bits, groups and mode: what the config says, or what words and scales can be alone.
  private static func form(
    _ settings: MLXSettings, _ count: (words: Int, groups: Int), isAffine: Bool, _ codes: Tensor
  ) throws(CheckpointError) -> (bits: Int, groupSize: Int, mode: MLXSettings.Mode) {
    if isAffine {
      guard let bits = settings.bits, let size = settings.groupSize,
        settings.mode ?? .affine == .affine
      else {
        throw CheckpointError(
          .refused(
            "is quantised by mlx, and the config does not say in how many bits and groups of how many"
          ), tensor: codes.name,
          advice: "put \"\(Codec.settingsKeyOfMLX)\": {\"bits\": …, \"group_size\": …} into it")
      }
      guard [1, 2, 3, 4, 5, 6, 8].contains(bits), [32, 64, 128].contains(size) else {
        throw CheckpointError(
          .unsupported("is quantised in \(bits) bits, groups of \(size), which mlx does not have"),
          tensor: codes.name)
      }
      return (bits, size, .affine)
    }
    let inGroup = count.words * 32 / count.groups
    let fitting = MLXSettings.Mode.allCases.first { mode in
      mode.only.map { $0.bits * $0.groupSize } == inGroup
    }
    guard let mode = settings.mode ?? fitting, let only = mode.only else {
      throw CheckpointError(
        .refused("has scales of U8, which no mode of mlx has for \(inGroup) bits"),
        tensor: codes.name)
    }
    guard settings.bits ?? only.bits == only.bits,
      settings.groupSize ?? only.groupSize == only.groupSize
    else {
      throw CheckpointError(
        .refused(
          "is in \(mode.rawValue), which has \(only.bits) bits in groups of \(only.groupSize): the config says"
            + " otherwise"), tensor: codes.name)
    }
    return (only.bits, only.groupSize, mode)
  }

  func coded(_ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: shape, isTransposed: false,
      dtype: mode == .affine ? scales.dtype : .bf16)
    return CodedTensor(
      codec: codecName, stored: [codes, scales] + [biases].compactMap(\.self),
      tensor: try matrix.tensor(
        module.weight, shape: codes.shape.dropLast() + [shape.columns], codes: codes),
      codes: matrix)
  }

  private func codes(_ row: Int, _ columns: Range<Int>) throws(CheckpointError) -> [Int32] {
    packed.codes(columns, in: try codes.words(row, packed.words(of: columns)))
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let codes =
      if let code { Array(repeating: Int32(code), count: columns.count) } else {
        try self.codes(row, columns)
      }
    let groups = columns.lowerBound / groupSize..<(columns.upperBound - 1) / groupSize + 1
    let factors = try factors(row, groups)
    func group(_ index: Int) -> Int {
      (columns.lowerBound + index) / groupSize - groups.lowerBound
    }
    guard let biases else {
      let values = mode == .mxfp8 ? numbersOfE4M3 : numbersOfE2M1
      return codes.indices.map { values[Int(codes[$0])] * factors[group($0)] }
    }
    let shifts = try biases.numbers(row, groups)
    let products = scales.dtype.rounded(codes.indices.map { factors[group($0)] * Float(codes[$0]) })
    return products.indices.map { products[$0] + shifts[group($0)] }
  }

  /// The scales of groups of a row.
  private func factors(_ row: Int, _ groups: Range<Int>) throws(CheckpointError) -> [Float] {
    if mode == .affine { return try scales.numbers(row, groups) }
    let first = row * scales.shape[scales.shape.count - 1]
    let bytes = try scales.bytes(of: first + groups.lowerBound..<first + groups.upperBound)
    return bytes.map { mode == .nvfp4 ? numbersOfE4M3[Int($0)] : powerOfTwo($0) }
  }
}

extension MLXMatrix: RepeatableRows {
  var maker: String { "\(codecName) \(mode.rawValue)" }
  var programCount: Int { AffineGroup.Program.allCases.count }

  func differences(
    from numbers: [Float], _ row: Int, _ columns: Range<Int>, start: Int, program: Int
  ) throws(CheckpointError) -> RepeatedCodes {
    let groups = columns.lowerBound / groupSize..<columns.upperBound / groupSize
    let stored = AffineCodes(
      codes: try codes(row, columns), scales: try scales.numbers(row, groups),
      biases: try biases?.numbers(row, groups) ?? [], groupSize: groupSize, bits: packed.bits,
      dtype: scales.dtype)
    return stored.differences(
      from: numbers, start: start, by: AffineGroup.Program.allCases[program])
  }
}
