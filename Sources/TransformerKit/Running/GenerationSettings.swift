internal import Containers
internal import SystemPackage
internal import Models
public import TensorCore

/// What the files of a model say of continuing texts, under the names and with the defaults of transformers' `generate`
/// (generation/configuration_utils.py, 5.x), as far as it is followed.
///
/// generation_config.json says all of it, where it is there; otherwise config.json does, as files of transformers 4 have it.
public struct GenerationSettings: Sendable {
  /// The file that says them; `nil` if none does.
  public private(set) var file: String?
  /// How many continuations of each text are followed.
  public private(set) var beams = 1
  /// See `BeamSettings`.
  public private(set) var lengthPenalty = 1.0
  public private(set) var stopsEarly = false
  /// What is said there and not followed, `do_sample is true` for example.
  public private(set) var unfollowed: [String] = []
  /// End tokens, padding token and limits, where not config.json is to say them.
  private var tokens: (end: [Int], padding: Int?, limits: TokenLimits)?
  /// Limits that config.json has beside what architectures read.
  private var further = TokenLimits()
  /// With what texts begin behind their first token, where settings say that.
  private(set) var opening: TextOpening?
  /// Whether what was written of a sound so far stands before what is written of its next part, and
  private(set) var continuesText = false
  /// the token before it there, if there is one.
  private(set) var previousToken: Int?

  /// Nothing but what the architecture has read from its config.
  public init() {}

  /// What a model's files say.
  ///
  /// - Parameter writesTimes: whether a text of a sound has times, whatever they say of that.
  /// - Throws: `CheckpointError` if a file cannot be read, or a value be none.
  public init(of model: Model, writesTimes: Bool = false) throws(CheckpointError) {
    guard let rules = model.graph.architecture.generation else { return }
    let found = try SettingsFile(beside: model.checkpoint)
    var reader = found ?? SettingsFile(config: model.graph.config)
    reader.writesTimes = writesTimes
    file = reader.name
    further = try reader.limits(usual: rules.limits)
    if rules.opensBySettings {
      opening = try reader.opening(config: model.graph.config)
      further.times = try reader.times()
      continuesText = try reader.continuesText
      // Where settings of old name no such token, the last but one of those that never come is it.
      previousToken =
        try reader.ids("prev_sot_token_id").first ?? further.suppressed.dropLast().last
    }
    if found != nil {
      let ends = try reader.ids("eos_token_id")
      var limits = further
      limits.first = try reader.ids("forced_bos_token_id").first
      limits.last = try reader.ids("forced_eos_token_id")
      limits.forbidden = try reader.sequences("bad_words_ids").filter {
        $0.count != 1 || !ends.contains($0[0])
      }
      tokens = (ends, try reader.ids("pad_token_id").first, limits)
    }
    beams = try reader.count("num_beams", default: 1, in: 1...64)
    lengthPenalty = try reader.number("length_penalty", default: 1)
    stopsEarly = reader["early_stopping"]?.bool ?? false
    unfollowed = reader.unfollowed(rules, model.graph)
  }

  /// The beam search that is asked for; `nil` of one beam, which is none.
  public var search: BeamSettings? {
    beams == 1
      ? nil : BeamSettings(beams: beams, lengthPenalty: lengthPenalty, stopsEarly: stopsEarly)
  }

  /// The token of time 0, where a text has times; no token is one of a time otherwise.
  var firstTime: Int { further.times?.first ?? .max }

  /// Whether a text of a sound has times.
  public var hasTimes: Bool { further.times != nil }

  /// An architecture's rules, and what is followed beside them.
  func applied(to rules: GenerationRules) -> GenerationRules {
    if let tokens {
      return rules.with(endTokens: tokens.end, padToken: tokens.padding, limits: tokens.limits)
    }
    var limits = further
    (limits.first, limits.last) = (rules.limits.first, rules.limits.last)
    limits.forbidden = rules.limits.forbidden
    return rules.with(endTokens: rules.endTokens, padToken: rules.padToken, limits: limits)
  }
}

/// A file of settings.
struct SettingsFile {
  let name: String
  private let values: JSONValue
  private let isConfig: Bool
  /// Whether a text of a sound has times, whatever the file says.
  var writesTimes = false

  /// generation_config.json, in the container or beside it.
  init?(beside checkpoint: Checkpoint) throws(CheckpointError) {
    name = "generation_config.json"
    isConfig = false
    let inside = checkpoint.belongings.files.first {
      $0.name.elementsEqual("generation_config.json".utf8)
    }
    let folder = checkpoint.folder ?? checkpoint.path.removingLastComponent()
    let path = folder.isEmpty ? FilePath(name) : folder.appending(name)
    let bytes: [UInt8]
    if let inside {
      guard inside.bytes.count <= Self.longest else {
        throw CheckpointError(
          .limitExceeded("the size", limit: Self.longest, found: inside.bytes.count), file: name)
      }
      bytes = try inside.bytes.read(0..<inside.bytes.count)
    } else {
      guard try path.present()?.type == .regular else { return nil }
      bytes = try SmallFile.read(path, limit: Self.longest)
    }
    do {
      values = try JSONValue(parsing: bytes, grammar: .python)
    } catch {
      throw CheckpointError(.malformed(error.reason), file: name, offset: error.offset)
    }
  }

  init(config: JSONValue) {
    (name, values, isConfig) = ("config.json", config, true)
  }

  private static let longest = 1 << 20

  /// A value, unless it is null.
  subscript(key: String) -> JSONValue? { values[key].flatMap { $0 == .null ? nil : $0 } }

  /// The keys that name tokens.
  var tokenKeys: [String] {
    (values.members ?? []).map(\.key).filter {
      ["_token_id", "_tokens", "_ids"].contains(where: $0.hasSuffix)
    }
  }

