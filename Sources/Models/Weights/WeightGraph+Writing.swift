public import TensorCore

extension WeightGraph.Translated {
  /// Adds a number to each element, in another type if there is one, and notes how many of the sums have to
  /// be rounded, which cannot be undone.
  fileprivate mutating func add(_ number: Double, as dtype: DType?) throws(CheckpointError) {
    let type = dtype ?? tensor.dtype
    let lost = try tensor.countLost(adding: number, as: type)
    if type != tensor.dtype { summandType = tensor.dtype }
    tensor = tensor.adding(number, as: type)
    if lost == 0 { return }
    rounding =
      "\(tensor.name): \(lost) of \(tensor.elementCount) numbers plus \(number) are none of \(type)"
  }
}

extension WeightGraph.Translated {
  /// The same tensor under another name.
  fileprivate func renamed(_ name: String) -> WeightGraph.Translated {
    var copy = self
    copy.tensor = tensor.renamed(TensorName(name))
    return copy
  }

  /// Leaves out the first rows, and notes it if not all of them are zero.
  fileprivate mutating func leaveOut(firstRows rows: Int, shape: [Int]) throws(CheckpointError) {
    let count = tensor.dtype.byteCount(of: shape.reduce(1, *))
    let start = tensor.byteCount - count
    if try tensor.bytes.read(0..<start).contains(where: { $0 != 0 }) {
      let text = rows == 1 ? "the first row" : "the first \(rows) rows"
      omission = "\(tensor.name): \(text), which only padding has"
    }
    tensor = Tensor(
      name: tensor.name, dtype: tensor.dtype, shape: shape,
      bytes: ByteRange(of: tensor.bytes, start: start, count: count))
  }

  /// Puts rows of zeros among the others.
  ///
  /// - Throws: `CheckpointError` if that are too many bytes to count.
  fileprivate mutating func insert(zeroRows rows: Range<Int>, shape: [Int]) throws(CheckpointError)
  {
    let row = shape.dropFirst().reduce(tensor.dtype.byteCount(of: 1), *)
    let (start, count) = (rows.lowerBound * row, tensor.byteCount)
    let parts: [any TensorBytes] = [
      ByteRange(of: tensor.bytes, start: 0, count: start), ZeroBytes(count: rows.count * row),
      ByteRange(of: tensor.bytes, start: start, count: count - start),
    ]
    guard let joined = JoinedBytes(parts.filter { $0.count > 0 }) else {
      throw CheckpointError(.overflow("the size with zeros more"), tensor: tensor.name)
    }
    tensor = Tensor(name: tensor.name, dtype: tensor.dtype, shape: shape, bytes: joined)
  }

  /// Leaves out what stands behind the elements of a shape, which must be zero.
  ///
  /// - Returns: what is wrong if it is not.
  fileprivate mutating func endBeforeZeros(shape: [Int]) throws(CheckpointError) -> String? {
    let count = tensor.dtype.byteCount(of: shape.reduce(1, *))
    let rest = try tensor.bytes.read(count..<tensor.byteCount)
    guard rest.allSatisfy({ $0 == 0 }) else {
      return
        "\(tensor.name): the last of \(describe(shape: tensor.shape)) is not stored there, and not zero"
    }
    tensor = Tensor(
      name: tensor.name, dtype: tensor.dtype, shape: shape,
      bytes: ByteRange(of: tensor.bytes, start: 0, count: count))
    return nil
  }
}

extension WeightGraph {
  /// A tensor of another dialect, and where its parts come from.
  public struct Translated: Sendable {
    /// A weight on its way.
    public struct Part: Sendable {
      /// The tensor that stores it now.
      public let source: TensorName
      /// How it is laid out there, in words; empty if as it is.
      public let sourceLayout: String
      /// The weight.
      public let path: String
      /// Whether it is in the source, and not made because the source leaves it out.
      public let isStored: Bool
    }

    /// The tensor, gathered when read.
    public fileprivate(set) var tensor: Tensor
    /// How its weights are laid out in it, in words; empty if as they are.
    public let layout: String
    /// The weights.
    public let parts: [Part]
    /// What had to be rounded, if something had: "NAME: 3 of 24 numbers plus 1.0 are none of F32".
    public fileprivate(set) var rounding: String?
    /// The type that its elements had before a number was added to them, if that was another one.
    public fileprivate(set) var summandType: DType?
    /// What had to be left out, if it is not zero: "NAME: the first 2 rows, which only padding has".
    public fileprivate(set) var omission: String?
  }

