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

  @Test(.timeLimit(.minutes(10))) func `TFZ both ways, and a row of it`() throws {
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

  /// A GPT-2 of one narrow layer whose vocabulary is so large that the scores of the probe would take
  /// 400 MB, and those of two models twice that.
  private func makeWideModel() -> FilePath {
    let (words, width) = (100_000, 64)
    var header: [String] = []
    var position = 0
    func add(_ name: String, _ shape: Int...) {
      let end = position + 4 * shape.reduce(1, *)
      header.append(
        #""transformer.\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(position),\#(end)]}"#
      )
      position = end
    }
    add("wte.weight", words, width)
    add("wpe.weight", 512, width)
    for norm in ["h.0.ln_1", "h.0.ln_2", "ln_f"] {
      add("\(norm).weight", width)
      add("\(norm).bias", width)
    }
    for (layer, input, output) in [
      ("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width),
      ("mlp.c_fc", width, 4 * width), ("mlp.c_proj", 4 * width, width),
    ] {
      add("h.0.\(layer).weight", input, output)
      add("h.0.\(layer).bias", output)
    }
    let text = "{" + header.joined(separator: ",") + "}"
    var bytes = littleEndian(UInt64(text.utf8.count)) + Array(text.utf8)
    bytes.reserveCapacity(bytes.count + position)
    var random = SeededGenerator(seed: 5)
    for _ in 0..<position / 4 {
      // From 2⁻⁴ to 2⁻³, with any sign.
      let number = UInt32(truncatingIfNeeded: random.next())
      bytes += littleEndian(0x3D80_0000 | number & 0x807F_FFFF)
    }
    let config = """
      {"model_type":"gpt2","architectures":["GPT2LMHeadModel"],"vocab_size":\(words),\
      "n_embd":\(width),"n_layer":1,"n_head":4,"n_positions":512}
      """
    scratch.write(Array(config.utf8), to: "wide.safetensors.config.json")
    return scratch.write(bytes, to: "wide.safetensors")
  }

  @Test(.timeLimit(.minutes(10))) func `two models whose scores are larger than the cap`() throws {
    let model = makeWideModel().string
    // Models that are the same run a short text, except for a certificate.
    let file = scratch.path.appending("certificate.json").string
    let free = try run("tfverify", model, model, "-q", "-f", "--certificate", file)
    #expect(free.status == 0 && free.peak < 128 << 20, "\(free)")
    let capped = try run(
      "tfverify", model, model, "-q", "-f", "--certificate", file, "-M", "128MiB")
    #expect(capped.status == 0 && capped.peak < 128 << 20, "\(capped)")
    let refused = try run("tfverify", model, model, "-q", "-M", "40MiB")
    #expect(refused.status == 2 << 8, "\(refused)")
  }

  @Test func `the peak that bench reports is its own, and not that of who started it`() throws {
    let ballast = [UInt8](repeating: 1, count: 256 << 20)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfverify").string)
    process.arguments = [
      "bench", fixture("bert/base").string, "--length", "8", "--repeat", "1", "--json",
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let report = try JSONSerialization.jsonObject(
      with: output.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    let peak = try #require((report as? [String: Any])?["peak_rss_bytes"] as? Int)
    #expect(peak > 1 << 20 && peak < 128 << 20, "\(peak)")
    withExtendedLifetime(ballast) {}
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
