import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Browse: Verb {
  static let configuration = CommandConfiguration(
    commandName: "browse",
    abstract: "Walk through a checkpoint, or what differs between two, in the terminal.",
    usage: "tfinspect browse SRC [B] [options]",
    discussion: """
      Names are a tree. Arrows move, Enter opens, / looks for names as they are typed (with * for a \
      pattern of the whole name), q goes back and leaves. A tensor shows its numbers, s its \
      statistics, [ and ] the next matrix of more than two axes. Of two checkpoints each name says \
      what happened to it, as tfinspect diff does, n goes to the next change, and Tab shows A, B \
      and B − A. Only what is shown is read, but for two checkpoints and statistics.

      Examples:
        tfinspect browse bert-base/
        tfinspect browse bert-base/ bert-finetuned/
        tfinspect browse hf://openai-community/gpt2
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Argument(help: "Another one, to see what differs.")
  var b: FilePath?

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if common.json { throw ValidationError("--json is for tfinspect tree, show and diff") }
  }

  func perform() throws -> ExitStatus {
    try FullScreen.requireTerminal()
    let first = try Checkpoint.open(source, options: sourceOptions.options)
    var browser: Browser
    if let b {
      let second = try Checkpoint.open(b, options: sourceOptions.options)
      try memory.keep(readingWeightsOf: first, second, options: sourceOptions.options)
      let progress = progressOptions.progress(total: first.tensors.byteCount, common)
      let found = try diff(first, second, open: sourceOptions.options) { progress.update($0) }
      progress.finish()
      let title =
        "\(escaped(displayed(source))) and \(escaped(displayed(b))): \(found.identical) the same,"
        + " \(found.changes.count) differ\(found.configDifferences.isEmpty ? "" : ", and the configs")"
      browser = Browser(title, items(of: found), isPair: true)
    } else {
      try memory.keep(reading: first)
      let tensors = first.tensors.tensors
      let title =
        "\(escaped(displayed(source))): \(describe(tensors.count, "tensor")),"
        + " \(describe(bytes: first.tensors.byteCount))"
      browser = Browser(title, tensors.map(BrowsedItem.init), isPair: false)
    }
    let screen = try FullScreen()
    while !browser.isDone {
      screen.draw(browser.screen(screen.size))
      guard let keys = screen.keys() else { break }
      for key in keys where !browser.isDone { browser.press(key) }
    }
    return .success
  }

  private func items(of diff: CheckpointDiff) -> [BrowsedItem] {
    diff.entries.compactMap { entry in
      let (a, b) = entry.open()
      guard let tensor = a ?? b else { return nil }
      let change = entry.change.map { diff.changes[$0] }
      let (open, other) = (entry.open, change?.b?.name.text)
      return BrowsedItem(
        name: entry.name.text, other: other == entry.name.text ? nil : other,
        dtype: tensor.dtype.name, shape: tensor.shape, byteCount: tensor.byteCount,
        mark: change?.kind.word ?? "=", isSame: change == nil, open: { open() })
    }
  }
}

extension BrowsedItem {
  /// A tensor as it is stored.
  fileprivate init(_ tensor: Tensor) {
    self.init(
      name: tensor.name.text, dtype: tensor.dtype.name, shape: tensor.shape,
      byteCount: tensor.byteCount, open: { (tensor, nil) })
  }
}
