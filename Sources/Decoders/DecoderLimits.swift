import Kernels
import Models
import TensorCore

/// What ecosystems' own code computes whatever the config of a decoder says. See `Limit`.
extension Limit {
  /// The ways to scale rotary frequencies that the code knows, by the names that configs have for them;
  /// "default", none at all, is always known.
  static func rotaryScaling<Model: CausalDecoder>(_: Model.Type, known: [String]) -> Limit {
    .of(Model.self, "rope_type") { model in
      model.form.rotaries.otherScaling(than: known).map { ("\($0) in the config", "not known") }
    }
  }

  /// The bounds of YaRN's ramp are whole numbers.
  static func truncatedYaRN<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "truncate") { model in
      let isWhole = model.form.rotaries.allSatisfy {
        guard case .yarn(let yarn) = $0.scaling else { return true }
        return yarn.truncates
      }
      return isWhole ? nil : ("false in the config", "true")
    }
  }

  /// YaRN's attention factor is that of the factor alone, or a number: no quotient of two of them.
  static func yarnWeights<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "mscale") { model in
      model.form.rotaries.yarnWeights.map { ("\($0) in the config", "not known") }
    }
  }

  /// LongRoPE's factors are chosen when a context is made, not for each text.
  static func longRoPEByContext<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "longrope") { model in
      model.form.rotaries.contains { $0.scaling.name == "longrope" }
        ? ("chosen by the length of the text", "by the size of the context") : nil
    }
  }

  /// An even count of numbers is turned.
  static func evenRotaryPart<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "the count of numbers that are turned") { model in
      guard let block = model.form.blocks.first, let rotary = model.form.rotaries.first,
        !rotary.size.isMultiple(of: 2)
      else { return nil }
      return ("\(rotary.size) of \(block.attention.shape.headSize)", "even")
    }
  }

  /// The queries of all heads are together as wide as the stream.
  static func headsAsWideAsStream<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "the width of all heads") { model in
      guard let shape = model.form.blocks.first?.attention.shape,
        shape.queryWidth != model.form.width
      else { return nil }
      return ("\(shape.queryWidth) in the config", "that of the stream, \(model.form.width),")
    }
  }

  /// Queries see all keys before them.
  static func noWindow<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "sliding_window") { model in
      let windows = model.form.blocks.compactMap(\.attention.shape.window)
      guard let first = windows.first else { return nil }
      return ("\(first) in \(windows.count) of \(model.form.blocks.count) layers", "none")
    }
  }

  /// The base of rotary positions is read where transformers 4 wrote it, as `rope_theta`, and is `usual` where it
  /// is not there; `nil` if the code then fails.
  static func olderRotaryKeys(usual: Double?) -> Limit {
    Limit("rope_theta") { graph in
      guard graph.config["rope_theta"] == nil,
        let own = graph.config["rope_parameters"]?["rope_theta"]?.double ?? usual, own != usual
      else { return nil }
      return ("\(own) in rope_parameters of the config", usual.map { "\($0)" } ?? "not found")
    }
  }

  /// The code wants a head over the vocabulary.
  static func headOfWords<Model: CausalDecoder>(_: Model.Type) -> Limit {
    .of(Model.self, "the head") { model in
      model.form.head.task == .base
        ? ("no part of the model", "always there and wanted in the file") : nil
    }
  }
}
