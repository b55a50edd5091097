import Containers
import Models
import TensorCore
import Tokenizers

/// What sentence-transformers does to a text before a model reads it, and the modules behind the model.
public struct SentenceFolder: Sendable {
  /// The modules on the model's hidden states.
  let stack: SentenceStack
  /// The tensors of each of their folders.
  let tensors: [String: [Tensor]]
  /// The most tokens that a text has; of longer ones the last are cut off. `nil` for no limit.
  public let longest: Int?
  /// Whether texts are read in lower case.
  public let lowercases: Bool
  /// What is put before a text, by name.
  public let prompts: [(name: String, text: String)]
  /// The one that is used if none is named.
  public let usualPrompt: String?

  /// Reads what belongs to a checkpoint; `nil` if it has no modules, or none but the Transformer.
  ///
  /// - Throws: `CheckpointError` that names the file if a module is broken, or not known.
  init?(_ checkpoint: Checkpoint) throws(CheckpointError) {
    guard let modules = try checkpoint.modules() else { return nil }
    let settings = try checkpoint.companionJSON("config_sentence_transformers.json")
    let records = modules.map {
      SentenceStack.Record(folder: $0.folder, type: $0.type, config: $0.config)
    }
    guard let stack = try SentenceStack(records, settings: settings) else { return nil }
    self.stack = stack
    tensors = Dictionary(modules.dropFirst().map { ($0.folder, $0.tensors) }) { first, _ in first }
    let reading = try TextReading(checkpoint)
    let usual = try Self.usualLongest(checkpoint)
    longest = reading.longest ?? usual
    lowercases = reading.lowercases
    prompts = (settings?["prompts"]?.members ?? []).compactMap { member in
      member.value.string.map { (member.key, $0) }
    }
    usualPrompt = settings?["default_prompt_name"]?.string
  }

  /// What holds where the modules do not say how long a text may be: what the tokenizer says, and the model.
  private static func usualLongest(_ checkpoint: Checkpoint) throws(CheckpointError) -> Int? {
    let settings = try checkpoint.companionJSON("tokenizer_config.json")
    let limits = [
      settings?["model_max_length"]?.int, checkpoint.config?.value["max_position_embeddings"]?.int,
    ]
    return limits.compactMap(\.self).filter { $0 > 0 }.min()
  }

  /// The prompt of a name; without a name the usual one, if there is one.
  ///
  /// - Throws: `CheckpointError` if there is none of that name.
  func prompt(named name: String?) throws(CheckpointError) -> String? {
    guard let name = name ?? usualPrompt else { return nil }
    if let prompt = prompts.first(where: { $0.name == name }) {
      return prompt.text.isEmpty ? nil : prompt.text
    }
    let known = prompts.map(\.name).joined(separator: ", ")
    throw CheckpointError(
      .missing(
        "has no prompt \"\(escaped(name))\""
          + (known.isEmpty ? ", and no other" : "; it has: \(escaped(known))")))
  }

  /// The tokenizer as sentence-transformers uses it, whatever its own file says of lengths.
  func adapted(_ tokenizer: Tokenizer) -> Tokenizer {
    tokenizer.cutting(to: longest, lowercasing: lowercases)
  }
}

/// What the Transformer's own settings say of texts.
private struct TextReading {
  var longest: Int?
  var lowercases = false

  /// The files that it may stand in: `sentence_NAME_config.json`, of which there is one.
  private static func names(in checkpoint: Checkpoint) -> [String] {
    let beside = (try? checkpoint.surroundings(isDeep: false))?.companions ?? []
    return (checkpoint.belongings.files + beside)
      .map { String(decoding: $0.name, as: UTF8.self) }
      .filter { $0.hasPrefix("sentence_") && $0.hasSuffix("_config.json") }
  }

  init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    for name in Self.names(in: checkpoint) {
      guard let settings = try checkpoint.companionJSON(name), settings.members?.isEmpty == false
      else { continue }
      var reader = ConfigReader(settings)
      longest = reader.optionalCount("max_seq_length")
      lowercases = reader.flag("do_lower_case", default: false)
      reader.require("transformer_task", "feature-extraction")
      reader.require("module_output_name", "token_embeddings")
      reader.within("modality_config") { reader in
        reader.within("text") { $0.require("method_output_name", "last_hidden_state") }
      }
      for key in ["processing_kwargs", "query_expansion", "query_length", "document_length"]
      where settings[key].map({ $0 != .null && $0.members?.isEmpty != true }) ?? false {
        reader.refuse("\(key) is not supported")
      }
      if settings["modality_config"]?["message"] != nil {
        reader.refuse("texts are read as messages of a chat, which is not supported")
      }
      do throws(CheckpointError) {
        try reader.check()
      } catch {
        throw error.inFile(name)
      }
      return
    }
  }
}
