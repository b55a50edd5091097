import TensorCore

extension Codec {
  /// Blocks of codes with scales of their own, as ggml stores them: each tensor by itself. The numbers are those of
  /// ggml's own decoder, in single precision (`DType.decodeBlocks`).
  public static let ggmlBlocks = Codec(
    name: "ggml-blocks", configKeys: ["general.quantization_version"]
  ) { table, _ throws(CheckpointError) in
    table.tensors.filter(\.dtype.isBlock).map { stored in
      CodedTensor(codec: "ggml-blocks", stored: [stored], tensor: stored.decodingBlocks)
    }
  }
}

extension Tensor {
  /// The numbers that blocks stand for, decoded when they are read; any other tensor as it is.
  fileprivate var decodingBlocks: Tensor {
    let (stored, dtype) = (self, dtype)
    let block = dtype.encoding.elementsPerBlock
    return Tensor(
      name: name, dtype: .f32, shape: shape,
      bytes: DecodedBytes(
        elementCount: elementCount, codes: bytes,
        announce: { stored.bytes.announce(stored.byteRange(of: $0)) },
        decode: { range throws(CheckpointError) in
          let values = dtype.decodedBlocks(try stored.bytes(of: range))
          let first = range.lowerBound % block
          return first == 0 && values.count == range.count
            ? values : Array(values[first..<first + range.count])
        }))
  }
}
