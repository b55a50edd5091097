import Kernels
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Certificate.Machine {
  /// This machine, and this process's libraries.
  static func current(toolVersion: String) -> Certificate.Machine {
    let library = ArithmeticLibrary.current
    return Certificate.Machine(
      toolVersion: toolVersion, blas: library.name, blasVersion: library.version,
      blasKernel: library.kernel, cpu: processorName())
  }
}

#if os(Linux)
  /// The processor as Linux names it; where it does not, as on most of arm64, `unknown`.
  private func processorName() -> String {
    let path: FilePath = "/proc/cpuinfo"
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
      return "unknown"
    }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let read = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe try? file.read(into: buffer)
    }
    let count = read ?? 0
    let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("model name") }),
      let colon = line.firstIndex(of: ":")
    else { return "unknown" }
    return String(line[colon...].dropFirst().drop { $0 == " " })
  }
#else
  /// The processor as the system names it.
  private func processorName() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    var size = bytes.count - 1
    let status = unsafe sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0)
    guard status == 0 else { return "unknown" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
#endif
