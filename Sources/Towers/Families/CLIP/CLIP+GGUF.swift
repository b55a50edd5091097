import Models
import TensorCore
import Vision

extension Dialect {
  /// The encoder of pictures in a GGUF file, as llama.cpp's script writes it with `--vision-only`
  /// (tools/mtmd/legacy-models/convert_image_encoder_to_gguf.py). The encoder of texts has names there, too, but not the
  /// factor of the comparison, so that no file is both towers.
  static var ggufCLIPVision: Dialect {
    Dialect(
      name: "gguf",
      architecture: CLIPVision.name,
      rules: [.ggufTower(), .rename("visual_projection", "visual_projection")],
      nativeConfig: .ggufCLIPVision,
      limits: .ggufTower(CLIPVision.self) { $0.form },
      evidence: [.name("v.class_embd", without: "mm.0.weight", "t.token_embd.weight")],
      ownFiles: .gguf)
  }
}

extension NativeConfig {
  /// The key-values of CLIP's encoder of pictures.
  fileprivate static var ggufCLIPVision: NativeConfig {
    .gguf(
      GGUFConfig<CLIPVision>(
        architecture: "clip", className: "CLIPVisionModel", names: ggufTowerNames,
        facts: { facts in
          var members = [facts.towerActivation] + facts.towerProjection
          if let width = facts.shape("visual_projection.weight")?.first {
            members.append(.init("projection_dim", .number(width)))
            members.append(.init("architectures", ["CLIPVisionModelWithProjection"]))
          }
          return members
        },
        isMember: { $0.isTowerAlone && $0.has("v.class_embd") }, isOfWords: false),
      facts: { model, config in
        let isProjected = model.form.head.task == .projection
        return model.form.ggufValues(
          projection: isProjected
            ? model.form.head.projection : config["projection_dim"]?.int ?? 512,
          colours: CLIPVision.ggufColours) + [.init("has_llava_projector", false)]
      })
  }
}

extension CLIPVision {
  /// What pictures are normalised by: OpenAI's numbers, which its processor has where no file says others.
  static var ggufColours: (mean: [Double], deviation: [Double]) {
    ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11])
  }
}
