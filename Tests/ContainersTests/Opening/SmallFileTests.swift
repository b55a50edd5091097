import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reports and certificates: whole or not at all, and never in another file's place.
@Suite struct SmallFileTests {
  private let scratch = ScratchFolder()

  private func category(_ body: () throws -> Void) -> CheckpointError.Category? {
    #expect(throws: CheckpointError.self, performing: body)?.category
  }

  private func file(
    _ name: String, _ replacing: SmallFile.Replacing = .nothing, sources: [FilePath] = []
  ) -> SmallFile {
    SmallFile(scratch.path.pushing(FilePath(name)), replacing: replacing, sources: sources)
  }

  @Test func `is written and replaced, and nothing else is left`() throws {
    try file("a").write("one")
    #expect(category { try file("a").write("two") } == .refused)
    #expect(readFile(scratch.path.appending("a")) == Array("one".utf8))
    try file("a", .anything).write("three")
    #expect(readFile(scratch.path.appending("a")) == Array("three".utf8))
    #expect(scratch.names == ["a"])
  }

  @Test(arguments: [("", true), ("<?xml version", true), ("<?x", false), ("{}", false)])
  func `replaces only its like`(_ content: String, _ isReplaced: Bool) throws {
    scratch.write(Array(content.utf8), to: "a")
    let report = file("a", .beginning(with: Array("<?xml".utf8)))
    if isReplaced {
      try report.write("<?xml new")
    } else {
      #expect(category { try report.write("<?xml new") } == .refused)
    }
    #expect(
      readFile(scratch.path.appending("a")) == Array((isReplaced ? "<?xml new" : content).utf8))
    #expect(scratch.names == ["a"])
  }

  @Test func `takes no folder's, pipe's or source's place`() throws {
    _ = scratch.makeFolder("folder")
    _ = unsafe scratch.path.appending("pipe").withPlatformString { unsafe mkfifo($0, 0o600) }
    let source = scratch.write([1], to: "source")
    for name in ["folder", "pipe", "source", ".", ".."] {
      let found = category { try file(name, .anything, sources: [source]).write("x") }
      #expect(found == .refused, "\(name)")
    }
    #expect(scratch.names == ["folder", "pipe", "source"] && readFile(source) == [1])
  }

  @Test func `needs its folder before the work begins`() throws {
    #expect(category { try file("no/a").check() } == .failed)
    try file("no/a").check(isFolderExpected: false)
    #expect(category { try file("no/a").write("x") } == .failed)
    #expect(scratch.names == [])
  }

  @Test func `reads no more than it should`() throws {
    let path = scratch.write([1, 2, 3], to: "a")
    #expect(try SmallFile.read(path, limit: 3) == [1, 2, 3])
    #expect(category { _ = try SmallFile.read(path, limit: 2) } == .failed)
    #expect(category { _ = try SmallFile.read(scratch.path, limit: 2) } == .failed)
  }

  @Test func `a digest is that of the file that was opened`() throws {
    let path = scratch.path.appending("a.npy")
    try CheckpointWriter(destination: path, format: .npy).write(tensors: [
      Tensor("a", [1], values: [1])
    ])
    let checkpoint = try Checkpoint.open(path)
    #expect(try checkpoint.digest(of: path) == FileDigest(readFile(path)))
    let bytes = readFile(path)
    scratch.write(bytes, to: "b")
    _ = unsafe path.withPlatformString { target in
      unsafe scratch.path.appending("b").withPlatformString {
        unsafe renameat(AT_FDCWD, $0, AT_FDCWD, target)
      }
    }
    #expect(category { _ = try checkpoint.digest(of: path) } == .failed)
  }
}
