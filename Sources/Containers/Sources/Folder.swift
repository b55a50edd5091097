package import SystemPackage
package import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The names in a folder, sorted by their bytes, without `.` and `..`.
func names(in folder: FilePath) throws(CheckpointError) -> [FilePath.Component] {
  if folder.isRemote {
    return try RemotePlaces.shared.names(in: folder).sorted {
      $0.bytes.lexicographicallyPrecedes($1.bytes)
    }
  }
  guard let stream = unsafe folder.withPlatformString({ unsafe opendir($0) }) else {
    throw CheckpointError(.system(errno, "cannot open"), file: displayed(folder))
  }
  defer { unsafe closedir(stream) }
  var names: [FilePath.Component] = []
  while true {
    errno = 0
    guard let entry = unsafe readdir(stream) else { break }
    let component = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe bytes.baseAddress.flatMap {
        unsafe FilePath.Component(platformString: $0.assumingMemoryBound(to: CChar.self))
      }
    }
    if let component, component.kind == .regular { names.append(component) }
  }
  if errno != 0 { throw CheckpointError(.system(errno, "cannot list"), file: displayed(folder)) }
  return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
}

extension FilePath.Component {
  /// The name as the file system has it.
  var bytes: [UInt8] {
    unsafe withPlatformString { text in
      unsafe UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
    }
  }

  /// Whether `ls` leaves it out.
  var isHidden: Bool { bytes.first == UInt8(ascii: ".") }
}

extension FilePath {
  /// A path of one name.
  init(_ name: FilePath.Component) {
    self.init(root: nil, CollectionOfOne(name))
  }

  /// What the path leads to, links followed, or `nil` if nothing.
  package var status: Stat? { try? examined() }

  /// What is at the path itself, be it a link, or `nil` if nothing.
  var linkStatus: Stat? { try? examined(followTargetSymlink: false) }

  /// What is at the path, on this machine or another.
  ///
  /// - Throws: `Errno` if nothing is there, or that cannot be found out; `CheckpointError` if another machine does not say it.
  func examined(followTargetSymlink: Bool = true) throws -> Stat {
    guard isRemote else { return try stat(followTargetSymlink: followTargetSymlink) }
    guard let status = try RemotePlaces.shared.status(self) else {
      throw Errno.noSuchFileOrDirectory
    }
    return status
  }

  /// What the path leads to, or `nil` if nothing.
  ///
  /// - Throws: `CheckpointError` if that cannot be found out.
  package func present() throws(CheckpointError) -> Stat? {
    try systemCall("cannot examine", self) {
      do {
        return try examined()
      } catch Errno.noSuchFileOrDirectory, Errno.notDirectory, Errno.fileNameTooLong {
        return nil
      }
    }
  }

  /// The folder that the path's last component is in.
  var parent: FilePath {
    let parent = removingLastComponent()
    return parent.isEmpty ? "." : parent
  }

  /// The same path with `suffix` put after its last component; of an address, before its query.
  func appendingToName(_ suffix: String) -> FilePath {
    let query = CChar(bitPattern: UInt8(ascii: "?"))
    return unsafe withPlatformString { text in
      let bytes = unsafe Array(UnsafeBufferPointer(start: text, count: strlen(text)))
      let end = isRemote ? bytes.firstIndex(of: query) ?? bytes.count : bytes.count
      return FilePath(
        platformString: bytes[..<end] + suffix.utf8.map { CChar(bitPattern: $0) } + bytes[end...]
          + [0])
    }
  }

  /// The path in this folder that has that name.
  func child(_ name: [UInt8]) -> FilePath { appending("x").sibling(name) }

  /// The path in this folder that leads to `name`, which may have slashes in it.
  func descendant(_ name: [UInt8]) -> FilePath {
    name.split(separator: UInt8(ascii: "/")).reduce(self) { $0.child(Array($1)) }
  }

  /// The path beside this one that has that name.
  func sibling(_ name: [UInt8]) -> FilePath {
    let text = name.map { CChar(bitPattern: $0) } + [0]
    let folder = removingLastComponent()
    guard let component = FilePath.Component(platformString: text) else { return folder }
    return folder.appending(component)
  }
}
