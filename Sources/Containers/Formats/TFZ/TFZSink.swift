import TensorCore

/// Where a TFZ file is written to: a place for a chunk is reserved in turn, and filled at any time.
protocol TFZSink: AnyObject {
  /// Where the next bytes go.
  var position: Int { get }
  /// Takes the next `count` bytes, and says where they begin. Not from two threads at once.
  func reserve(_ count: Int) throws(CheckpointError) -> Int
  /// Writes bytes to a place that was reserved. From any thread.
  func fill(_ bytes: RawSpan, at offset: Int) throws(CheckpointError)
}

extension TFZSink {
  func append(_ bytes: [UInt8]) throws(CheckpointError) {
    let offset = try reserve(bytes.count)
    try unsafe fill(bytes.span.bytes, at: offset)
  }
}

extension OutputFile: TFZSink {}