  func fault(_ key: String, _ wanted: String) -> CheckpointError {
    CheckpointError(
      .malformed("\(key) must be \(wanted), is \(values[key]?.text() ?? "missing")"), file: name,
      advice: "--ignore-generation-settings goes without it")
  }

  func count(
    _ key: String, default standard: Int, in range: ClosedRange<Int> = 0...1 << 40
  ) throws(CheckpointError) -> Int {
    guard let value = self[key] else { return standard }
    guard let count = value.int, range.contains(count) else {
      throw fault(key, "from \(range.lowerBound) to \(range.upperBound)")
    }
    return count
  }

  func number(_ key: String, default standard: Double) throws(CheckpointError) -> Double {
    guard let value = self[key] else { return standard }
    guard let number = value.double, number.isFinite, number.magnitude <= 1e6 else {
      throw fault(key, "a number")
    }
    return number
  }

  /// One id, or several.
  func ids(_ key: String) throws(CheckpointError) -> [Int] {
    guard let value = self[key] else { return [] }
    let ids = (value.elements ?? [value]).map(\.int)
    guard !ids.contains(nil) else { throw fault(key, "an id or a list of ids") }
    return ids.compactMap(\.self)
  }

  func sequences(_ key: String) throws(CheckpointError) -> [[Int]] {
    guard let value = self[key] else { return [] }
    let lists = (value.elements ?? [value]).map { ($0.elements ?? []).map(\.int) }
    guard lists.allSatisfy({ !$0.isEmpty && !$0.contains(nil) }) else {
      throw fault(key, "lists of ids")
    }
    return lists.map { $0.compactMap(\.self) }
  }

  /// The limits that no architecture reads.
  ///
  /// - Parameter usual: those of an architecture whose config has some where it does not say them.
  func limits(usual: TokenLimits) throws(CheckpointError) -> TokenLimits {
    var limits = TokenLimits()
    limits.leastLength = try count("min_length", default: 0)
    if self["min_new_tokens"] != nil {
      // It takes the place of the other one.
      limits.leastLength = 0
      limits.leastAdded = try count("min_new_tokens", default: 0)
    }
    limits.unrepeated = try count("no_repeat_ngram_size", default: 0)
    limits.penalty = try number("repetition_penalty", default: 1)
    guard limits.penalty > 0 else { throw fault("repetition_penalty", "above 0") }
    limits.suppressed = try ids("suppress_tokens")
    let first = "begin_suppress_tokens"
    limits.suppressedFirst =
      isConfig && values[first] == nil ? usual.suppressedFirst : try ids(first)
    return limits
  }

  // MARK: What is not followed

  /// Each with the value that changes nothing.
  private static let unfollowedKeys: KeyValuePairs<String, JSONValue> = [
    "assistant_early_exit": .null, "constraints": .null, "diversity_penalty": .double(0),
    "do_sample": false, "dola_layers": .null, "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": .double(1), "exponential_decay_length_penalty": .null,
    "force_words_ids": .null, "guidance_scale": .double(1), "max_time": .null,
    "num_beam_groups": 1, "num_return_sequences": 1, "penalty_alpha": .null,
    "prompt_lookup_num_tokens": .null, "remove_invalid_values": false, "sequence_bias": .null,
    "stop_strings": .null, "token_healing": false, "watermarking_config": .null,
  ]

  /// What is followed, what says how long a text becomes, which is said otherwise, what only drawing reads, and what
  /// changes no token.
  private static let otherKeys: Set<String> = [
    "_from_model_config", "assistant_confidence_threshold", "assistant_lookbehind",
    "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cache_config",
    "cache_implementation", "compile_config", "decoder_start_token_id", "disable_compile",
    "early_stopping", "eos_token_id", "epsilon_cutoff", "eta_cutoff", "forced_bos_token_id",
    "forced_eos_token_id", "is_assistant", "length_penalty", "low_memory", "max_length",
    "max_matching_ngram_size", "max_new_tokens", "min_length", "min_new_tokens", "min_p",
    "no_repeat_ngram_size", "num_assistant_tokens", "num_assistant_tokens_schedule", "num_beams",
    "output_attentions", "output_hidden_states", "output_logits", "output_scores", "pad_token_id",
    "prefill_chunk_size", "renormalize_logits", "repetition_penalty", "return_dict_in_generate",
    "return_legacy_cache", "suppress_tokens", "target_lookbehind", "temperature", "top_h", "top_k",
    "top_p", "transformers_version", "typical_p", "use_cache",
  ]

  func unfollowed(_ rules: GenerationRules, _ graph: WeightGraph) -> [String] {
    var found: [String] = []
    for (key, usual) in Self.unfollowedKeys {
      guard let value = self[key], value != usual else { continue }
      if let number = value.double, number == usual.double { continue }
      found.append(key)
    }
    if let value = self["early_stopping"], value.bool == nil { found.append("early_stopping") }
    if !isConfig {
      // What config.json says of them is what was read.
      if rules.ids == "decoder_input_ids" {
        let start = (self["decoder_start_token_id"] ?? self["bos_token_id"]).map {
          JSONValue.array([$0])
        }
        let own = graph.facts.first { $0.key == "decoder_start_token_id" }?.value
        if let start, start != own {
          found.append("decoder_start_token_id")
        }
      }
      var known = Self.otherKeys.union(Self.unfollowedKeys.map(\.key))
      if rules.opensBySettings { known.formUnion(Self.openingKeys) }
      found += (values.members ?? []).filter { !known.contains($0.key) && $0.value != .null }
        .map(\.key)
    }
    return found.map { "\($0) is \(abridged(self[$0]?.text() ?? "null", to: 60))" }
  }
}