  /// The checkpoint's weights as another dialect stores them, in the order of the computation.
  ///
  /// Nothing is read before a tensor's bytes are asked for, and values are never changed; but where the
  /// dialect adds a number to weights, they are read now, and must come back exactly, unless loss is allowed.
  ///
  /// - Parameters:
  ///   - name: the dialect's name.
  ///   - dtype: what will be written, if not the weights' own types: numbers are added in this one.
  ///   - container: what it will be written in, if numbers may be added in the type that the dialect's own
  ///     program wants there.
  ///   - allowsLoss: whether sums may be rounded; each tensor says which were.
  /// - Throws: `CheckpointError`: unsupported if there is no such dialect for the architecture,
  ///   refused with every fault if a weight has no place in it.
  public func translated(
    to name: String, as dtype: DType? = nil, in container: String? = nil, allowsLoss: Bool = false
  ) throws(CheckpointError) -> [Translated] {
    let dialect = try writtenDialect(
      named: name, of: type(of: architecture).name, among: families
    ).filled(for: config)
    let forms = StoredForms(dialect, slots: ownSlots, dimensions: architecture.dimensions)
    var faults = forms.conflicts.map { "impossible   \($0)" }
    for (path, reason) in forms.homeless where ties[path] == nil {
      if isComputed(path) {
        if !allowsLoss, let dtype = placement(at: path)?.stored.dtype,
          dtype == .f16 || dtype == .bf16
        {
          faults.append("not exact    \(path): is computed there, and stored as \(dtype) rounds it")
        }
        continue
      }
      if dialect.omissible?.paths.contains(path) == true, try isZero(path) { continue }
      faults.append("no place     \(path): \(reason)")
    }
    var result: [Translated] = []
    for form in forms.forms where isWritten(form) {
      var whole: Translated
      do throws(Arrangement.Misfit) {
        whole = try translated(form, dialect)
      } catch {
        faults.append("impossible   \(form.name): \(error.reason)")
        continue
      }
      let layout = form.forms[0]
      if layout.axisWithoutLast != nil,
        let fault = try whole.endBeforeZeros(shape: layout.storedShape)
      {
        faults.append("no place     \(fault)")
      }
      if layout.rowsWithoutFirst > 0 {
        try whole.leaveOut(firstRows: layout.rowsWithoutFirst, shape: layout.storedShape)
      }
      if let zeros = layout.zeros { try whole.insert(zeroRows: zeros, shape: layout.storedShape) }
      if !allowsLoss, let omission = whole.omission {
        faults.append("not exact    \(omission), have no place there, and are not zero")
      }
      if layout.addend != 0 {
        let (name, rank) = (whole.tensor.name, whole.tensor.shape.count)
        let isSingle = container.map { dialect.isSingle(name, rank: rank, in: $0) } ?? false
        try whole.add(layout.addend, as: isSingle ? .f32 : dtype)
        if !allowsLoss, let rounding = whole.rounding { faults.append("not exact    \(rounding)") }
      }
      result.append(whole)
      guard form.rule.writesCopies else { continue }
      result += form.copies.map { whole.renamed(dialect.writtenName($0, head: architecture.head)) }
    }
    guard faults.isEmpty else {
      let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
      throw CheckpointError(
        .refused("the model does not fit the dialect \(dialect.fullName): \(count)"),
        advice: faults.allSatisfy { $0.hasPrefix("not exact") }
          ? "--allow-lossy writes it all the same, as the ecosystem's own converter does" : nil,
        details: faults)
    }
    return result
  }

  /// The config.json that goes with the model: the config, with what Hugging Face needs to know to
  /// load it if that is missing.
  public var completedConfig: JSONValue {
    var members = config.members ?? []
    let name = type(of: architecture).name
    if config["architectures"] == nil {
      members.insert(JSONValue.Member("architectures", [.string(architecture.head)]), at: 0)
    }
    if config["model_type"] == nil { members.append(JSONValue.Member("model_type", .string(name))) }
    return .object(members)
  }

  /// Whether a dialect is the usual one, with whose names a config.json and a tokenizer.json go.
  public func isUsual(_ dialect: String) -> Bool {
    families.dialects(of: type(of: architecture).name).first?.name == dialect
  }

  /// What a dialect's own program reads, if it does not read a container: "llama.cpp reads GGUF files".
  public func foreignFiles(of dialect: String, in container: String) -> String? {
    let dialects = families.dialects(of: type(of: architecture).name)
    guard
      let own = dialects.first(where: { $0.name == dialect || $0.fullName == dialect })?.ownFiles,
      own.container != container
    else { return nil }
    return
      "\(own.program) reads \(own.files), and not this one; its names and layout are \(dialect)'s"
  }

