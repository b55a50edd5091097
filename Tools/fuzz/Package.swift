// swift-tools-version: 6.3
import PackageDescription

// A fuzzer for each parser; Tools/fuzz/run builds and runs them.

let tfkit: Target.Dependency = .product(name: "TransformerKit", package: "tfkit")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "fuzz",
  dependencies: [
    .package(name: "tfkit", path: "../.."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .target(name: "Support", dependencies: [tfkit, system]),
    .systemLibrary(name: "CFuzzXXHash", pkgConfig: "libxxhash"),
  ]
    + [
      "Safetensors", "Npy", "Npz", "TFZ", "Torch", "Pickle", "GGUF", "Flax", "PickledArrays", "ONNX", "HDF5", "ShardIndex", "Config", "JSON", "Names",
    ].map { name in
      .executableTarget(
        name: "Fuzz\(name)",
        dependencies: ["Support", tfkit, system] + (name == "TFZ" ? ["CFuzzXXHash"] : []),
        swiftSettings: [.unsafeFlags(["-parse-as-library"])])
    }
)
