import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension WritePlan {
  /// Checks that the file system of `folder` has room for what will certainly be written.
  ///
  /// Without this, a small file that claims to hold terabytes would fill the disk before it fails.
  func checkFreeSpace(in folder: FilePath) throws(CheckpointError) {
    var status = statvfs()
    let result = unsafe folder.withPlatformString { unsafe statvfs($0, &status) }
    // What cannot say how large it is may have room all the same.
    guard result == 0, status.f_blocks > 0 else { return }
    let blocks = Int(clamping: status.f_bavail)
    let free = blocks.multipliedIfFits(by: Int(clamping: status.f_frsize)) ?? .max
    var needed = 0
    for file in files where !file.sizeIsBound {
      needed = needed.addedIfFits(file.byteCount) ?? .max
    }
    guard needed <= free else {
      throw CheckpointError(
        .malformed("needs \(needed) bytes, and its file system has \(free) free"),
        file: files.first.map { displayed($0.path) })
    }
  }
}