  /// What a dialect's own program wants the file with the weights in a folder to be called, if it matters.
  public func fileName(of dialect: String, in container: String) -> String? {
    written(dialect)?.fileNames[container]
  }

  /// The config file of a dialect's own ecosystem, and what is in it, if it has one.
  public func nativeConfig(of dialect: String) -> (fileName: String, content: JSONValue)? {
    guard let native = written(dialect)?.nativeConfig, case .file(let name) = native.place,
      let content = native.native(config)
    else { return nil }
    return (name, content)
  }

  /// What a container of the dialect's own ecosystem says of the model beside the tensors, if the dialect has
  /// words for it; `nil` too if the container is another one.
  public func values(of dialect: String, in container: String) -> JSONValue? {
    guard let native = written(dialect)?.nativeConfig, native.place == .container(container)
    else { return nil }
    return native.native(config)
  }

  /// The tensors that such a container holds beside the weights: numbers that follow from the config.
  public func tensors(of dialect: String, in container: String) -> [Tensor] {
    guard let native = written(dialect)?.nativeConfig, native.place == .container(container)
    else { return [] }
    return native.tensors(config)
  }

  /// Whether a dialect's own program wants a tensor in single precision in its own container, whatever type the
  /// others have.
  public func isSingle(_ tensor: Tensor, of dialect: String, in container: String) -> Bool {
    written(dialect)?.isSingle(tensor.name, rank: tensor.shape.count, in: container) ?? false
  }

  /// Whether all elements of a weight are zero.
  private func isZero(_ path: String) throws(CheckpointError) -> Bool {
    guard let slot = slots.first(where: { $0.path == path }),
      let bytes = placement(at: path)?.weight(shape: slot.shape).bytes
    else { return false }
    for start in stride(from: 0, to: bytes.count, by: 1 << 20) {
      let piece = try bytes.read(start..<min(start + 1 << 20, bytes.count))
      if piece.contains(where: { $0 != 0 }) { return false }
    }
    return true
  }

  /// Whether a formula gives the weight, and so whoever reads it.
  private func isComputed(_ path: String) -> Bool {
    guard case .computed? = slots.first(where: { $0.path == path })?.origin else { return false }
    return true
  }

  private func written(_ dialect: String) -> Dialect? {
    families.dialects(of: type(of: architecture).name)
      .first { $0.name == dialect || $0.fullName == dialect }
  }

  /// Whether a tensor is written although its weights are tied.
  private func isWritten(_ form: StoredForm) -> Bool {
    guard form.paths.allSatisfy({ ties[$0] != nil }) else { return true }
    switch form.rule.writesTie {
    case .never: return false
    case .always: return true
    case .unlessTied(let path): return ties[path] == nil
    }
  }

  /// The bytes of a stored tensor of which each weight has the place that it is to have.
  private func unmoved(_ form: StoredForm) -> (any TensorBytes)? {
    let placements = form.forms[0].pieces.map { (placement(at: $0.path), $0.piece) }
    guard let stored = placements.first?.0?.stored, stored.shape == form.forms[0].shape,
      placements.allSatisfy({ $0.0?.stored.name == stored.name && $0.0?.piece == $0.1 })
    else { return nil }
    return stored.bytes
  }

  private func translated(
    _ form: StoredForm, _ dialect: Dialect
  ) throws(Arrangement.Misfit) -> Translated {
    var moves: [GatheredBytes.Part] = []
    var parts: [Translated.Part] = []
    var dtypes: Set<DType> = []
    for (path, piece) in form.forms[0].pieces {
      guard let placement = placement(at: path) else {
        throw Arrangement.Misfit(reason: "\(path) is not there")
      }
      guard let move = Move(from: placement.piece, to: piece) else {
        throw Arrangement.Misfit(reason: "\(path) is divided in ways that do not match")
      }
      dtypes.insert(placement.stored.dtype)
      moves.append(GatheredBytes.Part(source: placement.stored.bytes, move: move))
      parts.append(
        Translated.Part(
          source: placement.stored.name, sourceLayout: placement.layout, path: path,
          isStored: placement.isStored))
    }
    guard let dtype = dtypes.first, dtypes.count == 1 else {
      let names = dtypes.map(\.name).sorted().joined(separator: " and ")
      throw Arrangement.Misfit(reason: "its parts have different types: \(names)")
    }
    let shape = form.forms[0].shape
    let tensor = Tensor(
      name: TensorName(dialect.writtenName(form.name, head: architecture.head)),
      dtype: dtype, shape: shape,
      bytes: unmoved(form) ?? GatheredBytes.from(moves, dtype, count: shape.reduce(1, *)))
    return Translated(tensor: tensor, layout: form.forms[0].text, parts: parts)
  }
}
