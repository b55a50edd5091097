import TensorCore

extension Codec {
  /// Integers of 4 bits with scales and zero points of groups of inputs, as AutoAWQ stores them. `gemm`: `X.qweight` I32
  /// `[in, out / 8]`, `X.qzeros` I32 `[groups, out / 8]`, of which each word holds columns 0, 2, 4, 6, 1, 3, 5, 7 from the
  /// lowest bits on, and `X.scales` F16, BF16 or F32 `[groups, out]`. `gemv`: `X.qweight` I32 `[out, in / 8]`, `X.qzeros` I32
  /// `[out, words]` and `X.scales` `[out, 8 · words]`, in order, filled up with what is no group. The weight `[out, in]` is
  /// `scale · (code − zero)`, rounded once to the scales' type.
  ///
  /// Source: Lin et al., arXiv 2306.00978; AutoAWQ 0.2.9 (`WQLinear_GEMM`, `WQLinear_GEMV`, `dequantize_gemm`).
  public static let awq = Codec(
    name: codecName, configKeys: [settingsKey]
  ) { table, config throws(CheckpointError) in
    let settings = config?["quantization_config"]
    if let method = settings?["quant_method"]?.string, method != "awq" { return [] }
    return try table.groups(of: codecName, parts: ["qweight"]) {
      codes, _, module throws(CheckpointError) in
      guard settings?["quant_method"] != nil || module["g_idx"] == nil else { return nil }
      return try AWQMatrix(codes, module, settings).coded(codes, module)
    }
  }
}

private let codecName = "awq"
private let codesPerWord = 8
/// Where in a word each of eight columns stands.
private let lanes: [Int] = [0, 4, 1, 5, 2, 6, 3, 7]

private struct AWQMatrix: CodeRows {
  let codes: Tensor
  let scales: Tensor
  let zeros: Tensor
  let inputs: Int
  let outputs: Int
  let groupSize: Int
  /// Whether a row is that of an output, and its codes are in order.
  let isByOutput: Bool

  var codeCount: Int { 16 }
  var isEven: Bool { true }

  init(
    _ codes: Tensor, _ module: StoredModule, _ settings: JSONValue?
  ) throws(CheckpointError) {
    scales = try module.required("scales", beside: codes)
    zeros = try module.required("qzeros", beside: codes)
    self.codes = codes
    isByOutput = try Self.isByOutput(settings, codes)
    try module.require(codes, [.i32])
    try module.require(zeros, [.i32])
    try module.require(scales, [.f16, .bf16, .f32])
    guard codes.shape.count == 2, scales.shape.count == 2, zeros.shape.count == 2,
      [codes, scales, zeros].allSatisfy({ $0.shape.allSatisfy { (1..<1 << 56).contains($0) } })
    else { throw module.misfit(codes, "are \(describe(shape: scales.shape)) scales") }
    let width = codes.shape[1] * codesPerWord
    (inputs, outputs) = isByOutput ? (width, codes.shape[0]) : (codes.shape[0], width)
    try module.require(
      zeros, shape: [scales.shape[0], isByOutput ? zeros.shape[1] : codes.shape[1]])
    let declared = try settings.wholeNumber("group_size", or: "q_group_size") ?? 0
    if isByOutput {
      try module.require(scales, shape: [outputs, zeros.shape[1] * codesPerWord])
      groupSize = declared > 0 ? declared : declared == -1 ? inputs : 0
      guard groupSize > 0, inputs.isMultiple(of: groupSize), inputs / groupSize <= scales.shape[1]
      else {
        throw module.misfit(scales, "have \(inputs) inputs, in groups of \(declared)")
      }
    } else {
      try module.require(scales, shape: [scales.shape[0], outputs])
      groupSize = inputs / scales.shape[0]
      guard inputs == groupSize * scales.shape[0], declared <= 0 || declared == groupSize else {
        throw module.misfit(scales, "have \(inputs) inputs, in groups of \(declared)")
      }
    }
  }

  /// Whether codes lie in the order of `gemv`.
  private static func isByOutput(_ settings: JSONValue?, _ codes: Tensor) throws(CheckpointError)
    -> Bool
  {
    let bits = try settings.wholeNumber("bits", or: "w_bit") ?? 4
    let named = settings?["version"]?.string ?? settings?["format"]?.string ?? "gemm"
    let layout = String(named.map { Character($0.lowercased()) })
    guard bits == 4, ["gemm", "gemv", "exllama"].contains(layout) else {
      throw CheckpointError(
        .unsupported(
          "AWQ in \(bits) bits for \(layout) is not decoded, 4 bits for gemm and gemv are"),
        tensor: codes.name)
    }
    return layout == "gemv"
  }

  func coded(_ codes: Tensor, _ module: StoredModule) throws(CheckpointError) -> CodedTensor {
    let matrix = CodeMatrix(
      rows: self, shape: isByOutput ? (outputs, inputs) : (inputs, outputs),
      isTransposed: !isByOutput,
      dtype: scales.dtype)
    return CodedTensor(
      codec: codecName, stored: [codes, zeros, scales],
      tensor: try matrix.tensor(module.weight, codes: codes), codes: matrix)
  }

  func numbers(
    of row: Int, _ columns: Range<Int>, code: Int?
  ) throws(CheckpointError) -> [Float] {
    let codes =
      if let code { Array(repeating: Int32(code), count: columns.count) } else {
        try fields(of: self.codes, row, columns)
      }
    if !isByOutput {
      let group = row / groupSize
      let factors = try scales.numbers(group, columns)
      let zeros = try fields(of: zeros, group, columns)
      return codes.indices.map { factors[$0] * Float(codes[$0] - zeros[$0]) }
    }
    let groups = columns.lowerBound / groupSize..<(columns.upperBound - 1) / groupSize + 1
    let factors = try scales.numbers(row, groups)
    let zeros = try fields(of: zeros, row, groups)
    return columns.map { column in
      let group = column / groupSize - groups.lowerBound
      return factors[group] * Float(codes[column - columns.lowerBound] - zeros[group])
    }
  }

  /// The codes of columns, or zero points.
  private func fields(
    of tensor: Tensor, _ row: Int, _ columns: Range<Int>
  ) throws(CheckpointError) -> [Int32] {
    let first = columns.lowerBound / codesPerWord
    let words = try tensor.words(row, first..<(columns.upperBound - 1) / codesPerWord + 1)
    return columns.map { column in
      let place = column % codesPerWord
      let lane = isByOutput ? place : lanes[place]
      return Int32(words[column / codesPerWord - first] >> UInt32(4 * lane) & 15)
    }
  }
}
