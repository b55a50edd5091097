import Models
import TensorCore

extension Dialect {
  /// Whisper in the files of whisper.cpp (ggml-org/whisper.cpp: models/convert-pt-to-ggml.py): OpenAI's names, where the
  /// biases of convolutions have an axis more.
  static let whisperCPP = Dialect(
    name: "whisper-cpp",
    architecture: Whisper.name,
    rules: [openAIRules { .unit(.weight($0), axis: 1) }],
    nativeConfig: .whisperCPP,
    limits: openAILimits,
    evidence: [Evidence(stored: "encoder.conv1.bias", shape: { $0.count == 2 })],
    ownFiles: Dialect.OwnFiles(
      program: "whisper.cpp", files: "ggml files", container: "ggml",
      isSingle: { name, rank in
        rank < 2 || name.hasSuffix("positional_embedding") || name.hasSuffix(".bias")
      }))
}

extension NativeConfig {
  /// The sizes at the beginning of a file.
  fileprivate static let whisperCPP = NativeConfig(
    inside: "ggml",
    recognizes: { config, _ in config["model_type"] == nil && config["n_audio_ctx"] != nil },
    usual: { config, _ throws(CheckpointError) in try WhisperSizes(config).config },
    native: { WhisperSizes.native(for: $0) },
    tensors: { _ in [] })
}
