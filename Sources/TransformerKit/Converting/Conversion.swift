public import Codecs
public import Containers
public import Models
public import SystemPackage
public import TensorCore

/// Moves a checkpoint to another container, or to another dialect, tensor by tensor in bounded memory.
public struct Conversion: Sendable {
  /// What to write, and where.
  public struct Target: Sendable {
    /// A file or a folder.
    public var destination: FilePath
    /// Whether it is a folder.
    public var isFolder: Bool
    /// The container, instead of what the destination's extension says.
    public var format: ContainerFormat?
    /// The dialect; without one, names and layout stay.
    public var dialect: String?
    /// Whether a dialect may be written whose own code computes something else than the model.
    public var allowsMismatch: Bool
    /// The type of the floating-point tensors; without one, it stays.
    public var dtype: DType?
    /// Whether plain numbers are written of what codecs decode.
    public var dequantizes: Bool
    /// Whether the cast, or a number that the dialect adds, may lose something.
    public var allowsLoss: Bool
    /// Whether source and target are compared before the target gets its name.
    public var isVerified: Bool
    /// Where to write the certificate of the comparison, if one is wanted.
    public var certificate: FilePath?
    /// The version of the commands, for the certificate.
    public var toolVersion: String
    /// Whether an existing target may be replaced.
    public var overwrite: Bool
    /// The most bytes a file of a folder has, if it can be helped.
    public var maxShardSize: Int?
    /// Whether whole files of a folder outlive an interruption, for the next such run to go on.
    public var isResumable: Bool
    /// The most memory that the process may take, in bytes.
    public var memory: Int?
    /// How a TFZ file is compressed.
    public var compression: TFZ.Options
    /// Whether a GGUF file's numbers have the most significant byte first.
    public var isBigEndian: Bool
    /// Whether what a cast does is found out only when parts of the target are written.
    public var defersLedgers: Bool

    /// Says what to write. A certificate implies that source and target are compared.
    public init(
      _ destination: FilePath, isFolder: Bool = false, format: ContainerFormat? = nil,
      dialect: String? = nil, allowsMismatch: Bool = false, dtype: DType? = nil,
      dequantizes: Bool = false, allowsLoss: Bool = false, isVerified: Bool = false,
      certificate: FilePath? = nil, toolVersion: String = "",
      overwrite: Bool = false, maxShardSize: Int? = nil, isResumable: Bool = false,
      memory: Int? = nil, compression: TFZ.Options = TFZ.Options(), isBigEndian: Bool = false,
      defersLedgers: Bool = false
    ) {
      self.destination = destination
      self.isFolder = isFolder
      self.format = format
      self.dialect = dialect
      self.allowsMismatch = allowsMismatch
      self.dtype = dtype
      self.dequantizes = dequantizes
      self.allowsLoss = allowsLoss
      self.isVerified = isVerified || certificate != nil
      self.certificate = certificate
      self.toolVersion = toolVersion
      self.overwrite = overwrite
      self.maxShardSize = maxShardSize
      self.isResumable = isResumable
      self.memory = memory
      self.compression = compression
      self.isBigEndian = isBigEndian
      self.defersLedgers = defersLedgers
    }
  }

  /// The source.
  public let source: Checkpoint
  /// The source as a model, if the conversion goes through the weight graph.
  public let model: Model?
  /// Where every tensor comes from, if the conversion goes through the weight graph.
  public let translation: [WeightGraph.Translated]
  /// The dialect of the target, if the conversion goes through the weight graph.
  public let dialect: String?
  /// The adapters that were merged into the source, if there were some.
  public let merge: Merge?
  /// The container of the target.
  public var format: ContainerFormat { writer.format }

  /// The most memory that the process takes for it, in bytes, the comparison included.
  public let peakMemory: Int

  /// The tensors that are coded in the source; none if nobody looked, since they stay as they are.
  public let coded: [CodedTensor]
  /// How many weights stay, where plain numbers are wanted, the numbers that they are computed of.
  public let computedCount: Int

  /// Floating-point tensors that a cast leaves as they are, since they have eight bits or less.
  public let uncast: [Tensor]

  /// What the cast does to each tensor that is cast.
  public let casts: [CastLedger]

  /// What the target dialect's own code computes otherwise than the model, a line each.
  public let mismatches: [String]

  /// What cast and decoding change in config.json.
  public var configChanges: [ConfigChange] {
    let keys = isDequantized && !coded.isEmpty ? Codec.settingsKeys : []
    let coding = keys.compactMap { key in
      source.config?.value[key].map { ConfigChange(key: key, from: $0.text(), to: nil) }
    }
    return coding + (castConfig?.changes ?? [])
  }

