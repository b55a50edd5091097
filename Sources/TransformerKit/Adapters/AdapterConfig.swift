public import Containers
public import SystemPackage
public import TensorCore
import Tokenizers

/// How an adapter was made, as PEFT's `adapter_config.json` says it.
///
/// Source: Hugging Face PEFT, `LoraConfig`; Hu et al., arXiv 2106.09685 (LoRA); Kalajdzievski, arXiv 2312.03732
/// (rank-stabilised scales); Liu et al., arXiv 2402.09353 (DoRA).
public struct AdapterConfig: Sendable {
  /// The file.
  public let file: ConfigFile
  /// The method, in capitals: `LORA`, `IA3`.
  public let method: String
  /// What the base model is called.
  public let base: String?
  /// The rank of modules for which no pattern says another.
  public let rank: Int
  /// The scale's numerator, of modules for which no pattern says another.
  public let alpha: Double
  /// Whether the scale is α/√r instead of α/r.
  public let isRankStabilized: Bool
  /// Whether rows are scaled to a length of their own (DoRA).
  public let isWeightDecomposed: Bool
  /// Whether weights are said to be stored `[in, out]`, as those of transformers' Conv1D are.
  public let isFanInFanOut: Bool
  /// Whether B has a bias.
  public let hasBias: Bool
  /// Which biases of the base were trained: `none`, `all`, `lora_only`.
  public let trainedBiases: String
  /// The modules that were trained whole, by the ends of their names.
  public let savedModules: [String]
  /// Whether a weight that is tied to another was to stay so.
  public let keepsTies: Bool
  /// What merging does not know, a phrase each.
  public let obstacles: [String]
  /// Keys that nobody knows, and that say something.
  public let unknownKeys: [String]

  private let rankPatterns: [Pattern<Int>]
  private let alphaPatterns: [Pattern<Double>]

  private struct Pattern<Value: Sendable>: Sendable {
    let name: ModulePattern
    let value: Value
  }

  /// Whether it is one that can be understood further than its method.
  public var isLoRA: Bool { method == "LORA" }

  /// Reads a file.
  ///
  /// - Throws: `CheckpointError` that names the key whose value cannot be.
  public init(_ path: FilePath) throws(CheckpointError) {
    let file = try ConfigFile(path)
    do {
      try self.init(file)
    } catch {
      throw error.inFile(displayed(path))
    }
  }

  private init(_ file: ConfigFile) throws(CheckpointError) {
    self.file = file
    let reader = Reader(value: file.value)
    method = try reader.text("peft_type")?.uppercased() ?? "LORA"
    base = try reader.text("base_model_name_or_path")
    savedModules = try reader.texts("modules_to_save")
    keepsTies = try reader.flag("ensure_weight_tying")
    guard method == "LORA" else {
      (rank, alpha, isRankStabilized, isWeightDecomposed) = (0, 0, false, false)
      (isFanInFanOut, hasBias, trainedBiases) = (false, false, "none")
      (rankPatterns, alphaPatterns, unknownKeys) = ([], [], [])
      obstacles = ["\(method) is another method than LoRA"]
      return
    }
    rank = try reader.rank(file.value["r"] ?? 8, of: "r")
    alpha = try reader.number(file.value["lora_alpha"] ?? 8, of: "lora_alpha")
    isRankStabilized = try reader.flag("use_rslora")
    isWeightDecomposed = try reader.flag("use_dora")
    isFanInFanOut = try reader.flag("fan_in_fan_out")
    hasBias = try reader.flag("lora_bias")
    trainedBiases = try reader.text("bias") ?? "none"
    guard ["none", "all", "lora_only"].contains(trainedBiases) else {
      throw reader.fault("bias", "is \"\(trainedBiases)\", not none, all or lora_only")
    }
    rankPatterns = try reader.members("rank_pattern").map { member throws(CheckpointError) in
      Pattern(
        name: try ModulePattern(member.key),
        value: try reader.rank(member.value, of: "rank_pattern of \"\(member.key)\""))
    }
    alphaPatterns = try reader.members("alpha_pattern").map { member throws(CheckpointError) in
      Pattern(
        name: try ModulePattern(member.key),
        value: try reader.number(member.value, of: "alpha_pattern of \"\(member.key)\""))
    }
    obstacles = reader.obstacles
    unknownKeys = reader.unknownKeys
  }

  /// The rank that a module's tensors must have.
  func rank(of module: String) throws(CheckpointError) -> Int {
    for pattern in rankPatterns where try pattern.name.matches(module) { return pattern.value }
    return rank
  }

