import Containers
import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the optimiser must not throw away.
nonisolated(unsafe) public var sink = 0

/// A folder in memory, where there is one: on a disk that others write to, cutting a file can take seconds.
public let memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"

/// A file of the process's own, with the content that is wanted.
private let file: (path: FilePath, descriptor: FileDescriptor) = {
  let path = FilePath("\(memory)/tfkit-fuzz.\(getpid())")
  do {
    let descriptor = try FileDescriptor.open(
      path, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
    unlink(path.string)
    return (FilePath("/proc/self/fd/\(descriptor.rawValue)"), descriptor)
  } catch {
    fatalError("cannot make a file: \(error)")
  }
}()

/// Where the input is found as a file.
public func asFile(_ data: UnsafePointer<UInt8>, _ size: Int) -> FilePath {
  do {
    try file.descriptor.resize(to: 0)
    try file.descriptor.writeAll(
      toAbsoluteOffset: 0, UnsafeRawBufferPointer(start: data, count: size))
  } catch {
    fatalError("cannot write the file: \(error)")
  }
  return file.path
}

/// Opens a file as a container, and reads everything in it, up to some size: an npz of a few bytes may
/// rightly hold a megabyte of zeros.
public func readEverything(_ path: FilePath, _ format: ContainerFormat?) {
  do throws(CheckpointError) {
    let checkpoint = try Checkpoint.open(path, format: format)
    for tensor in checkpoint.tensors.tensors where tensor.byteCount < 1 << 22 {
      sink &+= Int(try tensor.bytes.read(0..<tensor.byteCount).last ?? 0)
    }
    sink &+= checkpoint.metadata?.entries.count ?? 0
  } catch {
    check(error)
  }
}

/// Every error is one line without control characters.
public func check(_ error: CheckpointError) {
  let text = error.description
  precondition(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
  sink &+= text.utf8.count
}