  let target: Target
  let options: OpenOptions
  let writer: CheckpointWriter
  /// What lies in the source's folder beside what is converted.
  let surroundings: Surroundings
  /// Whether files are written of the tokenizer inside of the source.
  let isTokenizerWritten: Bool
  /// Why none are, if that was tried.
  let tokenizerObstacle: String?
  /// What the target holds beside the tensors, if its container can.
  let belongings: Belongings
  /// What is written, cast.
  let tensors: [Tensor]
  /// The same before casting.
  let uncastTensors: [Tensor]
  /// The source as a model, if it is to be compared.
  let original: Model?

  /// The tensors of which sums had to be rounded where the dialect adds a number, a line each.
  public var roundings: [String] { translation.compactMap(\.rounding) }
  /// What the target has no place for, and what only padding needs.
  public var omissions: [String] { translation.compactMap(\.omission) }

  /// Whether plain numbers are written of what is coded.
  public var isDequantized: Bool { target.dequantizes }

  /// Prepares a conversion; nothing is written.
  ///
  /// - Parameters:
  ///   - source: an opened checkpoint. Without a dialect, of any model.
  ///   - target: what to write.
  ///   - options: how to understand the source.
  ///   - merge: what made the source of a base and adapters, if something did.
  /// - Throws: `CheckpointError` if the extension is not known, the source is not understood, or a
  ///   weight has no place in the dialect.
  public init(
    _ source: Checkpoint, to target: Target, options: OpenOptions = OpenOptions(),
    merge: Merge? = nil
  ) throws(CheckpointError) {
    self.source = source
    self.merge = merge
    self.target = target
    dialect = target.dialect
    let format = try target.container
    if let dtype = target.dtype, dtype.isBlock, !format.holdsBlocks {
      throw CheckpointError(
        .refused("\(format.name) cannot hold blocks of \(dtype)"),
        file: displayed(target.destination), advice: "GGUF can: a target that ends in .gguf")
    }
    var options = options
    // A file has no place for modules: what is in it is the model under them.
    options.readsModules = target.isFolder || format.holdsFiles
    self.options = options
    var tensors = source.tensors.tensors
    if let dialect = target.dialect {
      let model = try Model(source, options: options)
      try model.checkNothingIsExtra(options)
      self.model = model
      do {
        translation = try model.graph.translation(to: dialect, target, in: format)
        mismatches = try model.graph.checkedMismatches(with: dialect, target)
      } catch {
        throw error.inFile(displayed(source.path))
      }
      tensors = try tensorsToWrite(translation, of: model, target)
      let names = Set(tensors.map(\.name))
      coded = model.plain.coded.filter {
        !target.dequantizes || !$0.isComputed || !names.contains($0.stored[0].name)
      }
      computedCount = model.plain.coded.count - coded.count
      tensors += model.graph.tensors(of: dialect, in: format.name).filter {
        !names.contains($0.name)
      }
    } else {
      model = nil
      translation = []
      mismatches = []
      (tensors, coded, computedCount) = try tensorsToWrite(
        source, target, options.recognition.families)
    }
    if tensors.isEmpty, source.otherCount > 0 {
      throw CheckpointError(
        .malformed("has no tensor in it: there is nothing to convert"),
        file: displayed(source.path))
    }
    if target.certificate != nil, !options.readsModules { try source.checkHasNoModules() }
    original = target.isVerified ? try comparable(source, model, options) : nil
    if target.certificate != nil { try original?.checkCanBeCertified() }
    let types = TargetTypes(target, of: model, in: format)
    let written = types.changesNothing ? tensors : tensors.map { types.applied(to: $0) }
    self.tensors = written
    uncastTensors = tensors
    uncast = target.dtype == nil ? [] : tensors.filter(\.staysUncast)
    do {
      let comparison = original.map {
        VerificationMemory(verifying: $0.graph, in: format, written)
      }
      peakMemory = try MemoryUse.keep(target.memory) {
        max(MemoryUse.peak(of: written, from: source, to: format), comparison?.peak ?? 0)
      }
    } catch {
      throw error.inFile(displayed(source.path))
    }
    casts =
      target.defersLedgers
      ? []
      : try ledgers(of: tensors, types, target, file: displayed(source.path))
        + translation.compactMap(\.castBeforeSum)
    var surroundings = try source.surroundings(to: target, format)
    if merge != nil { surroundings.leaveOutAdapter() }
    self.surroundings = surroundings
    let tokenizer = source.tokenizer(
      for: target, of: model, in: format, beside: surroundings.companions)
    (isTokenizerWritten, tokenizerObstacle) = (tokenizer?.files != nil, tokenizer?.obstacle)
    belongings = try source.belongings(
      for: target, of: model, in: format, written, beside: surroundings.companions)
    var writer = CheckpointWriter(
      destination: target.destination, format: format,
      isFolder: target.isFolder, overwrite: target.overwrite, maxShardSize: target.maxShardSize,
      weightsName: model.flatMap { model in
        target.dialect.flatMap { model.graph.fileName(of: $0, in: format.name) }
      },
      keepsOrder: source.keepsOrder && target.dialect == nil, isResumable: target.isResumable,
      sources: (target.isFolder ? source.ownFiles : source.allFiles)
        + (merge?.adapters.flatMap(\.checkpoint.allFiles) ?? []),
      belongings: belongings,
      extraFiles: nativeConfig(of: model, target) + (tokenizer?.extraFiles ?? []))
    if target.dialect == nil, coded.isEmpty {
      writer.indexFacts = CheckpointWriter.IndexFacts(of: source)
    }
    self.writer = writer
  }

