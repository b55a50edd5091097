import Containers
import Kernels
import Models
public import SystemPackage
import TensorCore
import TestSupport
public import TransformerKit

/// A model that mistakes are planted in, and its framework's outputs.
public struct Subject: Sendable {
  /// What the table calls it: `bert/google_base`.
  public let name: String
  /// The model as it should be.
  public let model: Model
  /// Outputs of its original framework.
  public let golden: Golden
  /// How its files are understood.
  let options: OpenOptions

  /// Opens a model's folder with a golden.npz in it.
  ///
  /// - Parameter options: how to understand it; training state is left out.
  public init(_ folder: FilePath, name: String, options: OpenOptions = OpenOptions()) throws {
    self.name = name
    var options = options
    options.recognition.dropsTrainingState = true
    self.options = options
    model = try Model(folder, options: options)
    golden = try Golden(folder.appending("golden.npz"))
  }

  /// The model's architecture: `bert`.
  public var family: String { type(of: model.graph.architecture).name }

  /// The model's dialect: `google-bert`.
  public var dialect: String { model.graph.dialect.fullName }

  /// The model with a mistake in it, written to a file in the model's own dialect and read again.
  ///
  /// - Throws: `CheckpointError` if the dialect cannot hold it, or a reader refuses it.
  func model(with mutant: Mutant) throws -> Model {
    let config = mutant.config.reduce(model.graph.completedConfig) {
      $0.setting($1.path, to: $1.value)
    }
    return try write(
      try model.graph.replacing(mutant.weights).translated(to: dialect).map(\.tensor),
      config: config)
  }

  /// A model written and read again.
  func write(
    _ tensors: [Tensor], config: JSONValue, to format: ContainerFormat = .safetensors,
    maxShardSize: Int? = nil
  ) throws -> Model {
    // The folder goes away in the end, and the open files stay.
    let folder = ScratchFolder()
    let isFolder = maxShardSize != nil
    let path = folder.path.appending(isFolder ? "model" : "model.\(format.fileExtension)")
    try CheckpointWriter(
      destination: path, format: format, isFolder: isFolder, maxShardSize: maxShardSize
    ).write(tensors: tensors, config: Array(config.text().utf8))
    return try withExtendedLifetime(folder) { try Model(path, options: options) }
  }
}
