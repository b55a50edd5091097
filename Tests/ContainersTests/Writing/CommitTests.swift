import Containers
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is left when writing does not come to its end, and what the next run makes of it.
@Suite struct CommitTests {
  private let scratch = ScratchFolder()

  private func tensor(_ name: String, _ value: UInt8, count: Int = 40) -> Tensor {
    Tensor(TensorName(name), .u8, [count], [UInt8](repeating: value, count: count))
  }

  /// Bytes that cannot be read beyond some point.
  private struct Broken: TensorBytes {
    let count = 40

    func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
      throw CheckpointError(.changedWhileRead, file: "source")
    }
  }

  private func broken(_ name: String) -> Tensor {
    Tensor(name: TensorName(name), dtype: .u8, shape: [40], bytes: Broken())
  }

  private func write(
    _ tensors: [Tensor], to name: String, config: [UInt8]? = nil, isResumable: Bool = false,
    overwrite: Bool = false,
    beforeCommit: (CheckpointWriter.Unnamed) throws(CheckpointError) -> Void = { _ in }
  ) throws -> Int {
    let isFolder = !name.hasSuffix(".safetensors")
    let writer = CheckpointWriter(
      destination: scratch.path.appending(name), format: .safetensors, isFolder: isFolder,
      overwrite: overwrite, maxShardSize: isFolder ? 200 : nil, isResumable: isResumable)
    let plan = try writer.plan(tensors: tensors, config: config)
    return try writer.write(plan, beforeCommit: beforeCommit).files
  }

  private func files(_ name: String) -> [String: [UInt8]] {
    let folder = scratch.path.appending(name)
    return Dictionary(
      uniqueKeysWithValues: fileNames(in: folder).map { ($0, readFile(folder.appending($0))) })
  }

  // MARK: A file and its config

  @Test func `a failing second rename puts both old files back`() throws {
    _ = try write([tensor("a", 1)], to: "x.safetensors", config: [1])
    let names = ["x.safetensors", "x.safetensors.config.json"]
    let old = names.map { readFile(scratch.path.appending($0)) }
    let error = #expect(throws: CheckpointError.self) {
      try write([tensor("a", 2)], to: "x.safetensors", config: [2], overwrite: true) {
        written throws(CheckpointError) in
        // The new weights vanish; they would have been renamed last.
        unsafe written.path.withPlatformString { _ = unsafe unlink($0) }
      }
    }
    #expect(error?.problem == .system(ENOENT, "cannot rename"))
    #expect(names.map { readFile(scratch.path.appending($0)) } == old)
    #expect(scratch.names == names)
  }

  /// As another run does that replaces the same files by the same.
  @Test func `a config that is away for a moment is waited for`() throws {
    _ = try write([tensor("a", 1)], to: "x.safetensors", config: [1])
    let (config, aside) = (
      scratch.path.appending("x.safetensors.config.json"), scratch.path.appending("aside")
    )
    _ = try write([tensor("a", 2)], to: "x.safetensors", config: [1], overwrite: true) { _ in
      let isAway = unsafe rename(config.string, aside.string) == 0
      #expect(isAway)
      Thread.detachNewThread {
        usleep(20_000)
        _ = unsafe rename(aside.string, config.string)
      }
    }
    #expect(scratch.names == ["x.safetensors", "x.safetensors.config.json"])
    #expect(readFile(scratch.path.appending("x.safetensors")).last == 2)
  }

  @Test func `a config that changes while weights are written is no mixture`() throws {
    _ = try write([tensor("a", 1)], to: "x.safetensors", config: [1])
    let old = readFile(scratch.path.appending("x.safetensors"))
    let error = #expect(throws: CheckpointError.self) {
      try write([tensor("a", 2)], to: "x.safetensors", config: [1], overwrite: true) {
        _ throws(CheckpointError) in
        scratch.write([7], to: "x.safetensors.config.json")
      }
    }
    #expect(error?.problem == .changedWhileRead)
    #expect(readFile(scratch.path.appending("x.safetensors")) == old)
    #expect(scratch.names == ["x.safetensors", "x.safetensors.config.json"])
  }

  @Test func `names of the longest length can be written`() throws {
    let name = String(repeating: "n", count: 255 - 12) + ".safetensors"
    _ = try write([tensor("a", 1)], to: name)
    #expect(scratch.names == [name])
  }

  // MARK: Going on where an earlier run stopped

  @Test func `whole shards outlive an error, and are kept when they are right`() throws {
    let tensors = [tensor("a", 1), tensor("b", 2), tensor("c", 3)]
    _ = try write(tensors, to: "expected")
    #expect(throws: CheckpointError.self) {
      try write([tensors[0], tensors[1], broken("c")], to: "x", isResumable: true)
    }
    #expect(scratch.names.count == 2 && scratch.names[0].hasSuffix(".tfpart"))
    #expect(try write(tensors, to: "x", isResumable: true) == 2)
    #expect(files("x") == files("expected"))
    #expect(scratch.names == ["expected", "x"])
  }

  @Test func `a shard that is not what would be written is written again`() throws {
    let tensors = [tensor("a", 1), tensor("b", 2), tensor("c", 3)]
    _ = try write(tensors, to: "expected")
    #expect(throws: CheckpointError.self) {
      try write([tensors[0], tensors[1], broken("c")], to: "x", isResumable: true)
    }
    let folder = scratch.names[0]
    let shards = fileNames(in: scratch.path.appending(folder))
    var bytes = readFile(scratch.path.appending(folder).appending(shards[0]))
    bytes[bytes.count - 1] ^= 1
    scratch.write(bytes, to: folder + "/" + shards[0])
    bytes = readFile(scratch.path.appending(folder).appending(shards[1]))
    scratch.write(bytes + [0], to: folder + "/" + shards[1])
    scratch.write([1, 2, 3], to: folder + "/stranger.safetensors")
    #expect(try write(tensors, to: "x", isResumable: true) == 0)
    #expect(files("x") == files("expected"))
  }

  @Test func `what is left for a later run is removed by one that does not want it`() throws {
    #expect(throws: CheckpointError.self) {
      try write([tensor("a", 1), tensor("b", 1), broken("c")], to: "x", isResumable: true)
    }
    #expect(try write([tensor("a", 1)], to: "x") == 0)
    #expect(scratch.names == ["x"])
  }

  @Test func `a broken source leaves the shards of the run before`() throws {
    #expect(throws: CheckpointError.self) {
      try write([tensor("a", 1), tensor("b", 2), broken("c")], to: "x", isResumable: true)
    }
    #expect(throws: CheckpointError.self) {
      try write([broken("a"), tensor("b", 2), tensor("c", 3)], to: "x", isResumable: true)
    }
    let tensors = [tensor("a", 1), tensor("b", 2), tensor("c", 3)]
    #expect(try write(tensors, to: "x", isResumable: true) == 2)
  }
}
