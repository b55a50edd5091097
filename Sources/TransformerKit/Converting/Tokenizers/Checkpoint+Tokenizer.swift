import Containers
import Models
import TensorCore

/// What becomes of a tokenizer inside of a source.
struct TranslatedTokenizer {
  /// The files that it becomes.
  var files: [(name: String, bytes: [UInt8])]?
  /// Why it does not become any.
  var obstacle: String?

  var extraFiles: [CheckpointWriter.ExtraFile] {
    (files ?? []).map { CheckpointWriter.ExtraFile($0.name, bytes: $0.bytes) }
  }
}

extension Checkpoint {
  /// The tokenizer inside of the checkpoint for a target that has such files beside its weights.
  ///
  /// - Parameter companions: what travels; a tokenizer.json among it goes before what is inside.
  /// - Returns: `nil` if the target has none, or there is none.
  func tokenizer(
    for target: Conversion.Target, of model: Model?, in format: ContainerFormat,
    beside companions: [CompanionFile]
  ) -> TranslatedTokenizer? {
    guard let values = belongings.keyValues, values.hasTokenizer, format != .gguf,
      target.isFolder || format.holdsFiles, let dialect = target.dialect,
      model?.graph.isUsual(dialect) == true
    else { return nil }
    if companions.contains(where: { $0.name.elementsEqual("tokenizer.json".utf8) }) {
      return TranslatedTokenizer(obstacle: "there is a tokenizer.json beside it")
    }
    do {
      return TranslatedTokenizer(files: try HuggingFaceTokenizer(values).files)
    } catch {
      return TranslatedTokenizer(obstacle: error.reason)
    }
  }
}
