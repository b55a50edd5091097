import Codecs
import Containers
import Models
import TensorCore

/// The type in which each tensor is written.
struct TargetTypes {
  private let dtype: DType?
  private let isSingle: (Tensor) -> Bool
  /// Whether all tensors stay as they are, whatever they are.
  let changesNothing: Bool

  /// Types for what is written of a model, or of any checkpoint.
  init(_ target: Conversion.Target, of model: Model?, in format: ContainerFormat) {
    dtype = target.dtype
    guard let graph = model?.graph, let dialect = target.dialect else {
      isSingle = { _ in false }
      changesNothing = dtype == nil
      return
    }
    isSingle = { graph.isSingle($0, of: dialect, in: format.name) }
    changesNothing = false
  }

  /// What a tensor is cast to; `nil` if it stays.
  ///
  /// Vectors are not put into blocks, nor rows that are no whole ones: they get the types that llama.cpp gives
  /// them then (`--pure`).
  func type(of tensor: Tensor) -> DType? {
    if isSingle(tensor) { return .f32 }
    guard let dtype, let block = dtype.blockEncoding?.elementsPerBlock else { return dtype }
    guard tensor.shape.count > 1, let row = tensor.shape.last else { return .f32 }
    return row.isMultiple(of: block) ? dtype : .f16
  }

  /// The tensor in its type.
  func applied(to tensor: Tensor) -> Tensor {
    type(of: tensor).map { tensor.cast(to: $0) } ?? tensor
  }
}

extension Checkpoint {
  /// What a target holds beside the tensors: what the source does, and in a dialect's own container what its
  /// programs want to know of the model.
  ///
  /// - Parameters:
  ///   - tensors: what is written.
  ///   - files: what lies beside the source's weights; its tokenizer is among them.
  /// - Throws: `CheckpointError` if it is not known how to say that.
  func belongings(
    for target: Conversion.Target, of model: Model?, in format: ContainerFormat,
    _ tensors: [Tensor], beside files: [CompanionFile]
  ) throws(CheckpointError) -> Belongings {
    if format == .torch {
      guard let graph = model?.graph, let dialect = target.dialect,
        graph.isOwnDialect(dialect, in: format)
      else { return belongings }
      var all = belongings
      all.modelArguments = graph.values(of: dialect, in: format.name)
      return all
    }
    if format == .ggml { return try ggmlBelongings(for: target, of: model) }
    guard format == .gguf else { return belongings }
    if let old = belongings.keyValues {
      // Types that are no others are said already, or not.
      guard target.dtype != nil || target.dequantizes else { return belongings }
      var all = belongings
      all.keyValues = old.sayingTypes(of: tensors)
      return all
    }
    guard let graph = model?.graph, let dialect = target.dialect,
      graph.isOwnDialect(dialect, in: format)
    else { return belongings }
    guard let facts = graph.values(of: dialect, in: format.name)?.members else {
      throw CheckpointError(
        .unsupported(
          "what a GGUF file says of a model is not known for \(type(of: graph.architecture).name)"),
        file: displayed(path),
        advice: "a target that ends in .safetensors holds the same tensors")
    }
    let words = facts.first { $0.key.hasSuffix(".vocab_size") }?.value.int ?? 0
    let tokenizer = try GGUFTokenizer(
      in: files + belongings.files, config: graph.completedConfig, wordCount: words)
    var all = belongings
    let said = tokenizer?.values ?? GGUFTokenizer.marks(of: graph.completedConfig, wordCount: words)
    let known = Set(said.map(\.key))
    let values = GGUFKeyValues(.object(facts.filter { !known.contains($0.key) } + said))
    all.keyValues = values.sayingTypes(of: tensors)
    if let table = tokenizer?.characterMap, !table.isEmpty {
      all.keyValues = all.keyValues?.setting("tokenizer.ggml.precompiled_charsmap", bytes: table)
    }
    return all
  }
}

extension WeightGraph {
  /// Whether a dialect's own program reads a container that is not everybody's.
  fileprivate func isOwnDialect(_ dialect: String, in format: ContainerFormat) -> Bool {
    foreignFiles(of: dialect, in: "") != nil && foreignFiles(of: dialect, in: format.name) == nil
  }
}
