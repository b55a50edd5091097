import TensorCore

extension ContainerFormat {
  /// The first format of ggml's files as whisper.cpp has it (ggml-org/whisper.cpp: models/convert-pt-to-ggml.py,
  /// src/whisper.cpp, `whisper_model_load`): a magic number, eleven sizes, the filters that make bands of frequencies,
  /// words, and tensors one behind the other.
  ///
  /// Other programs had other sizes behind the same number; their files are known and not read.
  public static let ggml = ContainerFormat(
    name: "ggml", fileExtension: "ggml", canShard: false, holdsBlocks: true,
    matches: { GGML.isOne($0) ? .exact : nil },
    read: { file throws(CheckpointError) in try readGGML(file) },
    layout: { contents throws(CheckpointError) in try GGMLLayout(contents) })
}

/// What the format lays down.
enum GGML {
  /// `0x67676d6c`, least significant byte first.
  static let magic = Array("lmgg".utf8)

  /// The sizes in order, as the program's own file of torch's calls them.
  static let sizes = [
    "n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx",
    "n_text_state", "n_text_head", "n_text_layer", "n_mels",
  ]

  /// How many frequencies each filter has: those of a transform of 400 samples.
  static let frequencies = 201

  /// Extents of a tensor that the program reads at most.
  static let rank = 4

  /// Tensors of more than one extent that the program has in single precision.
  static let singles: Set<String> = [
    "encoder.conv1.bias", "encoder.conv2.bias", "encoder.positional_embedding",
    "decoder.positional_embedding",
  ]

  /// What is added to the type of a file whose matrices are blocks: how these are made, times 1000
  /// (`GGML_QNT_VERSION`, `GGML_QNT_VERSION_FACTOR`).
  static let blockVersion = 2000

  /// The number of a type that most matrices have (`enum ggml_ftype`), of those that the program computes with.
  static let fileTypes: [DType: Int] = [
    .f32: 0, .f16: 1, .q40: 2, .q41: 3, .q80: 7, .q50: 8, .q51: 9, .q2k: 10, .q3k: 11, .q4k: 12,
    .q5k: 13, .q6k: 14,
  ]

  /// How many tensors a model of these sizes has; whoever has fewer is cut off.
  static func tensorCount(layers encoder: Int, _ decoder: Int) -> Int {
    11 + 15 * encoder + 24 * decoder
  }

  /// Whether a file has these sizes behind the magic number: the number of bands stands there twice, and that of
  /// frequencies behind it.
  static func isOne(_ glimpse: Glimpse) -> Bool {
    glimpse.begins(with: magic) && glimpse.bytes(at: 40, 4) == glimpse.bytes(at: 48, 4)
      && glimpse.bytes(at: 52, 4) == [UInt8(frequencies), 0, 0, 0]
  }
}
