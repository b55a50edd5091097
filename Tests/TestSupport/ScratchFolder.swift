public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A new, empty folder that goes away, with everything in it, when the object does.
public final class ScratchFolder: Sendable {
  /// Where it is.
  public let path: FilePath

  /// Makes a folder among the system's temporary files.
  public init() {
    let name = "tfkit-tests-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    path = FilePath("/tmp").appending(name)
    let result = unsafe path.withPlatformString { unsafe mkdir($0, 0o700) }
    precondition(result == 0, "cannot make a scratch folder")
  }

  deinit {
    remove(path)
  }

  /// Writes a file in the folder, and says where it is.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) -> FilePath {
    let target = path.pushing(FilePath(name))
    writeFile(bytes, to: target)
    return target
  }

  /// Makes a folder in the folder, and says where it is.
  public func makeFolder(_ name: String) -> FilePath {
    let target = path.pushing(FilePath(name))
    unsafe target.withPlatformString { _ = unsafe mkdir($0, 0o755) }
    return target
  }

  /// The names of everything in the folder, hidden files too, sorted.
  public var names: [String] { fileNames(in: path) }
}

/// Writes a file, or stops the test.
public func writeFile(_ bytes: [UInt8], to path: FilePath) {
  do {
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
    try file.closeAfter { _ = try file.writeAll(bytes) }
  } catch {
    fatalError("cannot write \(path): \(error)")
  }
}

/// The bytes of a file, or stops the test.
public func readFile(_ path: FilePath) -> [UInt8] {
  do {
    let file = try FileDescriptor.open(path, .readOnly)
    return try file.closeAfter {
      let size = Int(try file.stat().size)
      var bytes = [UInt8](repeating: 0, count: size)
      var done = 0
      while done < size {
        done += try unsafe bytes.withUnsafeMutableBytes { buffer in
          try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
        }
      }
      return bytes
    }
  } catch {
    fatalError("cannot read \(path): \(error)")
  }
}

/// The names in a folder, hidden files too, sorted; what is no UTF-8 is repaired.
public func fileNames(in folder: FilePath) -> [String] {
  components(in: folder).map(\.string).sorted()
}

private func components(in folder: FilePath) -> [FilePath.Component] {
  guard let stream = unsafe folder.withPlatformString({ unsafe opendir($0) }) else { return [] }
  defer { unsafe closedir(stream) }
  var names: [FilePath.Component] = []
  while let entry = unsafe readdir(stream) {
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe bytes.baseAddress.flatMap {
        unsafe FilePath.Component(platformString: $0.assumingMemoryBound(to: CChar.self))
      }
    }
    if let name, name.kind == .regular { names.append(name) }
  }
  return names
}

private func remove(_ path: FilePath) {
  guard let status = try? path.stat(followTargetSymlink: false) else { return }
  if status.type == .directory {
    for name in components(in: path) { remove(path.appending(name)) }
    unsafe path.withPlatformString { _ = unsafe rmdir($0) }
  } else {
    unsafe path.withPlatformString { _ = unsafe unlink($0) }
  }
}
