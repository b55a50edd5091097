public import Containers
public import SystemPackage
public import TensorCore

/// What PEFT has trained for a base model: small matrices whose products change its weights, and weights that take
/// the place of its own.
public struct Adapter: Sendable {
  /// A weight of the base that a product changes: W + scale · B · A.
  public struct Module: Sendable {
    /// The path of the base's module, as transformers has it.
    public let path: String
    /// `[rank, inputs]`; of an embedding `[rank, words]`
    public let a: Tensor
    /// `[outputs, rank]`
    public let b: Tensor
    /// The lengths that the rows of the outputs get, `[outputs]` or `[1, outputs]` (DoRA).
    public let magnitude: Tensor?
    /// What is added to the base's bias, times the scale: `[outputs]`.
    public let bias: Tensor?
    /// Whether the base's weight is one of words.
    public let isEmbedding: Bool
    /// α/r, or α/√r.
    public let scale: Double

    /// The number of columns of B and rows of A.
    public var rank: Int { b.shape[1] }
    var inputs: Int { a.shape[1] }
    var outputs: Int { b.shape[0] }
  }

  /// Something that is wrong with it.
  public struct Fault: Sendable, Equatable {
    /// The tensor, if it is one's.
    public let tensor: TensorName?
    /// What is wrong.
    public let text: String
  }

  /// What the user named.
  public let path: FilePath
  /// Its tensors.
  public let checkpoint: Checkpoint
  /// How it was made.
  public let config: AdapterConfig
  /// The weights that products change, in the order of the file.
  public private(set) var modules: [Module] = []
  /// Weights in the place of the base's, by the base's names.
  public private(set) var saved: [Tensor] = []
  /// What is wrong.
  public private(set) var faults: [Fault] = []

  /// Opens a folder that PEFT has written, or the file with the tensors in it.
  ///
  /// - Throws: `CheckpointError` if there is no adapter, or its config says what cannot be.
  public init(_ path: FilePath) throws(CheckpointError) {
    let usual = ["adapter_model.safetensors", "adapter_model.bin"]
      .map { path.appending($0) }.first { $0.status != nil }
    try self.init(Checkpoint.open(usual ?? path), named: path)
  }

  /// Understands an opened checkpoint.
  ///
  /// - Throws: `CheckpointError` if it is no adapter, or its config says what cannot be.
  public init(
    _ checkpoint: Checkpoint, named path: FilePath? = nil
  ) throws(CheckpointError) {
    self.path = path ?? checkpoint.path
    self.checkpoint = checkpoint
    guard case .adapter? = checkpoint.part, let file = checkpoint.files.first else {
      throw CheckpointError(
        .unsupported("is no adapter: its tensors are not named as PEFT names them"),
        file: displayed(checkpoint.path))
    }
    config = try AdapterConfig(file.removingLastComponent().appending("adapter_config.json"))
    guard config.isLoRA else { return }
    do {
      try read()
    } catch {
      throw error.inFile(displayed(config.file.path))
    }
  }

  /// Finds the modules.
  private mutating func read() throws(CheckpointError) {
    var parts: [String: [AdapterName.Part: Tensor]] = [:]
    var order: [String] = []
    var names: Set<String> = []
    for tensor in checkpoint.tensors.tensors {
      guard let name = AdapterName(tensor.name.text) else {
        fault("is no part of a LoRA that is known", tensor)
        continue
      }
      guard tensor.dtype.isComputable else {
        fault("is \(tensor.dtype), no floating-point type that adapters have", tensor)
        continue
      }
      switch name {
      case .saved(let target):
        if !names.insert(target).inserted { fault("is the second \(target)", tensor) }
        if !isExplained(target) { fault("is explained by nothing in the config", tensor) }
        saved.append(tensor.renamed(TensorName(target)))
      case .part(let part, let module):
        if parts[module] == nil { order.append(module) }
        if parts[module, default: [:]].updateValue(tensor, forKey: part) != nil {
          fault("is the second \(part.rawValue) of \(module)", tensor)
        }
      }
    }
    for module in order { try add(module, parts[module, default: [:]]) }
    if modules.isEmpty && faults.isEmpty {
      faults.append(Fault(tensor: nil, text: "has no A and B in it"))
    }
  }

