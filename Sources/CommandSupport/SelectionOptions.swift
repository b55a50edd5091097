public import ArgumentParser
public import TensorCore

extension Glob: ExpressibleByArgument {
  public init?(argument: String) {
    self.init(argument)
  }
}

/// Which tensors of a source are meant.
public struct SelectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take only tensors whose whole name matches (repeatable): * any text, ? one character, [0-9] one of a set.",
      valueName: "glob"))
  public var include: [Glob] = []

  @Option(
    help: ArgumentHelp(
      "Leave out tensors whose name matches, even if included (repeatable).", valueName: "glob"))
  public var exclude: [Glob] = []

  public init() {}

  /// The same as words of a command line.
  public var words: [String] {
    include.flatMap { optionWords("include", $0.text) }
      + exclude.flatMap { optionWords("exclude", $0.text) }
  }

  /// The same, for the library.
  public var selection: TensorSelection { TensorSelection(include: include, exclude: exclude) }
}