  /// What would be written.
  ///
  /// - Throws: `CheckpointError` if it cannot, or must not, be written.
  public func plan() throws(CheckpointError) -> WritePlan {
    let plan = try writer.plan(
      tensors: tensors, metadata: source.metadata, config: config,
      companions: surroundings.companions)
    try certificate?.check(plan)
    return plan
  }

  /// Writes the target.
  ///
  /// - Parameters:
  ///   - plan: what `plan()` says, if it was asked already.
  ///   - resumeKey: what `resumeKey` says, for a resumable target that goes on where an earlier run has ended.
  ///   - progress: hears how many bytes have been written so far.
  /// - Throws: `CheckpointError`; then nothing is left behind, unless the target is resumable.
  @discardableResult
  public func run(
    _ plan: WritePlan? = nil, resumeKey: String? = nil, progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) -> Outcome {
    var writer = writer
    writer.resumeKey = resumeKey
    let plan = if let plan { plan } else { try self.plan() }
    var outcome = Outcome()
    outcome.resumed = try writer.write(plan, progress: progress) {
      written throws(CheckpointError) in try verify(written, &outcome)
    }
    // Only now there is a target for it to be about.
    if let certificate, let text = outcome.certificate { try certificate.write(text) }
    return outcome
  }

  /// Whether the source has modules on its hidden states for which the target has no place.
  public var leavesModulesOut: Bool {
    !options.readsModules && !((try? source.modules()) ?? []).isEmpty
  }

  /// The bytes of config.json, following the cast.
  private var config: [UInt8]? { castConfig?.bytes ?? plainConfig }

  private var castConfig: CastConfig? {
    guard let dtype = target.dtype ?? decodedType, let plainConfig else { return nil }
    return CastConfig(plainConfig, castTo: dtype)
  }

  /// What a config should say of plain numbers that were decoded: the type that holds all that is written.
  private var decodedType: DType? {
    guard isDequantized, !coded.isEmpty else { return nil }
    return tensors.contains { $0.dtype == .f64 } ? .f64 : .f32
  }

  /// The bytes of config.json, which does not say how weights are coded that are written as plain numbers.
  private var plainConfig: [UInt8]? {
    guard isDequantized, !coded.isEmpty, let usualConfig else { return usualConfig }
    return TransformerKit.plainConfig(usualConfig)
  }

  /// The bytes of config.json: the source's own, unless they are another ecosystem's, or the model is written as
  /// another class than they say.
  private var usualConfig: [UInt8]? {
    guard let graph = model?.graph, let own = source.config else { return source.config?.bytes }
    let isOfClass = own.value["architectures"] == graph.config["architectures"]
    if own.value["model_type"] != nil, isOfClass || options.recognition.className == nil {
      return own.bytes
    }
    return Array((graph.completedConfig.text(pretty: true) + "\n").utf8)
  }
}

/// The source as a model: what cannot be compared must not be written only to find that out.
private func comparable(
  _ source: Checkpoint, _ model: Model?, _ options: OpenOptions
) throws(CheckpointError) -> Model {
  if let model { return model }
  do {
    return try Model(source, options: options)
  } catch  where error.category == .unsupported {
    var error = error
    error.advice = "only a model that can be run is verified or certified; leave out both"
    throw error
  }
}

