public import Codecs
public import Containers
public import Families
public import Models
public import SystemPackage
public import TensorCore

/// How to open a checkpoint where its files do not say it themselves.
public struct OpenOptions: Sendable {
  /// The container, instead of what the bytes show.
  public var format: ContainerFormat?
  /// The config.json, instead of the one beside the weights.
  public var config: FilePath?
  /// What is taken off the beginning of every name.
  public var stripPrefix: String?
  /// How to understand what is in it.
  public var recognition: RecognitionOptions
  /// Whether the modules of sentence-transformers beside it are a part of it.
  public var readsModules = true

  /// Options; nothing given means: recognise it.
  public init(
    format: ContainerFormat? = nil, config: FilePath? = nil, stripPrefix: String? = nil,
    recognition: RecognitionOptions = RecognitionOptions()
  ) {
    self.format = format
    self.config = config
    self.stripPrefix = stripPrefix
    self.recognition = recognition
  }
}

extension Checkpoint {
  /// Opens a checkpoint with the options that concern its container and its names.
  public static func open(
    _ path: FilePath, options: OpenOptions
  ) throws(CheckpointError) -> Checkpoint {
    let checkpoint = try open(
      path, format: options.format, config: options.config,
      configNames: { options.recognition.families.configNames })
    let stripped = try options.stripPrefix.map { prefix throws(CheckpointError) in
      try checkpoint.strippingPrefix(prefix)
    }
    try (stripped ?? checkpoint).requireWhatIsNamed(options)
    return stripped ?? checkpoint
  }

  /// Fails if an architecture, dialect or class is named that does not exist, or not for this model: a
  /// command that needs none would do without it in silence. A class is looked up in a config, so without
  /// one nothing is said of it; and nothing of what is named for a single shard.
  private func requireWhatIsNamed(_ options: OpenOptions) throws(CheckpointError) {
    let named = options.recognition
    guard named.architecture != nil || named.dialect != nil || named.className != nil, part == nil
    else { return }
    do throws(CheckpointError) {
      let plain = try? PlainTable(tensors, config: config?.value, families: named.families)
      try WeightGraph.requireNamed(by: named, plain?.tensors ?? tensors, config: config?.value)
    } catch {
      if error.category == .unsupported { throw error.inFile(displayed(path)) }
    }
  }
}

extension PlainTable {
  /// The tensors as plain numbers, and whole, where the dialects of families say how they are divided.
  init(
    _ stored: TensorTable, config: JSONValue?, families: [Family]
  ) throws(CheckpointError) {
    try self.init(stored, config: config) { name, shape in
      families.division(of: name, shape, config: config)
    }
  }
}

/// A checkpoint that is understood: its files, and its weights as a graph.
public struct Model: Sendable {
  /// The files.
  public let checkpoint: Checkpoint
  /// Their tensors as plain numbers.
  public let plain: PlainTable
  /// The weights.
  public let graph: WeightGraph
  /// How texts become vectors, if it is a model of sentence-transformers.
  public let sentences: SentenceFolder?

  /// Keys of the config that neither the architecture nor a codec reads, and that may mean something.
  public var unknownKeys: [String] { graph.unknownKeys.filter { !plain.configKeys.contains($0) } }

  /// Keys of the config of which nothing was taken although they seem to say something.
  public var doubtfulKeys: [DoubtfulKey] { graph.doubtfulKeys }

  /// Opens and understands a checkpoint.
  ///
  /// - Throws: `CheckpointError`; errors of the config name its file, others the checkpoint.
  public init(_ path: FilePath, options: OpenOptions = OpenOptions()) throws(CheckpointError) {
    try self.init(Checkpoint.open(path, options: options), options: options)
  }

  /// Understands an opened checkpoint.
  public init(
    _ checkpoint: Checkpoint, options: OpenOptions = OpenOptions()
  ) throws(CheckpointError) {
    try self.init(checkpoint, config: checkpoint.config?.value, options: options)
  }

  /// Understands an opened checkpoint by a config, which may be that of another one.
  init(
    _ checkpoint: Checkpoint, config: JSONValue?, options: OpenOptions
  ) throws(CheckpointError) {
    self.checkpoint = checkpoint
    if let part = checkpoint.part {
      throw CheckpointError(part.problem, file: displayed(checkpoint.path))
    }
    var recognition = options.recognition
    recognition.explainsMisfit = true
    do {
      plain = try PlainTable(
        checkpoint.tensors, config: config, families: recognition.families)
      let found = options.readsModules ? try SentenceFolder(checkpoint) : nil
      if let found {
        let under = try Self.graph(under: found, plain.tensors, config, recognition)
        (graph, sentences) = (under.graph, under.isTopped ? found : nil)
      } else {
        graph = try WeightGraph(plain.tensors, config: config, options: recognition)
        sentences = nil
      }
    } catch {
      throw error.inFile(displayed(checkpoint.path))
    }
  }

  /// The graph under modules, with them. As sentence-transformers does, the class is the one that gives hidden states,
  /// whichever the config names, and what only others have is left out; but if a class was asked for that gives none,
  /// the modules are.
  private static func graph(
    under sentences: SentenceFolder, _ table: TensorTable, _ config: JSONValue?,
    _ recognition: RecognitionOptions
  ) throws(CheckpointError) -> (graph: WeightGraph, isTopped: Bool) {
    var options = recognition
    let hidden = try WeightGraph.classOfHiddenStates(table, config: config, options: options)
    if let asked = options.className, asked != hidden {
      return (try WeightGraph(table, config: config, options: options), false)
    }
    options.className = hidden
    var graph: WeightGraph
    do throws(CheckpointError) {
      graph = try WeightGraph(table, config: config, options: options)
    } catch {
      guard error.category == .refused else { throw error }
      options.allowsExtra = true
      guard let lenient = try? WeightGraph(table, config: config, options: options) else {
        throw error
      }
      graph = lenient
    }
    return (try graph.topped(by: sentences.stack, sentences.tensors), true)
  }
}