  /// α/r of a module, or α/√r, where r is the rank that the config says.
  ///
  /// - Throws: `CheckpointError` if single precision has no such number.
  func scale(of module: String) throws(CheckpointError) -> Double {
    var alpha = alpha
    for pattern in alphaPatterns where try pattern.name.matches(module) {
      alpha = pattern.value
      break
    }
    let rank = Double(try rank(of: module))
    let scale = alpha / (isRankStabilized ? rank.squareRoot() : rank)
    guard Float(scale).isFinite else {
      throw CheckpointError(
        .malformed("lora_alpha \(alpha) gives \(module) a scale that single precision has not"),
        file: displayed(file.path))
    }
    return scale
  }

  /// Whether a tensor beside A and B belongs to a module that was trained whole.
  ///
  /// - Parameter module: the path to the module that has it.
  func saves(_ module: String) -> Bool {
    savedModules.contains { saved in
      // Of `score`: `score`, `model.score`, and all that is inside of it.
      ".\(module).".contains(".\(saved).")
    }
  }
}

/// Takes values out of the object.
private struct Reader {
  let value: JSONValue

  func fault(_ key: String, _ words: String) -> CheckpointError {
    CheckpointError(.malformed("\(key) \(words)"))
  }

  /// A member that says something.
  private func member(_ key: String) -> JSONValue? {
    value[key].flatMap { $0 == .null ? nil : $0 }
  }

  func text(_ key: String) throws(CheckpointError) -> String? {
    guard let found = member(key) else { return nil }
    guard let text = found.string else { throw fault(key, "is \(brief(found)), not a text") }
    return text
  }

  func flag(_ key: String) throws(CheckpointError) -> Bool {
    guard let found = member(key) else { return false }
    guard let flag = found.bool else {
      throw fault(key, "is \(brief(found)), not true or false")
    }
    return flag
  }

  /// A list of texts; one text is a list of one.
  func texts(_ key: String) throws(CheckpointError) -> [String] {
    guard let found = member(key) else { return [] }
    let elements = found.elements ?? [found]
    let texts = elements.compactMap(\.string)
    guard texts.count == elements.count else {
      throw fault(key, "is \(brief(found)), not a list of names")
    }
    return texts
  }

  func members(_ key: String) throws(CheckpointError) -> [JSONValue.Member] {
    guard let found = member(key) else { return [] }
    guard let members = found.members else {
      throw fault(key, "is \(brief(found)), not an object")
    }
    return members
  }

  func rank(_ found: JSONValue, of key: String) throws(CheckpointError) -> Int {
    guard let rank = found.int, rank > 0 else {
      throw fault(key, "is \(brief(found)), not a rank: an integer above 0")
    }
    return rank
  }

  func number(_ found: JSONValue, of key: String) throws(CheckpointError) -> Double {
    guard let number = found.double, number.isFinite else {
      throw fault(key, "is \(brief(found)), not a number")
    }
    return number
  }

  private func brief(_ value: JSONValue) -> String { abridged(value.text(), to: 60) }

  /// Whether a member says more than that there is nothing.
  private func says(_ key: String) -> Bool {
    switch member(key) {
    case nil, .bool(false): false
    case .array(let elements): !elements.isEmpty
    case .object(let members): !members.isEmpty
    default: true
    }
  }

  /// What changes the model in ways that are not ours to merge.
  var obstacles: [String] {
    var found = obstacleKeys.filter { says($0.key) }.map { "\($0.key): \($0.words)" }
    let start = member("init_lora_weights")?.string?.lowercased() ?? ""
    if changingStarts.contains(where: start.hasPrefix) {
      found.append(
        "init_lora_weights \(start): the base was changed when training began, and A and B fit that one"
      )
    }
    return found
  }

  var unknownKeys: [String] {
    let known = Set(knownKeys + obstacleKeys.map(\.key))
    return (value.members ?? []).map(\.key).filter { !known.contains($0) && says($0) }
  }
}

/// Keys that make more of an adapter than A and B, or less.
private let obstacleKeys: [(key: String, words: String)] = [
  ("alora_invocation_tokens", "it works behind certain tokens only, which no weights do"),
  ("arrow_config", "each token chooses among adapters, which no weights do"),
  ("kasa_config", "a method of its own"),
  ("layer_replication", "the base has fewer layers than the adapter"),
  ("megatron_config", "matrices are divided among processes"),
  ("monteclora_config", "a method of its own"),
  ("target_parameters", "parameters of several matrices are not merged"),
  ("trainable_token_indices", "rows of single tokens are not merged"),
  ("use_bdlora", "A or B is of blocks"),
  ("use_qalora", "inputs are averaged in groups"),
]

/// Beginnings of A and B that are taken out of the base.
private let changingStarts = ["corda", "loftq", "lora_ga", "olora", "pissa"]

/// Keys that are read, or that say nothing of what a merged model is.
private let knownKeys = [
  "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "corda_config",
  "ensure_weight_tying", "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode",
  "init_lora_weights", "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha",
  "lora_bias", "lora_dropout", "lora_ga_config", "megatron_core", "modules_to_save", "peft_type",
  "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config",
  "target_modules", "task_type", "use_dora", "use_rslora", "velora_config",
]
