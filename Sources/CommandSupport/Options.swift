public import ArgumentParser
internal import Codecs
public import Containers
import Families
internal import Kernels
public import Models
public import SystemPackage
internal import TensorCore
public import TransformerKit

extension FilePath: @retroactive ExpressibleByArgument {
  public init?(argument: String) {
    let bytes = argumentBytes(argument)
    guard !bytes.isEmpty, !bytes.contains(0) else { return nil }
    let text = (bytes + [0]).map { CInterop.PlatformChar(bitPattern: $0) }
    self = FilePath(platformString: text)
  }

  public static var defaultCompletionKind: CompletionKind { .file() }
}

/// The names of all dialects.
public var dialectNames: [String] { Family.all.dialects.map { $0.fullName }.distinct }

/// The names of all architectures.
public var architectureNames: [String] { Family.all.architectures.map { $0.name }.distinct }

extension ContainerFormat: ExpressibleByArgument {
  public init?(argument: String) {
    guard let format = ContainerFormat.named(argument) else { return nil }
    self = format
  }

  public static var allValueStrings: [String] { all.map(\.name) }
}

/// A container that is written: what a target can be.
public struct TargetFormat: ExpressibleByArgument {
  /// The container.
  public let format: ContainerFormat

  public init?(argument: String) {
    guard let format = ContainerFormat.named(argument), format.isWritten else { return nil }
    self.format = format
  }

  public static var allValueStrings: [String] { ContainerFormat.written.map(\.name) }
}

/// How to recognise a source, where its files do not say it themselves.
public struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The source's container, instead of what its bytes show.", valueName: "format"))
  var fromFormat: ContainerFormat?

  @Option(
    help: ArgumentHelp(
      "The source's dialect, instead of what its names show (tfconvert list dialects).",
      valueName: "dialect"))
  var fromDialect: String?

  @Option(
    help: ArgumentHelp(
      "The architecture, instead of what config.json and names show (tfconvert list architectures).",
      valueName: "architecture"))
  var architecture: String?

  @Option(
    name: .customLong("class"),
    help: ArgumentHelp(
      "The model's class, instead of the one that config.json names.", valueName: "name"
    ))
  var className: String?

  @Option(
    help: ArgumentHelp(
      "Take this off the beginning of every tensor's name (module.).", valueName: "text"))
  var stripPrefix: String?

  @Flag(help: "Leave out tensors that are no part of the model, and list them.")
  var allowExtra = false

  @Flag(help: "Leave out optimiser slots and step counters, and list them.")
  var dropTrainingState = false

  @Option(
    help: ArgumentHelp(
      "The config.json, instead of the one beside the weights.", valueName: "file"))
  var config: FilePath?

  public init() {}

  public func validate() throws {
    guard stripPrefix != "" else {
      throw ValidationError("--strip-prefix takes a text off, not \"\"")
    }
  }

  /// Whether recognition is left to the files: nothing that needs a known model was asked for.
  public var asksForNothing: Bool {
    fromDialect == nil && architecture == nil && config == nil && className == nil
      && !dropTrainingState && !allowExtra
  }

  /// Fails if tensors are to be left out by a conversion that takes all along: without a dialect. With
  /// `isCompared`, what is no part of the model need only not be compared.
  public func requireDialect(_ dialect: String?, isCompared: Bool) throws {
    guard dialect == nil, dropTrainingState || allowExtra && !isCompared else { return }
    let flag = dropTrainingState ? "--drop-training-state" : "--allow-extra"
    throw ValidationError(
      "\(flag) leaves tensors out only with --dialect; the source's own keeps names and layout")
  }

  /// The same as words of a command line.
  public var words: [String] {
    optionWords("from-format", fromFormat?.name) + optionWords("from-dialect", fromDialect)
      + optionWords("architecture", architecture) + optionWords("class", className)
      + optionWords("strip-prefix", stripPrefix) + flagWords("allow-extra", allowExtra)
      + flagWords("drop-training-state", dropTrainingState)
      + optionWords("config", config?.string)
  }

  /// The files that it names.
  public var files: [FilePath] { [config].compactMap(\.self) }

  /// The same, for the library.
  public var options: OpenOptions {
    OpenOptions(
      format: fromFormat, config: config, stripPrefix: stripPrefix,
      recognition: RecognitionOptions(
        architecture: architecture, dialect: fromDialect, className: className,
        dropsTrainingState: dropTrainingState, allowsExtra: allowExtra))
  }
}

/// An option with its value as a word of a command line; none without a value.
public func optionWords(_ name: String, _ value: String?) -> [String] {
  value.map { ["--\(name)=\($0)"] } ?? []
}

/// A flag as a word of a command line, if it is set.
public func flagWords(_ name: String, _ isSet: Bool) -> [String] {
  isSet ? ["--\(name)"] : []
}

