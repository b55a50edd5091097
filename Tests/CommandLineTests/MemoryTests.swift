import Foundation
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Commands need no more memory for a large checkpoint than for a small one.
@Suite struct MemoryTests {
  private let scratch = ScratchFolder()

  /// A safetensors file of one tensor of 160 MB, which compresses as weights do.
  private func makeCheckpoint() -> FilePath {
    let count = 160 << 20
    let header =
      #"{"w":{"dtype":"F32","shape":[\#(count / 4096),1024],"data_offsets":[0,\#(count)]}}"#
    var bytes = littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
    bytes.reserveCapacity(bytes.count + count)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<count / 8 {
      let number = random.next()
      // Two numbers of a random mantissa and sign, and exponents up to 121, each half as frequent.
      let exponents = UInt64(121 - min(9, number.trailingZeroBitCount / 2))
      let both = exponents << 23 | exponents << 55 | number & 0x807F_FFFF_807F_FFFF
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: both >> UInt64(shift)))
      }
    }
    return scratch.write(bytes, to: "large.safetensors")
  }

  @Test(.timeLimit(.minutes(5))) func `TFZ both ways, and a row of it`() throws {
    let source = makeCheckpoint()
    let packed = scratch.path.appending("large.tfz").string
    let again = scratch.path.appending("again.safetensors").string
    let there = try run("tfconvert", source.string, packed, "-q")
    #expect(there.status == 0 && there.peak < 128 << 20, "\(there)")
    let back = try run("tfconvert", packed, again, "-q")
    #expect(back.status == 0 && back.peak < 128 << 20, "\(back)")
    let row = try run("tfinspect", "show", packed, "w", "--slice", "40000:40001,:2", "-q")
    #expect(row.status == 0 && row.peak < 40 << 20, "\(row)")
    #expect(readFile(FilePath(again)) == readFile(source))
  }

  /// Runs a command, and says how it ended and how many bytes of memory it had at most.
  private func run(_ command: String, _ arguments: String...) throws -> (status: Int32, peak: Int) {
    let path = commandFolder.appending(command).string
    var words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    var process = pid_t()
    let failure = unsafe posix_spawn(&process, path, nil, nil, &words, environ)
    try #require(failure == 0)
    var status: Int32 = 0
    var usage = rusage()
    var peak = 0
    // Linux counts what this process had into the other's rusage, so its own account is asked.
    while unsafe wait4(process, &status, WNOHANG, &usage) == 0 {
      peak = max(peak, highWaterMark(of: process))
      usleep(2000)
    }
    #if canImport(Glibc)
      return (status, peak)
    #else
      return (status, usage.ru_maxrss)
    #endif
  }

  /// `VmHWM` of a process that is running, in bytes.
  private func highWaterMark(of process: pid_t) -> Int {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM") }),
      let kilobytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
    else { return 0 }
    return kilobytes << 10
  }
}
