internal import Models
internal import TensorCore

/// What settings say of texts that are written of sounds, as transformers' `generate` reads it (its generation for such
/// models, 5.x): with which tokens they begin, and whether they have times.
extension SettingsFile {
  /// What is followed, and what changes no token.
  static let openingKeys: Set<String> = [
    "alignment_heads", "condition_on_prev_tokens", "forced_decoder_ids", "is_multilingual",
    "lang_to_id", "language", "max_initial_timestamp_index", "median_filter_width",
    "no_timestamps_token_id", "prev_sot_token_id", "prompt_condition_type",
    "return_timestamps", "return_token_timestamps", "task", "task_to_id",
  ]

  /// The tokens behind the first one.
  ///
  /// - Parameter config: the model's config.json, which says the older setting where no other does.
  func opening(config: JSONValue) throws(CheckpointError) -> TextOpening? {
    let languages = try named("lang_to_id")
    let tasks = try named("task_to_id")
    let language = try text("language")
    let task = try text("task")
    var tokens: [Int?] = []
    if task == nil, language == nil { tokens = try forced(config: config) }
    if let language {
      let id = try id(of: language, among: languages)
      if tokens.isEmpty { tokens = [id] } else { tokens[0] = id }
    } else if self["lang_to_id"] != nil, tokens.isEmpty || tokens[0] == nil {
      guard !languages.isEmpty else { throw fault("lang_to_id", "ids of languages") }
      if tokens.isEmpty { tokens = [nil] }
    } else {
      tokens.removeAll { $0 == nil }
    }
    if let task {
      guard ["transcribe", "translate"].contains(task), let id = tasks[task] else {
        throw fault("task", "transcribe or translate with an id in task_to_id")
      }
      tokens.append(id)
    } else if language != nil, !tasks.isEmpty,
      !tokens.contains(where: { tasks.values.contains($0 ?? -1) })
    {
      guard let id = tasks["transcribe"] else { throw fault("task_to_id", "an id of transcribe") }
      tokens.append(id)
    }
    if let none = try ids("no_timestamps_token_id").first {
      let isLast = tokens.last == .some(none)
      if try hasTimes {
        if isLast { tokens.removeLast() }
      } else if !isLast {
        tokens.append(none)
      }
    }
    return tokens.isEmpty
      ? nil : TextOpening(tokens: tokens, languages: languages.values.sorted())
  }

  /// The tokens of times, if a text has times.
  func times() throws(CheckpointError) -> TimeTokens? {
    guard try hasTimes else { return nil }
    guard let none = try ids("no_timestamps_token_id").first, (0..<1 << 40).contains(none) else {
      throw fault(
        "no_timestamps_token_id",
        writesTimes
          ? "an id: of a longer sound than the model reads at once times are written"
          : "an id where return_timestamps is true")
    }
    let latest = "max_initial_timestamp_index"
    return TimeTokens(
      first: none + 1, latestStart: self[latest] == nil ? nil : try count(latest, default: 0))
  }

  private var hasTimes: Bool {
    get throws(CheckpointError) { try flag("return_timestamps") || writesTimes }
  }

  /// Whether what was written of a sound so far stands before what is written of its next part.
  var continuesText: Bool {
    get throws(CheckpointError) { try flag("condition_on_prev_tokens") }
  }

  private func flag(_ key: String) throws(CheckpointError) -> Bool {
    guard let value = self[key] else { return false }
    guard let flag = value.bool else { throw fault(key, "true or false") }
    return flag
  }

  private func text(_ key: String) throws(CheckpointError) -> String? {
    guard let value = self[key] else { return nil }
    guard let text = value.string else { throw fault(key, "a name") }
    return text
  }

  /// Ids by name.
  private func named(_ key: String) throws(CheckpointError) -> [String: Int] {
    guard let value = self[key] else { return [:] }
    guard let members = value.members, members.allSatisfy({ ($0.value.int ?? -1) >= 0 }) else {
      throw fault(key, "an object of ids")
    }
    return Dictionary(members.map { ($0.key, $0.value.int ?? 0) }) { _, last in last }
  }

  /// The token of a language that is named by its token, its code or its English name.
  private func id(
    of language: String, among languages: [String: Int]
  ) throws(CheckpointError) -> Int {
    let name = language.lowercased()
    let code = LanguageNames.code(of: name) ?? name
    guard let id = languages[name] ?? languages["<|\(code)|>"] else {
      throw fault("language", "a language with a token in lang_to_id")
    }
    return id
  }

  /// `forced_decoder_ids`: pairs of a place and a token, the places in order from 1 on; `nil` for the language that is
  /// found.
  private func forced(config: JSONValue) throws(CheckpointError) -> [Int?] {
    let key = "forced_decoder_ids"
    var value = self[key]
    if value == nil, let other = config[key], other != .null { value = other }
    guard let pairs = value?.elements, let start = pairs.first?.elements?.first?.int, start == 1
    else { return [] }
    var tokens: [Int?] = []
    for pair in pairs {
      guard let pair = pair.elements, pair.count == 2, pair[0].int == tokens.count + 1,
        pair[1] == .null || (pair[1].int ?? -1) >= 0
      else { throw fault(key, "pairs of a place and an id, the places 1, 2, 3 and so on") }
      tokens.append(pair[1].int)
    }
    return tokens
  }
}