/// How a command that takes time says how far it is.
public struct ProgressOptions: ParsableArguments {
  @Flag(help: "Do not say how far it is.")
  var noProgress = false

  public init() {}

  /// Tells how far a command is, unless somebody asked for quiet.
  public func progress(total: Int, _ common: CommonOptions) -> Progress {
    Progress(total: total, isOn: !noProgress && !common.quiet && !common.json)
  }

  /// The same for work on models' weights, of which it shows only when it is done how much it was.
  public func weightProgress(_ common: CommonOptions) -> (bar: Progress, weights: WeightProgress) {
    let bar = progress(total: 0, common)
    return (bar, WeightProgress { bar.update($0, of: $1) })
  }
}

/// What every command accepts.
public struct CommonOptions: ParsableArguments {
  @Flag(help: "Print one JSON object instead of text.")
  public var json = false

  @Flag(name: [.short, .long], help: "Print the essential value only.")
  public var quiet = false

  @Flag(name: [.short, .long], help: "Say on standard error what was recognised, and why.")
  public var verbose = false

  @Option(
    name: [.customShort("T"), .long],
    help: ArgumentHelp(
      "Threads to use, 0 for all cores. Results never depend on it.", valueName: "n"))
  var threads = 0

  public init() {}

  public func validate() throws {
    guard threads >= 0 else { throw ValidationError("--threads must not be negative") }
    Parallel.workers = threads
    Workers.count = threads
  }

  /// Says what a checkpoint was recognised as, when asked to be verbose.
  public func explain(_ checkpoint: Checkpoint) {
    guard verbose else { return }
    let files = checkpoint.files.map(displayed).joined(separator: ", ")
    standardError("container \(checkpoint.format), by the first bytes of \(escaped(files))")
    let config = checkpoint.config.map { displayed($0.path) } ?? "none found"
    standardError("config \(escaped(config))")
    if let part = checkpoint.part { standardError("this is \(escaped(part.words))") }
    if case .adapter? = checkpoint.part, let adapter = try? Adapter(checkpoint) {
      standardError("adapter \(AdapterText(adapter).summary)")
    }
    for item in checkpoint.others {
      standardError("in it, not read: \(escaped(item.name)), \(escaped(item.what))")
    }
    for item in checkpoint.beside {
      standardError("beside it, not read: \(escaped(item.name)), \(escaped(item.what))")
    }
  }

  /// The same for a model. What was left out of it because that was asked for is always said, and so are keys of the
  /// config that seem to be wrong.
  ///
  /// - Parameters:
  ///   - listsExtras: whether the command itself lists what is no part of what we know.
  ///   - listsAll: whether it lists everything that was left out.
  public func explain(_ model: Model, listsExtras: Bool = false, listsAll: Bool = false) {
    warn(model.doubtfulKeys, in: model.checkpoint)
    if !verbose, !quiet, !listsAll {
      if !listsExtras {
        for extra in model.graph.extras {
          standardError("left out \(escaped(extra.name.text)): \(extra.reason)")
        }
      }
      sayTrainingState(of: model)
    }
    guard verbose else { return }
    explain(model.checkpoint)
    let graph = model.graph
    standardError("architecture \(type(of: graph.architecture).name), \(graph.architecture.head)")
    for codec in model.plain.codecs {
      standardError("codec \(codec.name), \(describe(codec.count, "weight"))")
    }
    standardError("dialect \(graph.dialect.fullName), by the tensors' names")
    for dropped in graph.dropped {
      standardError("left out \(escaped(dropped.name.text)): \(dropped.reason)")
    }
    if !model.unknownKeys.isEmpty {
      standardError(
        "unknown keys of the config, which may mean something: \(list(model.unknownKeys))")
    }
  }

  /// How much training state was left out, and what: optimisers have two or three numbers for each weight.
  private func sayTrainingState(of model: Model) {
    let names = model.graph.dropped.filter(\.isTrainingState).map(\.name.text)
    guard !names.isEmpty else { return }
    let shown = names.prefix(3).map(escaped).joined(separator: ", ")
    let rest = names.count > 3 ? " and \(names.count - 3) more (-v lists them)" : ""
    let path = escaped(displayed(model.checkpoint.path))
    standardError("\(path): left out training state: \(shown)\(rest)")
  }
}

/// Keys of a config, as they may be printed.
public func list(_ keys: [String]) -> String { keys.map(escaped).joined(separator: ", ") }

/// Says which keys of a checkpoint's config seem to say something, and count for nothing.
public func warn(_ keys: [DoubtfulKey], in checkpoint: Checkpoint) {
  let file = displayed(checkpoint.config?.path ?? checkpoint.path)
  for key in keys { standardError("note: \(escaped(file)): \(escaped(key.text))") }
}