/// What a cast does, refused if it loses something and may not.
private func ledgers(
  of tensors: [Tensor], _ types: TargetTypes, _ target: Conversion.Target, file: String
) throws(CheckpointError) -> [CastLedger] {
  var ledgers: [CastLedger] = []
  for tensor in tensors {
    guard let dtype = types.type(of: tensor) else { continue }
    if let ledger = try tensor.ledger(ofCastTo: dtype) { ledgers.append(ledger) }
  }
  try target.checkLoss(ledgers, file: file)
  return ledgers
}

extension Conversion.Target {
  /// Refuses what a cast does if it loses something and may not.
  func checkLoss(_ ledgers: [CastLedger], file: String) throws(CheckpointError) {
    let lossy = ledgers.filter(\.isLossy)
    guard let dtype = lossy.first?.to, !allowsLoss else { return }
    throw CheckpointError(
      .refused("casting to \(self.dtype ?? dtype) changes values of \(lossy.count) tensors"),
      file: file,
      advice: "--allow-lossy does it all the same, and counts what it does")
  }
}

extension WeightGraph.Translated {
  /// What became of the elements before a number was added to them in a wider type.
  fileprivate var castBeforeSum: CastLedger? {
    guard let summandType, rounding == nil else { return nil }
    return CastLedger(
      name: tensor.name, from: summandType, to: tensor.dtype,
      loss: RoundingLoss(
        count: tensor.elementCount, rounded: 0, overflowed: 0, becameSubnormal: 0, becameZero: 0,
        nan: 0, largestRelativeError: 0))
  }
}

extension WeightGraph {
  /// The weights as the target's dialect has them; what is refused is all that does not fit, what the dialect's own
  /// code would compute otherwise included.
  fileprivate func translation(
    to dialect: String, _ target: Conversion.Target, in format: ContainerFormat
  ) throws(CheckpointError) -> [Translated] {
    do {
      return try translated(
        to: dialect, as: target.dtype, in: format.name, allowsLoss: target.allowsLoss)
    } catch {
      let mismatches = target.allowsMismatch ? [] : inexpressible(in: dialect)
      guard error.category == .refused, !mismatches.isEmpty else { throw error }
      var error = error
      error.details += mismatches.map { "otherwise    \($0)" }
      error.advice = error.advice.map { $0 + "; " + Self.mismatchAdvice }
      throw error
    }
  }

  private static let mismatchAdvice = "--allow-mismatch writes what that code computes otherwise"

  /// What a dialect's own code computes otherwise than the model, refused unless it may.
  fileprivate func checkedMismatches(
    with dialect: String, _ target: Conversion.Target
  ) throws(CheckpointError) -> [String] {
    let mismatches = inexpressible(in: dialect)
    guard mismatches.isEmpty || target.allowsMismatch else {
      throw CheckpointError(
        .refused("the code of \(dialect) would compute something else with these weights"),
        advice: "--allow-mismatch writes them all the same", details: mismatches)
    }
    return mismatches
  }
}

/// The config file that the target dialect's own ecosystem reads.
private func nativeConfig(
  of model: Model?, _ target: Conversion.Target
) -> [CheckpointWriter.ExtraFile] {
  guard let graph = model?.graph, let dialect = target.dialect,
    let (name, content) = graph.nativeConfig(of: dialect)
  else { return [] }
  let text = name.hasSuffix(".yaml") ? content.yamlDocument : content.text(pretty: true) + "\n"
  return [CheckpointWriter.ExtraFile(name, bytes: Array(text.utf8))]
}

extension Conversion.Target {
  /// The container that was asked for, or that the extension names; of a folder, safetensors.
  ///
  /// - Throws: `CheckpointError` if the extension is that of none.
  public var container: ContainerFormat {
    get throws(CheckpointError) {
      let found = try namedContainer
      switch found {
      case .tfz: return .tfz(compression)
      case .gguf: return .gguf(isBigEndian: isBigEndian)
      default: return found
      }
    }
  }

  private var namedContainer: ContainerFormat {
    get throws(CheckpointError) {
      if let format { return format }
      if isFolder { return .safetensors }
      do {
        // What has no extension is a folder.
        return try ContainerFormat.written(at: destination) ?? .safetensors
      } catch {
        var error = error
        error.advice = error.advice ?? "pass --to FORMAT, or end the path with / for a folder"
        throw error
      }
    }
  }
}
