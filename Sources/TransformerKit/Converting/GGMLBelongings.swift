import Containers
import Models
import Sounds
import SystemPackage
import TensorCore
import Tokenizers

extension Checkpoint {
  /// What a ggml file begins with: what the source's own does, or sizes of the model, filters that a formula gives, and
  /// the words of the tokenizer beside it.
  ///
  /// - Throws: `CheckpointError` if there is no tokenizer that says the words.
  func ggmlBelongings(
    for target: Conversion.Target, of model: Model?
  ) throws(CheckpointError) -> Belongings {
    guard belongings.ggml == nil, let graph = model?.graph, let dialect = target.dialect,
      let sizes = graph.values(of: dialect, in: ContainerFormat.ggml.name)
    else { return belongings }
    var all = belongings
    do throws(CheckpointError) {
      let filters = MelFilters(
        bands: sizes["n_mels"]?.int ?? 0, frequencies: MelFilters.usualFrequencies, rate: 16_000)
      all.ggml = try GGMLHead(
        sizes: sizes, filters: filters.singleValues,
        words: try words(below: sizes["n_vocab"]?.int ?? 0))
    } catch {
      throw error.inFile(displayed(path))
    }
    return all
  }

  /// The bytes of the words before the first added one.
  private func words(below count: Int) throws(CheckpointError) -> [[UInt8]] {
    let found: FoundTokenizer
    do {
      found = try FoundTokenizer(path)
    } catch {
      throw CheckpointError(
        .refused("a ggml file has the words of a tokenizer, and none lies beside the weights"),
        file: error.file,
        advice: "put tokenizer.json, vocab.json with merges.txt, or multilingual.tiktoken there")
    }
    let words = found.tokenizer.wordsOfBytes
    guard words.count <= count else {
      throw CheckpointError(
        .refused("the tokenizer has \(words.count) words, and the model \(count) tokens"),
        file: displayed(found.file))
    }
    return words
  }
}
