public import Kernels
public import Models
import TensorCore

extension Family {
  /// PyTorch's own modules of the Transformer, and their dialect.
  package static let torchTransformer = Family(
    members: [TorchTransformer.self], dialects: [.torchModules])
}

/// PyTorch's modules of the Transformer: `torch.nn.Transformer`, its encoder and its decoder, and one layer of either
/// (torch/nn/modules/transformer.py, 2.x).
///
/// Vaswani et al., arXiv 1706.03762, §3; normalised before layers: Xiong et al., arXiv 2002.04745. They read vectors. The
/// config has the arguments of their constructors, and of the calls what is causal.
public struct TorchTransformer: Architecture {
  public static let name = "torch_transformer"

  /// The class.
  let module: TorchModule
  /// The width of all vectors.
  let width: Int
  /// What is there of encoder and decoder, in that order.
  let stacks: [TorchStack]

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let module: TorchModule = config.head {
      let stored = [Stack.encoder, .decoder].map {
        isStored("\($0.rawValue).blocks.0.attention.output.weight")
      }
      return stored[0] ? stored[1] ? .transformer : .encoder : .decoder
    }
    let width = config.count("d_model", default: 512, on: .weights)
    let heads = config.count("nhead", default: 8, on: .outputs(as: "heads"))
    let hidden = config.count("dim_feedforward", default: 2048, on: .weights)
    let activation = config.activation("activation", default: .relu)
    let epsilon = config.epsilon("layer_norm_eps", default: 1e-5)
    let normsFirst = config.flag("norm_first", default: false)
    let hasBias = config.flag("bias", default: true, on: .weights)
    let norm = NormForm.layer(epsilon: epsilon, hasBias: hasBias)
    stacks = module.stacks.map { stack in
      var attention = SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads)), hasBias: hasBias,
        hasOutputBias: hasBias,
        seesAhead: !config.flag(stack.causalKey, default: stack == .decoder))
      attention.mask = stack.vectorMask
      var block = BlockForm(
        attention: attention,
        feedForward: FeedForwardForm(hidden: hidden, activation: activation, hasBias: hasBias),
        arrangement: normsFirst ? .normBefore : .normAfter, norm: norm)
      if stack == .decoder {
        block.cross = CrossAttentionForm(
          heads: heads, headSize: max(1, width / heads),
          source: module == .transformer ? Stack.encoder.state : TorchStack.memory,
          mask: TorchStack.memoryMask)
        block.cross?.hasBias = hasBias
      }
      let layers = module.layers(of: stack).map {
        config.count($0.key, default: $0.usual, limit: ConfigReader.mostLayers, on: .weights)
      }
      return TorchStack(
        stack: stack, block: block, layers: layers ?? 1,
        norm: module.hasNorm(isStored("\(stack.rawValue).norm.weight")) ? norm : nil)
    }
    (self.module, self.width) = (module, width)
    // torch.nn.Transformer alone has defaults of these.
    for key in ["d_model", "nhead"] where module != .transformer && !config.has(key) {
      config.reject("\(key) is missing, which \(module.rawValue) must be given")
    }
    config.disregard(["batch_first", "dropout", "enable_nested_tensor", "norm"])
    if config.faults.isEmpty { config.rejectUndivided(width, "d_model", by: heads, "nhead") }
  }

  public var head: String { module.rawValue }

  public var dimensions: [String: Int] { [module.rawValue: 1] }

  public var hiddenWidth: Int? { width }

  public var inputs: [InputSlot] {
    let memory: [InputSlot] =
      module.stacks == [.decoder]
      ? [.numbers(TorchStack.memory, [.batch, .length, .size(width)])] : []
    return memory
      + stacks.flatMap { stack -> [InputSlot] in
        let length: InputSlot.Axis = stack.stack == .encoder ? .length : .decoderLength
        return [
          .numbers(stack.stack.vectors, [.batch, length, .size(width)]),
          .mask(stack.stack.vectorMask, over: length),
        ]
      } + (module.stacks.contains(.decoder) ? [.mask(TorchStack.memoryMask)] : [])
  }

  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    stacks.flatMap { stack -> [Stage<Scalar>] in
      let output = stack.stack == .encoder && stacks.count > 1 ? TorchStack.memory : "output"
      return stack.stages(width: width, output: output)
    }
  }
}

