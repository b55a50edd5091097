public import TensorCore

/// An architecture with its variants, and all their dialects: what stands in one folder of `Families/`.
public struct Family: Sendable {
  /// Its members, each an architecture under a name of its own.
  public var members: [any Architecture.Type] { makeMembers() }
  /// What a config of an ecosystem's own may be called where there is no config.json: asked of every file that has
  /// none beside it, and so told without the dialects.
  public let configNames: [String]
  /// What reads pictures for them, the usual one first.
  public let processors: [PictureProcessor]
  /// What reads sounds for them, the usual one first.
  public let soundProcessors: [SoundProcessor]
  /// What makes tokenizers of their vocabularies.
  public let tokenizers: [TokenizerClass]
  /// Their dialects. Of several forms of one dialect, the first is written.
  public var dialects: [Dialect] { makeDialects() }

  private let makeMembers: @Sendable () -> [any Architecture.Type]
  private let makeDialects: @Sendable () -> [Dialect]

  /// A family. Its tables are made when they are asked for, and so are the types of its members, which are
  /// generic: a command needs those of few families, or of none.
  package init(
    members: @autoclosure @escaping @Sendable () -> [any Architecture.Type],
    configNames: [String] = [], processors: [PictureProcessor] = [],
    soundProcessors: [SoundProcessor] = [], tokenizers: [TokenizerClass] = [],
    dialects: @autoclosure @escaping @Sendable () -> [Dialect]
  ) {
    makeMembers = members
    self.configNames = configNames
    self.processors = processors
    self.soundProcessors = soundProcessors
    self.tokenizers = tokenizers
    makeDialects = dialects
  }
}

extension [Family] {
  /// The architectures of all of them.
  public var architectures: [any Architecture.Type] { flatMap(\.members) }

  /// The architecture of a name. The types of families behind its own are not made.
  package func architecture(named name: String) -> (any Architecture.Type)? {
    family(of: name)?.members.first { $0.name == name }
  }

  /// The one family that has an architecture.
  private func family(of architecture: String) -> Family? {
    first { $0.members.contains { $0.name == architecture } }
  }

  /// What reads pictures for an architecture: the class of that name, of whichever family, or the usual one of its own.
  package func processor(named name: String?, for architecture: String) -> PictureProcessor? {
    guard let name else { return family(of: architecture)?.processors.first }
    return lazy.flatMap(\.processors).first { $0.name == name }
  }

  /// What reads sounds for an architecture: the class of that name, of whichever family, or the usual one of its own.
  package func soundProcessor(named name: String?, for architecture: String) -> SoundProcessor? {
    guard let name else { return family(of: architecture)?.soundProcessors.first }
    return lazy.flatMap(\.soundProcessors).first { $0.name == name }
  }

  /// The dialects of all of them.
  public var dialects: [Dialect] { flatMap(\.dialects) }

  /// What configs of ecosystems of their own are called, beside config.json.
  public var configNames: [String] { flatMap(\.configNames) }

  /// Whose program reads a model in a container, if it is one ecosystem's own, that knows the model: "llama.cpp reads
  /// GGUF files under the names of --dialect gguf".
  public func readers(
    of container: String, holding table: TensorTable, config: JSONValue?
  ) -> String? {
    let architecture = try? recognizedArchitecture(
      config, NumberedNames(table), named: nil, among: self)
    guard let architecture,
      let dialect = dialects(of: architecture.name).first(where: {
        $0.ownFiles?.container == container && $0.ownFiles?.isExclusive == true
          && $0.nativeConfig?.place == .container(container)
      }), let own = dialect.ownFiles
    else { return nil }
    return "\(own.program) reads \(own.files) under the names of --dialect \(dialect.name)"
  }

  /// How a tensor lies divided among the parts of a model, as the first dialect says that knows its name.
  ///
  /// - Parameters:
  ///   - name: its name there, without the part's.
  ///   - shape: its shape in one of them.
  ///   - config: what lies beside them.
  public func division(of name: String, _ shape: [Int], config: JSONValue?) -> Division? {
    dialects.lazy.compactMap { $0.division(name, shape, config) }.first
  }

  /// The dialects of an architecture.
  package func dialects(of architecture: String) -> [Dialect] {
    (family(of: architecture)?.dialects ?? []).filter { $0.architecture == architecture }
  }
}
