import Foundation
import SystemPackage
import TestSupport
import Testing

/// What README.md, the helps and docs promise, and the transcripts that show it.
@Suite struct PromiseTests {
  /// A sentence, as it stands there; and transcripts in which `shown` is printed.
  struct Promise: Sendable, CustomTestStringConvertible {
    let sentence: String
    let shown: [(transcript: String, text: String)]
    var testDescription: String { sentence }
  }

  static let promises = [
    Promise(
      sentence: "every tensor of the source is used or accounted for",
      shown: [("convert-there-and-back", "same"), ("tree-faults", "38 faults")]),
    Promise(
      sentence: "all of it at once", shown: [("tree-faults", "38 faults"), ("check", "fault")]),
    Promise(
      sentence: "Values change only when asked (`--dtype`), and every change is counted",
      shown: [("convert-lossy", "--allow-lossy"), ("convert-lossy-allowed", "ROUNDED")]),
    Promise(
      sentence: "Containers are converted for any model, known or not",
      shown: [("convert-unknown-model", "names, dtypes and values unchanged")]),
    Promise(
      sentence: "Every command has `--help` with examples, and `--json`",
      shown: [("help-tfconvert", "Examples:"), ("help-tfverify-pair", "--json")]),
    Promise(
      sentence: "all that lies in SRC and has no weights goes along byte for byte",
      shown: [("convert-folder-whole", "1_Pooling")]),
    Promise(
      sentence: "Compare source and target, weights and outputs, before the target gets its name",
      shown: [("convert-verify", "verified:"), ("convert-verify-cast", "\"verified\"")]),
    Promise(
      sentence:
        "Of each kind the ten largest changes are listed, by rel, and what changed in each layer",
      shown: [("diff-largest", "27 more changed (--all)"), ("diff-largest", "LAYER")]),
    Promise(
      sentence: "show and --include take both",
      shown: [("show-path", "decoder.blocks.1"), ("ls-include-path", "encoder.layer.1.")]),
    Promise(
      sentence: "completions for bash, zsh and fish", shown: [("complete", "embeddings.LayerNorm")]),
    Promise(
      sentence: "`tfinspect` reads; it never writes to what it looks at",
      shown: [("inspect-reads-only", "the same")]),
    Promise(
      sentence: "is never written to, and a folder that the source is in is not replaced",
      shown: [
        ("convert-onto-source", "has the source in it, which is never touched"),
        ("convert-onto-source", "is the source itself, which is never touched"),
        ("convert-source-untouched", "the same"),
      ]),
    Promise(
      sentence: "Results never depend on it",
      shown: [("convert-threads", "the same"), ("pair-threads", "identical")]),
    Promise(
      sentence: "Say what would be written, and write nothing",
      shown: [("convert-dry-run", "would write")]),
    Promise(
      sentence: "what is left out is listed",
      shown: [("convert-folder-whole", "left out adapter_model.safetensors: safetensors")]),
    Promise(
      sentence:
        "A weight that the dialect has no place for is refused (exit code 4), never dropped",
      shown: [("convert-no-place", "no place")]),
    Promise(
      sentence:
        "a safetensors file or a folder of shards is, where the heads were kept and fit, the one",
      shown: [("convert-tfz-shards", "model.safetensors.index.json")]),
    Promise(
      sentence:
        "writes the same certificate about two models that are there already, byte for byte",
      shown: [("convert-certificate-same", "same")]),
    Promise(
      sentence: "Names are compared byte for byte, case included",
      shown: [("ls-include-case", "no tensor")]),
    Promise(
      sentence: "Equal digests mean: the same weights, bit for bit, and the same mathematics",
      shown: [("id", "bert/base")]),
    Promise(
      sentence: "where they differ, the first one's value counts, and it is said",
      shown: [("convert-shards-differ", "the first shard's counts")]),
    Promise(
      sentence: "go into a new index, or are listed as left out",
      shown: [
        ("convert-index-members", "\"mine\": 7"),
        ("convert-index-members", "left out of the shard index: metadata.author, mine"),
      ]),
  ]

  private static let texts: String = {
    let readme = fixture().removingLastComponent().appending("README.md")
    let docs = fixture().removingLastComponent().appending("docs")
    let pages = fileNames(in: docs).filter { $0.hasSuffix(".md") }
      .map { String(decoding: readFile(docs.appending($0)), as: UTF8.self) }
    let helps = Transcript.all.filter { $0.name.hasPrefix("help-") }.map(\.recorded.stdout)
    return ([String(decoding: readFile(readme), as: UTF8.self)] + pages + helps)
      .joined(separator: " ").split { $0 == " " || $0 == "\n" }.joined(separator: " ")
  }()

  @Test(arguments: promises)
  func `is made, and shown`(_ promise: Promise) {
    #expect(Self.texts.contains(promise.sentence))
    for (name, text) in promise.shown {
      let recorded = Transcript(name: name).recorded
      #expect((recorded.stdout + recorded.stderr).contains(text), "\(name)")
    }
  }

  /// `tfverify` exits with 0 when the answer is yes, 1 when it is no, 2 when it could not tell, with 3 what
  /// is not supported, and with 4 what it refuses.
  @Test(arguments: [
    ("pair-identical", 0), ("pair-cast", 0), ("pair-different", 1), ("pair-missing", 2),
    ("pair-unsupported", 3), ("pair-refused", 4),
  ])
  func `the exit code is the answer`(_ name: String, _ code: Int32) {
    #expect(Transcript(name: name).recorded.exit == code)
  }
}