/// PyTorch's classes.
enum TorchModule: String, CaseIterable {
  case transformer = "Transformer"
  case encoder = "TransformerEncoder"
  case decoder = "TransformerDecoder"
  case encoderLayer = "TransformerEncoderLayer"
  case decoderLayer = "TransformerDecoderLayer"

  /// What there is of encoder and decoder.
  var stacks: [Stack] {
    switch self {
    case .transformer: [.encoder, .decoder]
    case .encoder, .encoderLayer: [.encoder]
    case .decoder, .decoderLayer: [.decoder]
    }
  }

  /// Whether it is one layer.
  var isLayer: Bool { self == .encoderLayer || self == .decoderLayer }

  /// The argument that says how many layers a stack has, and how many it has without; `nil` if it is a layer.
  func layers(of stack: Stack) -> (key: String, usual: Int)? {
    if isLayer { return nil }
    return self == .transformer ? ("num_\(stack.rawValue)_layers", 6) : ("num_layers", 6)
  }

  /// Whether a normalisation stands behind the last layer.
  func hasNorm(_ isStored: Bool) -> Bool { self == .transformer || (!isLayer && isStored) }
}

/// A stack of equal layers that reads vectors.
struct TorchStack: Sendable, Equatable {
  /// The input that has what an encoder made of another sequence, and the output.
  static let memory = "memory"
  /// The input that says what of that is no padding.
  static let memoryMask = "memory_attention_mask"

  let stack: Stack
  let block: BlockForm
  let layers: Int
  let norm: NormForm?

  /// - Parameter output: what the last states are called.
  fileprivate func stages<Scalar: ComputeScalar>(
    width: Int, output: String
  ) -> [Stage<Scalar>] {
    (0..<layers).map { stage($0, width: width, output: output) }
      + (norm.map { [stage($0, width: width, output: output)] } ?? [])
  }

  private func stage<Scalar: ComputeScalar>(
    _ layer: Int, width: Int, output: String
  ) -> Stage<Scalar> {
    let isLast = layer == layers - 1 && norm == nil
    let hidden = StageOutput.hidden(
      layer + 1, from: stack.state, named: "\(stack.rawValue)_hidden_states")
    return Stage(
      "\(stack.rawValue).blocks.\(layer)",
      outputs: [hidden] + (isLast ? [.final(output, from: stack.state)] : []), work: work
    ) { scope throws(CheckpointError) in
      let block = try block.load(
        scope.module(stack.rawValue, .sequence).module("blocks", .sequence)
          .module("\(layer)", .block),
        width: width)
      return { states throws(CheckpointError) in
        let x =
          layer > 0
          ? states[stack.state] : states.inputs.numbers(stack.vectors, as: Scalar.self)
        states[stack.state] = try block(x, &states)
      }
    }
  }

  private func stage<Scalar: ComputeScalar>(
    _ norm: NormForm, width: Int, output: String
  ) -> Stage<Scalar> {
    Stage(
      "\(stack.rawValue).norm", outputs: [.final(output, from: stack.state)], work: work
    ) { scope throws(CheckpointError) in
      let norm = try Norm(scope.module(stack.rawValue, .sequence), "norm", norm, width: width)
      return { states throws(CheckpointError) in
        states[stack.state] = norm(states[stack.state])
      }
    }
  }

  /// As many positions as the longest of what is read has.
  private var work: @Sendable (ModelInputs) -> StageWork {
    { inputs in
      let shapes = inputs.numbers.values.map(\.shape).filter { $0.count == 3 }
      return StageWork(
        positions: shapes.map { $0[0] * $0[1] }.max() ?? 0, length: shapes.map { $0[1] }.max() ?? 0)
    }
  }
}

extension Stack {
  /// What it reads where that is no ids.
  fileprivate var vectors: String { self == .encoder ? "src" : "tgt" }

  /// The input that says what of it is no padding.
  fileprivate var vectorMask: String { vectors + "_attention_mask" }

  /// What says that positions see only what is before them.
  fileprivate var causalKey: String { vectors + "_is_causal" }
}
