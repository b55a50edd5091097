import Support
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder with two shards, `a` and `b`, that hold the tensors `x` and `y`. It is gone at the end.
struct ShardFolder: Sendable {
  private let path = FilePath("\(memory)/tfkit-fuzz-shards.\(getpid())")
  private let descriptor: FileDescriptor

  init() {
    mkdir(path.string, 0o700)
    do {
      for (file, tensor) in [("a", "x"), ("b", "y")] {
        let header = #"{"\#(tensor)":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}} "#
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        let shard = try Self.create(path.appending(file))
        try shard.closeAfter { _ = try shard.writeAll(length + header.utf8 + [1, 2]) }
      }
      descriptor = try Self.create(path.appending("index.json"))
    } catch {
      fatalError("cannot make shards: \(error)")
    }
    atexit {
      let path = FilePath("\(memory)/tfkit-fuzz-shards.\(getpid())")
      for name in ["a", "b", "index.json"] { unlink(path.appending(name).string) }
      rmdir(path.string)
    }
  }

  private static func create(_ path: FilePath) throws -> FileDescriptor {
    try FileDescriptor.open(
      path, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
  }

  /// The index with these bytes.
  func index(_ data: UnsafePointer<UInt8>, _ size: Int) -> FilePath {
    do {
      try descriptor.resize(to: 0)
      try descriptor.writeAll(
        toAbsoluteOffset: 0, UnsafeRawBufferPointer(start: data, count: size))
    } catch {
      fatalError("cannot write the index: \(error)")
    }
    return path.appending("index.json")
  }
}
