import SystemPackage
import TensorCore

extension ContainerFormat {
  /// The weights of an ONNX model (`onnx.proto`): its graph's initialisers and the tensors of its Constant
  /// nodes, in the file or in others beside it.
  ///
  /// Nothing else of the graph is read. What the bodies of control flow hold is not: names there mean
  /// nothing outside.
  public static let onnx = ContainerFormat(
    name: "onnx", fileExtension: "onnx", canShard: false,
    matches: { $0.message == .onnx ? .exact : nil },
    read: { file throws(CheckpointError) in
      var model = ONNXModel(file)
      return try model.read()
    },
    layout: nil)
}

/// An ONNX model whose tensors are being collected.
private struct ONNXModel {
  private let file: any ByteSource
  private var contents = Contents(tensors: [], keepsOrder: false)
  private var external: ONNXExternalFiles

  init(_ file: any ByteSource) {
    self.file = file
    external = ONNXExternalFiles(beside: file)
  }

  /// Operations that have graphs of their own in them.
  private static let bodied: Set<String> = ["If", "Loop", "Scan", "SequenceMap"]

  /// `ModelProto`: the graph is field 7.
  mutating func read() throws(CheckpointError) -> Contents {
    var reader = WireReader(SourceCursor(file))
    var graph: WireReader?
    while let field = try reader.next() {
      guard field.number == 7 else { continue }
      guard graph == nil else {
        throw CheckpointError(.malformed("the model has two graphs"), offset: field.offset)
      }
      graph = reader.message(try field.bytes("the graph"))
    }
    guard let graph else { throw CheckpointError(.malformed("the model has no graph")) }
    try add(graph: graph)
    contents.files = external.paths
    return contents
  }

  /// `GraphProto`: nodes are field 1, initialisers field 5, sparse ones field 15.
  private mutating func add(graph: WireReader) throws(CheckpointError) {
    var reader = graph
    while let field = try reader.next() {
      switch field.number {
      case 1: try add(node: reader.message(try field.bytes("a node")))
      case 5:
        let message = reader.message(try field.bytes("an initialiser"))
        try add(ONNXTensor(message, at: field.offset))
      case 15:
        throw CheckpointError(
          .unsupported("has a sparse initialiser, which is not read"), offset: field.offset)
      default: break
      }
    }
  }

  /// `NodeProto`: its first output is the name of a Constant's tensor, which is an attribute of it.
  private mutating func add(node: WireReader) throws(CheckpointError) {
    var reader = node
    var output: String?
    var type = ""
    var attributes: [Range<Int>] = []
    while let field = try reader.next() {
      switch field.number {
      case 2 where output == nil:
        output = try reader.text(try field.bytes("an output"), limit: Limits.name)
      case 4: type = try reader.text(try field.bytes("an operation"), limit: Limits.name)
      // A Constant has one attribute.
      case 5 where attributes.count < 2: attributes.append(try field.bytes("an attribute"))
      default: break
      }
    }
    if Self.bodied.contains(type), let output {
      contents.addOther(output, "the body of a node \(type)")
    }
    guard type == "Constant", let output, attributes.count == 1 else { return }
    try add(constant: reader.message(attributes[0]), output: output)
  }

  /// `AttributeProto`: the name is field 1, a number 2 or 3, a tensor 5.
  private mutating func add(
    constant: WireReader, output: String
  ) throws(CheckpointError) {
    var reader = constant
    var name = ""
    var tensor: (message: WireReader, offset: Int)?
    var number: (dtype: DType, bytes: [UInt8])?
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let range)): name = try reader.text(range, limit: Limits.name)
      case (2, .fixed32(let bits)): number = (.f32, bits.littleEndianBytes)
      case (3, .number(let bits)): number = (.i64, bits.littleEndianBytes)
      case (5, .bytes(let range)): tensor = (reader.message(range), field.offset)
      default: break
      }
    }
    switch name {
    case "value":
      guard let tensor else { return }
      try add(ONNXTensor(tensor.message, at: tensor.offset), named: output)
    case "value_float", "value_int":
      guard let number else { return }
      try add(
        Tensor(
          name: TensorName(output), dtype: number.dtype, shape: [],
          bytes: ByteArray(number.bytes)))
    // Lists of numbers, texts and sparse tensors.
    default: contents.addOther(output, "a constant (\(name))")
    }
  }

  private mutating func add(
    _ tensor: ONNXTensor, named name: String? = nil
  ) throws(CheckpointError) {
    let name = name ?? tensor.name
    do throws(CheckpointError) {
      guard tensor.type != ONNXTensor.text else {
        contents.addOther(name, "texts")
        return
      }
      try Limits.check(
        name: TensorName(name), rank: tensor.shape.count, offset: tensor.offset)
      try add(tensor.tensor(TensorName(name), in: file, &external))
    } catch {
      var error = error
      error.tensor = error.tensor ?? TensorName(name)
      error.offset = error.offset ?? tensor.offset
      throw error
    }
  }

  private mutating func add(_ tensor: Tensor) throws(CheckpointError) {
    guard contents.tensors.count < Limits.tensors else {
      throw CheckpointError(
        .limitExceeded(
          "the number of tensors", limit: Limits.tensors, found: contents.tensors.count + 1))
    }
    contents.tensors.append(tensor)
  }
}