  /// Makes a module of its tensors, if they fit each other.
  private mutating func add(
    _ module: String, _ parts: [AdapterName.Part: Tensor]
  ) throws(CheckpointError) {
    let isEmbedding = parts[.embeddingA] != nil || parts[.embeddingB] != nil
    let (keyA, keyB): (AdapterName.Part, AdapterName.Part) =
      isEmbedding ? (.embeddingA, .embeddingB) : (.a, .b)
    guard let a = parts[keyA], let b = parts[keyB] else {
      for (part, tensor) in parts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        let missing = parts[keyA] == nil ? keyA : keyB
        fault("has no \(missing.rawValue) beside it", tensor)
        if part == keyA || part == keyB { break }
      }
      return
    }
    if isEmbedding, let other = parts[.a] ?? parts[.b] {
      return fault("stands beside \(keyA.rawValue) and \(keyB.rawValue)", other)
    }
    guard a.shape.count == 2, b.shape.count == 2 else {
      return fault("is \(describe(shape: a.shape)), and matrices alone are merged", a)
    }
    guard a.elementCount > 0, b.elementCount > 0 else { return fault("has no elements", a) }
    guard b.shape[1] == a.shape[0] else {
      return fault(
        "is \(describe(shape: b.shape)), and A is \(describe(shape: a.shape)): their ranks differ",
        b)
    }
    let rank = try config.rank(of: module)
    if rank != a.shape[0] { fault("has rank \(a.shape[0]), and the config says \(rank)", a) }
    let outputs = b.shape[0]
    let (magnitude, bias) = (parts[.magnitude], parts[.bias])
    if let magnitude {
      if !config.isWeightDecomposed { fault("is there, and use_dora is not true", magnitude) }
      if magnitude.elementCount != outputs {
        return fault(
          "is \(describe(shape: magnitude.shape)), and B has \(outputs) rows", magnitude)
      }
    } else if config.isWeightDecomposed {
      return fault("has no \(AdapterName.Part.magnitude.rawValue) beside it", b)
    }
    if let bias {
      if !config.hasBias { fault("is there, and lora_bias is not true", bias) }
      if bias.shape != [outputs] {
        return fault("is \(describe(shape: bias.shape)), and B has \(outputs) rows", bias)
      }
    } else if config.hasBias, !isEmbedding {
      return fault("has no bias beside it, and lora_bias is true", b)
    }
    modules.append(
      Module(
        path: module, a: a, b: b, magnitude: magnitude, bias: bias, isEmbedding: isEmbedding,
        scale: try config.scale(of: module)))
  }

  private mutating func fault(_ text: String, _ tensor: Tensor) {
    faults.append(Fault(tensor: tensor.name, text: text))
  }

  /// Whether the config says why a weight of the base is there: it was trained whole, is a bias, or is a matrix over
  /// a vocabulary, which PEFT saves when it was changed.
  private func isExplained(_ name: String) -> Bool {
    let parts = name.split(separator: ".").map(String.init)
    guard parts.count > 1 else { return false }
    if parts.last == "bias", config.trainedBiases != "none" { return true }
    if parts.last == "weight", vocabularyModules.contains(parts[parts.count - 2]) { return true }
    return config.saves(parts.dropLast().joined(separator: "."))
  }
}

/// What transformers calls the modules over a vocabulary, which PEFT saves with an adapter when words were added.
private let vocabularyModules: Set = [
  "decoder", "embed_in", "embed_out", "embed_tokens", "embed_tokens_extend", "lm_head", "shared",
  "tok_embeddings", "word_embeddings", "wte",
]

/// What a tensor of an adapter is, by its name.
///
/// Source: PEFT, `get_peft_model_state_dict`: what is left of a model's names when `base_model.model.` stands before
/// them, and the adapter's own name is taken out.
enum AdapterName {
  /// A part of what changes a weight.
  enum Part: String {
    case a = "lora_A"
    case b = "lora_B"
    case embeddingA = "lora_embedding_A"
    case embeddingB = "lora_embedding_B"
    case magnitude = "lora_magnitude_vector"
    case bias = "lora_B.bias"
  }

  /// A part of what changes the weight of a module.
  case part(Part, of: String)
  /// A weight in the place of the base's of that name.
  case saved(String)

  static let prefix = "base_model.model."

  /// `nil` if it is none that a LoRA has.
  init?(_ name: String) {
    guard name.hasPrefix(Self.prefix) else { return nil }
    var names = name.dropFirst(Self.prefix.count)
      .split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard names.count > 1, !names.contains("") else { return nil }
    guard let place = names.firstIndex(where: { $0.hasPrefix("lora_") }) else {
      // Where a module was trained whole, or its bias alone, it is wrapped.
      if let wrapper = names.firstIndex(of: "modules_to_save") {
        names.remove(at: wrapper)
        if names.count > wrapper, names[wrapper] == "default" { names.remove(at: wrapper) }
      }
      guard !names.contains("original_module"), !names.contains("token_adapter") else {
        return nil
      }
      self = .saved(names.filter { $0 != "base_layer" }.joined(separator: "."))
      return
    }
    let module = names[..<place].joined(separator: ".")
    // Adapters of several parameters of one module stand in each other.
    guard place > 0, !names[..<place].contains("base_layer") else { return nil }
    var rest = Array(names[(place + 1)...])
    if rest.first == "default" { rest.removeFirst() }
    switch (Part(rawValue: names[place]), rest) {
    case (.b?, ["bias"]): self = .part(.bias, of: module)
    case (let part?, ["weight"]) where [.a, .b, .magnitude].contains(part):
      self = .part(part, of: module)
    case (let part?, []) where [.embeddingA, .embeddingB, .magnitude].contains(part):
      self = .part(part, of: module)
    default: return nil
    }
  }
}
