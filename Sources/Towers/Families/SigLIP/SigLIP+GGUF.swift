import Models
import TensorCore
import Vision

extension Dialect {
  /// The encoder of pictures in a GGUF file, as llama.cpp's script writes it with `--clip-model-is-siglip` and
  /// `--vision-only` (tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py).
  static var ggufSigLIPVision: Dialect {
    Dialect(
      name: "gguf",
      architecture: SigLIPVision<FirstSigLIP>.name,
      rules: [.ggufTower()],
      nativeConfig: .ggufSigLIPVision,
      limits: .ggufTower(SigLIPVision<FirstSigLIP>.self) { $0.form },
      evidence: [
        .name(
          "v.position_embd.weight", without: "v.class_embd", "mm.0.weight", "t.token_embd.weight")
      ],
      ownFiles: .gguf)
  }
}

extension NativeConfig {
  /// The key-values of SigLIP's encoder of pictures.
  fileprivate static var ggufSigLIPVision: NativeConfig {
    .gguf(
      GGUFConfig<SigLIPVision<FirstSigLIP>>(
        architecture: "clip", className: "SiglipVisionModel", names: ggufTowerNames,
        facts: { facts in
          [
            facts.towerActivation,
            .init("vision_use_head", .bool(facts.has("v.head.probe"))),
          ]
        },
        isMember: {
          $0.isTowerAlone && !$0.has("v.class_embd") && $0.has("v.position_embd.weight")
        },
        isOfWords: false),
      facts: { model, _ in
        model.form.ggufValues(projection: 0, colours: FirstSigLIP.ggufColours) + [
          .init("has_llava_projector", false)
        ]
      })
  }
}

extension FirstSigLIP {
  /// What pictures are normalised by where no file says other numbers.
  static var ggufColours: (mean: [Double], deviation: [Double]) {
    let half = Array(repeating: 0.5, count: 3)
    return (half, half)
  }
}
